//! The sparse indexes of a segment, as Kafka writes them (LogSegment, OffsetIndex, TimeIndex), and its index
//! of aborted transactions (TransactionIndex).
//!
//! They live in memory and are written whole when a segment is rolled or closed: what they say can be rebuilt from
//! the segment, so they are never synced and never trusted beyond its end. The transaction index is written first, and durably: that it is missing means that
//! nothing was aborted.

mod offsets;
mod times;
mod transactions;

pub(crate) use offsets::OffsetIndex;
pub(crate) use times::TimeIndex;
pub use transactions::AbortedTransaction;
pub(crate) use transactions::TransactionIndex;

/// Bytes that are no index of the segment: it is rebuilt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsound(pub(crate) &'static str);
