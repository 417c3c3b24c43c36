//! What the records of one partition of `__consumer_offsets` say, read once when its leadership comes here.

use std::collections::HashMap;

use bytes::Bytes;
use logdyno_coordinator::Offsets;
use logdyno_coordinator::records::{Key, StoredGroup, Value, decode_value};
use logdyno_record::batch::Batch;
use logdyno_record::batch::control::ControlType;
use logdyno_record::{BatchError, Offset};
use logdyno_segment_log::{Log, LogError};

/// How much is read at a time.
const READ_BYTES: usize = 1 << 20;

/// Why a partition's groups cannot be known.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("a batch cannot be read: {0}")]
    Batch(#[from] BatchError),
}

/// One group as the records tell it.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) group: Option<StoredGroup>,
    pub(super) offsets: Offsets,
}

/// What is known so far.
#[derive(Default)]
struct Loading {
    groups: HashMap<String, Loaded>,
    /// What transactions have written that have not ended yet, by producer.
    open: HashMap<i64, Vec<(Bytes, Option<Bytes>)>>,
}

/// Reads a partition from its start to its end. Waits for the disk.
pub(super) fn load(log: &Log) -> Result<HashMap<String, Loaded>, LoadError> {
    let mut loading = Loading::default();
    let (mut next, end) = (log.start_offset(), log.end_offset());
    while next < end {
        let slice = log.read_blocking(next, end, READ_BYTES, true)?;
        let before = next;
        for batch in logdyno_record::batches(Bytes::from(slice.batches.concat())) {
            let batch = batch?;
            next = next.max(batch.header().next_offset());
            loading.take(&batch)?;
        }
        if next == before {
            // Nothing behind it but what compaction has left out.
            break;
        }
    }
    Ok(loading.groups)
}

impl Loading {
    fn take(&mut self, batch: &Batch) -> Result<(), BatchError> {
        let header = batch.header();
        let (producer, base) = (header.producer_id, header.base_offset);
        let (is_control, is_transactional) = (header.is_control(), header.is_transactional());
        for record in &batch.records()? {
            let record = record?;
            if is_control {
                match ControlType::parse(record.key)? {
                    ControlType::Commit => {
                        let committed = self.open.remove(&producer).unwrap_or_default();
                        committed.iter().for_each(|(key, value)| self.apply(base, Some(key), value.as_deref()));
                    }
                    ControlType::Abort => drop(self.open.remove(&producer)),
                    ControlType::Other(_) => {}
                }
            } else if is_transactional {
                let copy = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
                let fact = (record.key.map(copy).unwrap_or_default(), record.value.map(copy));
                self.open.entry(producer).or_default().push(fact);
            } else {
                self.apply(base, record.key, record.value);
            }
        }
        Ok(())
    }

    /// Kinds that are not known here belong to protocols that are not served here.
    fn apply(&mut self, batch: Offset, key: Option<&[u8]>, value: Option<&[u8]>) {
        let understood = Key::decode(key.unwrap_or_default())
            .and_then(|key| Ok((value.map(|value| decode_value(&key, value)).transpose()?, key)));
        let (value, key) = match understood {
            Ok(understood) => understood,
            Err(reason) => return tracing::debug!(%batch, "a group's record is passed over: {reason}"),
        };
        match (key, value) {
            (Key::Offset { group, topic, partition }, Some(Value::Offset(committed))) => {
                self.groups.entry(group).or_default().offsets.set(&topic, partition, committed);
            }
            (Key::Offset { group, topic, partition }, _) => {
                if let Some(known) = self.groups.get_mut(&group) {
                    known.offsets.remove(&topic, partition);
                }
            }
            (Key::Group { group }, Some(Value::Group(stored))) => {
                self.groups.entry(group).or_default().group = Some(stored);
            }
            (Key::Group { group }, _) => {
                if let Some(known) = self.groups.get_mut(&group) {
                    known.group = None;
                }
            }
        }
    }
}
