//! The records that a workload sends: read or made up once, held in memory, sent as often as the plan says.

mod file;
mod separated;
mod synthetic;
mod times;
mod trace;
mod zipf;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

pub(crate) use self::separated::Header;
use crate::measure::digest;
use crate::topics::Topics;
use crate::workload::{Load, Plan, RecordSource, WorkloadError};

/// All records of one pass.
#[derive(Clone, Debug)]
pub struct RecordSet {
    records: Vec<Record>,
    digests: Arc<[u64]>,
    /// The records' own times in nanoseconds since 1970, ascending, if the load needs them.
    times_ns: Option<Vec<u64>>,
}

/// A record as it is sent, but for its timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key, or null.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Bytes,
}

impl RecordSet {
    /// The records of a plan.
    pub fn load(plan: &Plan) -> Result<RecordSet, WorkloadError> {
        let records = RecordSet::read(plan)?;
        match records.too_few_keys_for(plan.topic.count) {
            None => Ok(records),
            Some(keys) => Err(WorkloadError::Contradiction {
                place: plan.place_of("topic.count"),
                reason: format!(
                    "{} topics are more than the records have keys ({keys}), and a key's records go to one topic: some would stay empty",
                    plan.topic.count
                ),
            }),
        }
    }

    fn read(plan: &Plan) -> Result<RecordSet, WorkloadError> {
        let needs_times = matches!(plan.load, Load::Times(_));
        match &plan.records.source {
            RecordSource::File { path, format } => {
                let time = plan.records.time.as_ref().filter(|_| needs_times);
                let (records, times) = file::read(path, *format, plan.records.key.as_deref(), time)?;
                Ok(RecordSet::new(records, times))
            }
            RecordSource::Trace { path, seed } => {
                let read = trace::read(path, plan.topic.partitions, *seed);
                let (records, times) = read.map_err(|error| WorkloadError::Trace { reason: error.to_string() })?;
                Ok(RecordSet::new(records, needs_times.then_some(times)))
            }
            RecordSource::Synthetic { .. } => Ok(RecordSet::new(synthetic::make(&plan.records.source)?, None)),
        }
    }

    fn new(records: Vec<Record>, times_ns: Option<Vec<u64>>) -> RecordSet {
        let digests = records.iter().map(|record| digest(record.key.as_deref(), Some(&record.value))).collect();
        RecordSet { records, digests, times_ns }
    }

    /// How many keys there are, if a topic would be left without one; records without a key go to every topic.
    fn too_few_keys_for(&self, topics: u16) -> Option<usize> {
        let mut keys = HashSet::new();
        let is_enough = |record: &Record| {
            record.key.as_ref().is_none_or(|key| {
                keys.insert(key.clone());
                keys.len() >= usize::from(topics)
            })
        };
        let are_enough = self.records.iter().any(is_enough);
        (!are_enough).then_some(keys.len())
    }

    /// The topics of a plan that sends these records.
    #[must_use]
    pub fn topics(&self, plan: &Plan) -> Topics {
        let producers = plan.run.shard.all_producers(plan.run.producers);
        Topics::of(&plan.topic, producers, self.records.iter().map(|record| record.key.as_deref()))
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.records.len() as u64
    }

    /// Never: a source without records is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The record that is sent as number `number`: passes follow each other.
    #[must_use]
    pub fn at(&self, number: u64) -> &Record {
        &self.records[(number % self.len()) as usize]
    }

    /// The digest of each record.
    #[must_use]
    pub fn digests(&self) -> Arc<[u64]> {
        Arc::clone(&self.digests)
    }

    /// The records' own times, if the load needs them.
    #[must_use]
    pub fn times_ns(&self) -> Option<&[u64]> {
        self.times_ns.as_deref()
    }

    /// Bytes of keys and values of one pass.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.records.iter().map(|record| record.key.as_ref().map_or(0, Bytes::len) + record.value.len()).sum::<usize>()
            as u64
    }

    /// Whether all have the same value, so that each record that is sent repeats the one before.
    #[must_use]
    pub fn repeat_one_value(&self) -> bool {
        self.records.windows(2).all(|pair| pair[0].value == pair[1].value)
    }

    /// How many records differ from all before them: a payload that repeats compresses as no real one does.
    #[must_use]
    pub fn distinct(&self) -> u64 {
        let mut digests = self.digests.to_vec();
        digests.sort_unstable();
        digests.dedup();
        digests.len() as u64
    }
}
