//! Control records: the markers that end transactions (Kafka's `ControlRecordType`, `EndTransactionMarker`).

use super::{Batch, BatchBuilder, BatchError, BatchOptions, ProducerStamp, RecordView};
use crate::codec::{Codec, Compression};

/// What a control record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlType {
    /// The producer's transaction was aborted: what it wrote since its begin does not count.
    Abort,
    /// The producer's transaction was committed.
    Commit,
    /// A kind that is not ours to understand (KRaft's markers, and what may come). Never shown to applications either.
    Other(i16),
}

/// A transaction marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransactionMarker {
    /// [`ControlType::Abort`] or [`ControlType::Commit`].
    pub control_type: ControlType,
    /// The epoch of the transaction coordinator that wrote it.
    pub coordinator_epoch: i32,
}

impl ControlType {
    /// The type's number.
    #[must_use]
    pub fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::Other(id) => id,
        }
    }

    /// Reads a control record's key: version, type. Fields of later versions may follow.
    pub fn parse(key: Option<&[u8]>) -> Result<ControlType, BatchError> {
        let malformed = |reason| Err(BatchError::Control { reason });
        let Some(&[v0, v1, t0, t1, ..]) = key else {
            return malformed("its key has fewer than 4 bytes");
        };
        if i16::from_be_bytes([v0, v1]) < 0 {
            return malformed("its key has a negative version");
        }
        Ok(match i16::from_be_bytes([t0, t1]) {
            0 => Self::Abort,
            1 => Self::Commit,
            other => Self::Other(other),
        })
    }

    /// The key that says this, version 0.
    #[must_use]
    pub fn key(self) -> [u8; 4] {
        let [t0, t1] = self.id().to_be_bytes();
        [0, 0, t0, t1]
    }
}

impl EndTransactionMarker {
    /// Reads the marker in a control batch's record.
    pub fn parse(record: &RecordView<'_>) -> Result<EndTransactionMarker, BatchError> {
        let malformed = |reason| Err(BatchError::Control { reason });
        let control_type = ControlType::parse(record.key)?;
        if let ControlType::Other(_) = control_type {
            return malformed("its type is neither abort nor commit");
        }
        let Some(&[v0, v1, e0, e1, e2, e3, ..]) = record.value else {
            return malformed("the marker's value has fewer than 6 bytes");
        };
        if i16::from_be_bytes([v0, v1]) < 0 {
            return malformed("the marker's value has a negative version");
        }
        Ok(EndTransactionMarker { control_type, coordinator_epoch: i32::from_be_bytes([e0, e1, e2, e3]) })
    }

    /// The marker of a control batch. `None` in other batches, in control batches of another type, and in one that compaction has emptied.
    pub fn of(batch: &Batch) -> Result<Option<EndTransactionMarker>, BatchError> {
        if !batch.header().is_control() || batch.header().count == 0 {
            return Ok(None);
        }
        let records = batch.records()?;
        let Some(record) = records.iter().next().transpose()? else { return Ok(None) };
        match ControlType::parse(record.key)? {
            ControlType::Other(_) => Ok(None),
            ControlType::Abort | ControlType::Commit => EndTransactionMarker::parse(&record).map(Some),
        }
    }

    /// The control batch that ends this producer's transaction (Kafka's `MemoryRecords.withEndTransactionMarker`): one record, no sequence.
    pub fn batch(self, producer_id: i64, producer_epoch: i16, timestamp_ms: i64) -> Result<Batch, BatchError> {
        let mut builder = BatchBuilder::new(Codec::new(Compression::None), 128);
        builder.append(timestamp_ms, Some(&self.control_type.key()), Some(&self.value()), &[]);
        let producer = ProducerStamp { id: producer_id, epoch: producer_epoch, base_sequence: -1 };
        builder.build(&BatchOptions { producer, transactional: true, control: true, ..BatchOptions::default() })
    }

    /// The value that says this, version 0.
    #[must_use]
    pub fn value(self) -> [u8; 6] {
        let [e0, e1, e2, e3] = self.coordinator_epoch.to_be_bytes();
        [0, 0, e0, e1, e2, e3]
    }
}
