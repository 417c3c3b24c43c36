//! What is divided by what, and what is demanded of it.

/// Which figure of a cell a row takes.
#[derive(Clone, Copy)]
pub enum Figure {
    /// MB/s; more is better.
    Rate,
    /// Seconds of processor time of the whole machine per GB; less is better.
    Processor,
    /// The median latency of one append, in µs; less is better.
    Median,
    /// Appends a second; more is better.
    Appends,
}

/// One ratio.
pub struct Row {
    pub number: u32,
    pub what: &'static str,
    pub cell: &'static str,
    pub against: &'static str,
    pub figure: Figure,
    /// At least this for rates, at most this for costs and latencies.
    pub target: f64,
}

/// Cells that are measured one after the other in a round: every row is of one family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Writing without waiting.
    Streams,
    /// One commit after the other.
    Commits,
    /// Threads that wait for commits.
    Producers,
    Reads,
}

impl Family {
    /// Of a cell, by its name.
    pub fn of(cell: &str) -> Family {
        let has = |word| cell.split_whitespace().any(|each| each == word);
        if has("read") {
            Family::Reads
        } else if has("durable") || has("dsync") {
            Family::Commits
        } else if cell.contains("threads=") || has("sync") {
            Family::Producers
        } else {
            Family::Streams
        }
    }

    /// Whether its cells are timed for a third of a second each, and take little memory.
    pub fn is_short(self) -> bool {
        self == Family::Commits
    }

    /// How often a round measures each of its cells, in turn: in the next third of a second the device is half as fast, or twice.
    pub fn passes(self) -> u32 {
        if self.is_short() { 6 } else { 1 }
    }
}

impl Figure {
    /// Whether the target is a floor.
    pub fn more_is_better(self) -> bool {
        matches!(self, Figure::Rate | Figure::Appends)
    }
}

const fn row(
    number: u32,
    what: &'static str,
    cell: &'static str,
    against: &'static str,
    figure: Figure,
    target: f64,
) -> Row {
    Row { number, what, cell, against, figure, target }
}

use Figure::{Appends, Median, Processor, Rate};

/// All rows that can be measured.
pub const ROWS: &[Row] = &[
    row(1, "uring, 1 MiB × 8, against fio", "append uring 16k", "fio write 1m 8", Rate, 0.95),
    row(2, "uring, recycled, against fio", "append uring 16k recycled", "fio write 1m 8", Rate, 1.10),
    row(3, "uring, 256 KiB × 8, against fio", "append uring 16k chunk=256k", "fio write 256k 8 fresh", Rate, 0.95),
    row(4, "uring, 16 KiB × 8, against fio", "append uring 16k chunk=16k", "fio write 16k 8 fresh", Rate, 0.90),
    row(5, "buffered, against fio psync", "append buffered 16k", "fio buffered 1m", Rate, 1.10),
    row(6, "buffered, against uring", "append buffered 16k", "append uring 16k", Rate, 0.80),
    row(7, "mmap, against buffered", "append mmap 16k", "append buffered 16k", Rate, 0.90),
    row(8, "processor time of uring, against buffered", "append uring 16k", "append buffered 16k", Processor, 0.40),
    row(9, "uring, 1 KiB batches, against 1 MiB", "append uring 1k", "append uring 1m", Rate, 0.75),
    row(10, "buffered, 1 KiB batches, against a write each", "append buffered 1k", "append plain 1k", Rate, 2.5),
    row(
        11,
        "uring, recycled, a sync each 8 MiB, against fio without",
        "append uring 16k sync=8m recycled",
        "fio write 1m 8",
        Rate,
        0.90,
    ),
    row(12, "durable append, uring, against fio dsync", "durable uring 16k recycled", "fio dsync 16k", Median, 1.10),
    row(
        13,
        "durable append, buffered, against fio dsync",
        "durable buffered 16k recycled",
        "fio dsync 16k",
        Median,
        1.10,
    ),
    row(14, "durable append, mmap, against fio dsync", "durable mmap 16k", "fio dsync 16k", Median, 1.25),
    row(
        15,
        "zeros ahead: durable append, buffered, against unwritten blocks",
        "durable buffered 16k",
        "durable plain 16k",
        Median,
        0.75,
    ),
    row(
        16,
        "16 appends a commit, against one",
        "durable uring 16k group=16 recycled",
        "durable uring 16k recycled",
        Rate,
        6.0,
    ),
    row(
        17,
        "16 appends a commit, an append's median",
        "durable uring 16k group=16 recycled",
        "durable uring 16k recycled",
        Median,
        2.4,
    ),
    row(18, "cold read, uring, against fio", "read uring cold", "fio read 256k 8", Rate, 0.95),
    row(19, "cold read, buffered, against fio", "read buffered cold", "fio read 256k 8", Rate, 0.85),
    row(20, "cold read, mmap, against fio", "read mmap cold", "fio read 256k 8", Rate, 0.85),
    row(21, "hot read, mmap in place, against pread", "read mmap hot", "read plain hot", Rate, 1.3),
    row(22, "8 durable producers, against raft-engine", "log uring 16k threads=8", "raft 16k threads=8", Appends, 1.35),
    row(
        23,
        "32 durable producers, against raft-engine",
        "log uring 16k threads=32",
        "raft 16k threads=32",
        Appends,
        1.05,
    ),
    row(
        24,
        "32 durable producers, 1 KiB, against raft-engine",
        "log uring 1k threads=32",
        "raft 1k threads=32",
        Appends,
        1.2,
    ),
    row(25, "1 durable producer, against raft-engine", "log uring 16k threads=1", "raft 16k threads=1", Median, 0.75),
    row(26, "1 durable producer, against walrus", "log uring 16k threads=1", "walrus 16k sync", Median, 0.55),
    row(27, "no sync, uring, against raft-engine", "append uring 16k", "raft 16k", Rate, 2.5),
    row(28, "no sync, buffered, against raft-engine", "append buffered 16k", "raft 16k", Rate, 2.2),
    row(29, "no sync, 1 KiB, uring, against raft-engine", "append uring 1k", "raft 1k", Rate, 4.0),
    row(30, "no sync, uring, against commitlog", "append uring 16k", "commitlog 16k", Rate, 2.2),
    row(31, "no sync, 1 KiB, uring, against commitlog", "append uring 1k", "commitlog 1k", Rate, 3.0),
    row(32, "no sync, uring, against walrus", "append uring 16k", "walrus 16k", Rate, 4.5),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_row_divides_is_of_one_family() {
        for row in ROWS {
            assert!(Family::of(row.cell) == Family::of(row.against), "row {}", row.number);
        }
    }
}
