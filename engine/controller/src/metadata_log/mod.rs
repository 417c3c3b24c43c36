//! The log that the cluster's metadata is kept in.

mod single_voter;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use logdyno_record::{Batch, Offset};

use crate::error::ControllerError;
use crate::record::MetadataRecord;
use crate::record::format::{decode, encode};

pub use single_voter::SingleVoter;

/// Kafka's name of the topic that the metadata log is.
pub const METADATA_TOPIC: &str = "__cluster_metadata";

/// Called with the end of what is committed, whenever it has risen. May be called on any thread; must not block.
pub type Listener = Arc<dyn Fn(Offset) + Send + Sync>;

/// A log of metadata records with one writer at a time. A quorum replaces the log, not its users.
pub trait MetadataLog: Send + Sync {
    /// Appends records as one batch: after a crash all of them are there, or none. They are committed, and
    /// safe from power loss, when this returns. May block. Gives their offsets.
    fn propose(&self, records: &[MetadataRecord]) -> Result<Range<Offset>, ControllerError>;

    /// The first offset that is not committed yet.
    fn committed_end(&self) -> Offset;

    /// Whole committed batches from the one that contains `from`, at least one if there is any. May block.
    fn read(&self, from: Offset, bytes_max: usize) -> Result<Bytes, ControllerError>;

    /// Calls `listener` when more is committed.
    fn subscribe(&self, listener: Listener);
}

/// The bytes of a batch's records, as their values.
pub(crate) fn values(records: &[MetadataRecord]) -> Vec<Vec<u8>> {
    records.iter().map(encode).collect()
}

/// The records of a batch, with their offsets.
pub(crate) fn records_of(batch: &Batch) -> Result<Vec<(Offset, MetadataRecord)>, ControllerError> {
    let damaged = |what: String| ControllerError::Unreadable { offset: batch.header().base_offset, what };
    let records = batch.records().map_err(|error| damaged(error.to_string()))?;
    records
        .iter()
        .map(|record| {
            let record = record.map_err(|error| damaged(error.to_string()))?;
            let value = record.value.ok_or_else(|| damaged("the record has no value".to_owned()))?;
            let decoded = decode(value).map_err(|error| damaged(error.to_string()))?;
            Ok((record.offset, decoded))
        })
        .collect()
}
