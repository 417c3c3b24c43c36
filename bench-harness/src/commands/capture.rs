//! `logdyno capture`: a trace of a log, to be sent again.

use std::path::PathBuf;

use clap::Args;

use super::stdout::print;
use crate::capture;
use crate::trace::{self, Trace};

/// Take a trace of a log, from segment files (Kafka's, too) or a topic: times, sizes, keys' hashes and partitions, to be
/// replayed by a workload's `records.trace`.
#[derive(Args, Debug)]
pub(super) struct Capture {
    /// Partitions' folders (TOPIC-0 …), segment files in them, or kafka://HOST:PORT/TOPIC.
    #[arg(value_name = "FROM", required = true)]
    from: Vec<String>,
    /// The trace.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also keep keys and values; without, values are made up when replayed, with the same sizes and compressibility.
    #[arg(long)]
    payloads: bool,
}

impl Capture {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let trace = capture::capture(&self.from, self.payloads, &mut |told| eprintln!("{told}"))?;
        trace::write(&self.out, &trace)?;
        let size = std::fs::metadata(&self.out)?.len();
        let (out, partitions) = (self.out.display(), trace.header.partitions);
        print(format_args!(
            "{}\nwrote {out} ({size} bytes); a workload that replays it:\n\n\
             [records]\ntrace = \"{out}\"\n\n[topic]\npartitions = {partitions}\n\n\
             [load]\ntime.scale = 1          # as it was; \"1/60\" is sixty times as fast\n",
            summary(&trace)
        ))
    }
}

fn summary(trace: &Trace) -> String {
    let header = &trace.header;
    let share = header
        .compressed_share
        .map_or_else(String::new, |share| format!(", zstd makes {:.0} % of values", share * 100.0));
    format!(
        "{} records of {} keys in {} partitions, {} bytes in {:.3} s{share}",
        header.records,
        header.keys,
        header.partitions,
        header.bytes,
        header.span_ms as f64 / 1e3
    )
}
