//! Compaction (`cleanup.policy=compact`, Kafka's LogCleaner): of each key, only the latest record stays.
//!
//! * [`plan`] decides, as values: whether a log is due, how far, and which segments become one.
//! * [`OffsetMap`] knows the last offset of each key in the dirty part, in bounded memory.
//! * [`Transactions`] knows which batches were aborted, and which markers have nothing left to mark.
//! * [`filter`] decides what is left of a batch, [`rewrite`] writes what is left of a group of segments.
//! * [`swap`] puts that in the group's place, and finishes at a start what a crash has interrupted.
//!
//! Offsets never change. A round over a log is [`crate::Log::compact`].

pub(crate) mod filter;
mod offset_map;
pub(crate) mod plan;
pub(crate) mod rewrite;
pub(crate) mod swap;
mod transactions;

use logdyno_record::Offset;

pub(crate) use offset_map::OffsetMap;
pub use plan::CompactionPlan;
pub(crate) use transactions::Transactions;

/// What a round may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactionLimits {
    /// Bytes of the map of keys (`log.cleaner.dedupe.buffer.size`): what does not fit waits for the next round.
    pub map_bytes: usize,
    /// Bytes read and written in a second (`log.cleaner.io.max.bytes.per.second`).
    pub io_bytes_per_second: f64,
}

impl Default for CompactionLimits {
    fn default() -> CompactionLimits {
        CompactionLimits { map_bytes: 128 << 20, io_bytes_per_second: f64::MAX }
    }
}

/// What a round has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compaction {
    /// Of each key, no older record than the latest before it is left.
    pub cleaned_to: Offset,
    /// Of the segments before.
    pub bytes_before: u64,
    /// Of those that took their place.
    pub bytes_after: u64,
    /// How many there were.
    pub segments_before: usize,
    /// How many there are.
    pub segments_after: usize,
}
