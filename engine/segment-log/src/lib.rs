//! A partition's log in Kafka's files: segments, indexes, recovery, leader epochs, checkpoints and group commit.
//!
//! * [`Log`] is one partition: appends as leader or follower, reads, levels, truncation.
//! * [`LogDirectory`] is one data directory: its lock, its owner, its checkpoints, its partitions' folders.
//! * [`dump`] looks into segment files without opening a log.
//!
//! It knows batches and offsets, and nothing of ISR, high watermarks or sockets. Files and rules are Kafka's, so
//! that Kafka's own tools read what is written here, and the other way round.

mod checkpoint;
mod compaction;
mod config;
mod directory;
pub mod dump;
mod epochs;
mod error;
mod files;
mod index;
mod log;
mod meta;
mod names;
mod offsets_file;
mod producers;
mod recovery;
mod retention;
mod rope;
mod segment;

pub use compaction::{Compaction, CompactionLimits, CompactionPlan};
pub use config::{CleanupPolicy, LogConfig, Recovery};
pub use directory::{LogDirectory, Wanted};
pub use epochs::EpochEnd;
pub use error::LogError;
pub use index::AbortedTransaction;
pub use log::{AckEndListener, Appended, Log, LogRead, PendingRead, Slice, TimestampOffset, Waiter};
pub use logdyno_storage::{Level, Storage, StorageError};
pub use meta::Meta;
pub use producers::ActiveProducer;
pub use recovery::RecoveryReport;
pub use retention::RetentionPlan;
