//! The sparse indexes of a segment, as Kafka writes them (LogSegment, OffsetIndex, TimeIndex).
//!
//! They live in memory and are written whole when a segment is rolled or closed: what they say can be rebuilt from
//! the segment, so they are never synced and never trusted beyond its end.

mod offsets;
mod times;

pub(crate) use offsets::OffsetIndex;
pub(crate) use times::TimeIndex;

/// Bytes that are no index of the segment: it is rebuilt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsound(pub(crate) &'static str);
