//! What a run does, as data: the same seed is the same settings and the same steps.

use logdyno_record::Compression;
use logdyno_segment_log::{CleanupPolicy, Level, LogConfig};

/// All that producers from this id on send belongs to transactions.
pub(super) const TRANSACTIONAL: i64 = 3;

/// SplitMix64 (Steele, Lea and Flood, 2014): every seed is a good one.
#[derive(Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// From 0 to 1, both included.
    fn share(&mut self) -> f64 {
        self.below(11) as f64 / 10.0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// A record to be: one of a few keys, and the length of its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) key: u8,
    pub(super) len: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Append {
        records: Vec<Wish>,
        producer: Option<i64>,
        compression: Compression,
    },
    /// The transaction coordinator ends what this producer has open, or has it end nothing.
    EndTransaction {
        producer: i64,
        aborts: bool,
    },
    /// An idempotent producer has not heard of its last batch, and sends it again.
    SendAgain {
        producer: i64,
    },
    /// An idempotent producer has started anew: its next batch is of the next epoch.
    NextProducerEpoch {
        producer: i64,
    },
    Commit(Level),
    /// A commit that nobody waits for.
    BeginCommit(Level),
    /// High watermark, recovery point and log start are written down.
    Checkpoint,
    StartEpoch,
    /// DeleteRecords, this share of the way from the log's start to the high watermark.
    DeleteRecords {
        share: f64,
    },
    Retain,
    Compact,
    /// This share of the way from the high watermark to the log's end.
    Truncate {
        share: f64,
    },
    /// The leader has nothing of what comes next: the log starts over this far behind its end.
    StartOver {
        gap: i64,
    },
    /// A clean stop and the start after it.
    Restart,
}

/// Settings and steps of one run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) config: LogConfig,
    pub(super) steps: Vec<Step>,
}

/// The plan of a seed.
pub(super) fn plan(seed: u64) -> Plan {
    let mut chance = Chance::new(seed);
    let segment_bytes = chance.of(&[700, 1_500, 4_000, 20_000]);
    let compact = chance.one_in(2);
    let config = LogConfig {
        segment_bytes,
        index_interval_bytes: chance.of(&[100, 500, 4_096]),
        ack_level: chance.of(&[Level::Written, Level::Durable]),
        commits_in_flight: chance.of(&[1, 2, 4]),
        cleanup_policy: CleanupPolicy { delete: !compact || chance.one_in(2), compact },
        retention_ms: None,
        retention_bytes: chance.of(&[None, Some(3 * segment_bytes)]),
        min_cleanable_dirty_ratio: 0.0,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    };
    let count = 25 + chance.below(25);
    let steps = (0..count).map(|_| step(&mut chance, segment_bytes)).collect();
    Plan { config, steps }
}

fn step(chance: &mut Chance, segment_bytes: u64) -> Step {
    match chance.below(100) {
        0..42 => append(chance, segment_bytes),
        42..50 => Step::EndTransaction { producer: TRANSACTIONAL + chance.below(2) as i64, aborts: chance.one_in(2) },
        50..54 => Step::SendAgain { producer: chance.below(3) as i64 },
        54..56 => Step::NextProducerEpoch { producer: chance.below(3) as i64 },
        56..62 => Step::Commit(chance.of(&[Level::Written, Level::Durable])),
        62..70 => Step::BeginCommit(chance.of(&[Level::Written, Level::Durable])),
        70..76 => Step::Checkpoint,
        76..80 => Step::StartEpoch,
        80..84 => Step::DeleteRecords { share: chance.share() },
        84..88 => Step::Retain,
        88..92 => Step::Compact,
        92..96 => Step::Truncate { share: chance.share() },
        96..97 => Step::StartOver { gap: chance.below(50) as i64 },
        _ => Step::Restart,
    }
}

fn append(chance: &mut Chance, segment_bytes: u64) -> Step {
    const CODECS: [Compression; 3] = [Compression::None, Compression::Lz4, Compression::Zstd];
    let count = 1 + chance.below(4);
    let len_max = if chance.one_in(6) { segment_bytes / (2 * count) } else { 40 };
    let records = (0..count).map(|_| Wish { key: chance.below(8) as u8, len: chance.below(len_max) as usize });
    Step::Append {
        records: records.collect(),
        producer: chance.one_in(2).then(|| chance.below(TRANSACTIONAL as u64 + 2) as i64),
        compression: chance.of(&CODECS),
    }
}
