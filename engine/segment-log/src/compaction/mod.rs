//! Compaction (`cleanup.policy=compact`, Kafka's LogCleaner): of each key, only the latest record stays.
//!
//! * [`plan`] decides, as values: whether a log is due, how far, and which segments become one.
//! * [`OffsetMap`] knows the last offset of each key in the dirty part, in bounded memory.
//! * [`filter`] decides what is left of a batch.
//!
//! Offsets never change. The rewriting itself is [`crate::log`]'s, the thread [`crate::cleaner`]'s.

pub(crate) mod filter;
mod offset_map;
pub(crate) mod plan;

pub(crate) use offset_map::OffsetMap;
