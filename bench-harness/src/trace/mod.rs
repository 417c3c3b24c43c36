//! A trace: when records were written, how large they were, which had the same key, and where they went. `FORMAT.md` beside
//! this file describes its bytes. [`crate::capture`] makes one, a workload's `records.trace` sends it again.

mod error;
mod read;
mod write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use error::TraceError;
pub use read::read;
pub use write::write;

/// What a trace says it is.
pub const FORMAT: &str = "logdyno-trace";

/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// How the file begins.
const MAGIC: [u8; 8] = *b"LDTRACE\n";

/// Records of a block.
const BLOCK_RECORDS: usize = 1 << 16;

/// Records in the order of their times.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// What it is of.
    pub header: Header,
    /// The keys, in the order in which they first occur.
    pub keys: Vec<Key>,
    /// The records.
    pub records: Vec<Record>,
    /// Their values, if the trace has payloads: as many as records.
    pub values: Option<Vec<Bytes>>,
}

/// What a trace is of: readable at the file's beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// Where it was taken from.
    pub from: String,
    /// How many records.
    pub records: u64,
    /// How many different keys; null is none.
    pub keys: u64,
    /// How many partitions the records were in.
    pub partitions: u32,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// The first record's time, in milliseconds since 1970; others count from here.
    pub begin_ms: i64,
    /// From the first record's time to the last one's.
    pub span_ms: u64,
    /// Bytes that zstd makes of each byte, over 16 KiB of values of a partition at a time; `None` without values.
    pub compressed_share: Option<f64>,
    /// Whether keys and values are in it.
    pub has_payloads: bool,
}

/// A key, as far as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Kafka's murmur2 of its bytes: its partition, however many there are.
    pub hash: i32,
    /// Its length.
    pub bytes: u32,
    /// Its bytes, if the trace has payloads.
    pub content: Option<Bytes>,
}

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its time, in milliseconds since the header's `begin_ms`.
    pub time_ms: u64,
    /// Which of the keys; `None` is null.
    pub key: Option<u32>,
    /// Its partition.
    pub partition: u32,
    /// Its value's length; `None` is a null value.
    pub value_bytes: Option<u32>,
}
