//! Record batches of Kafka's format v2: what producers send, logs keep and consumers receive, byte for byte the same.
//!
//! - [`BatchBuilder`] writes one, record after record into one buffer.
//! - [`Batch`] is one whole batch as refcounted bytes; [`batches`] walks over several, [`Records`] over the records of one.
//! - [`thinned`] and [`emptied`] are what compaction leaves of one.
//! - [`patch`] changes what a leader may change in place.
//!
//! The layout, with a worked example: `engine/record/FORMAT.md`.

mod builder;
pub mod control;
mod error;
mod header;
pub mod patch;
mod record;
mod records;
mod thinned;
mod whole;

pub use builder::{BatchBuilder, BatchOptions, ProducerStamp};
pub use error::BatchError;
pub use header::{BatchHeader, MAGIC, TimestampType};
pub use record::{Header, HeaderView, Headers, Record, RecordView};
pub use records::{Records, RecordsIter};
pub use thinned::{emptied, thinned};
pub use whole::{Batch, Batches, batches};

/// Bytes of a batch's header.
pub const HEADER_LEN: usize = 61;

/// Bytes of base offset and length field, which the length field does not count.
pub const LOG_OVERHEAD: usize = 12;

/// Records of one batch may not decompress to more than this, unless the caller sets another bound.
///
/// The format has no bound of its own. Producers fill a batch up to `batch.size` before compression (16 KiB by default) or with
/// one record of at most `max.request.size` (1 MiB by default), so this leaves room for settings far above the usual.
pub const DECOMPRESSED_BYTES_MAX: usize = 128 << 20;

/// CRC-32C (Castagnoli), which batches carry over their bytes from the attributes on, and producer snapshots, too.
pub fn crc32c(covered: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(covered)
}
