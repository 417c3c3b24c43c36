//! What was acknowledged against what is there after a crash.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use logdyno_engine::record::Offset;

use super::told::Ack;
use crate::records::RecordSet;
use crate::topics::Topics;

/// Strikes off what was acknowledged as it is found.
pub(super) struct Judge {
    topics: Arc<Topics>,
    acknowledged: u64,
    /// What is still to be found: the digest of each record by where it was said to stand. Partitions are indexes over all topics.
    missing: HashMap<(i32, Offset), u64>,
    /// Digests of all records that can have been sent.
    known: HashSet<u64>,
    altered: u64,
    invented: u64,
    first: Option<String>,
}

/// What one crash came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) acknowledged: u64,
    /// Acknowledged, and not there as they were sent.
    pub(super) lost: u64,
    /// Never sent, or acknowledged at the place of another.
    pub(super) invented: u64,
    /// What was wrong first.
    pub(super) first: Option<String>,
}

impl Judge {
    pub(super) fn new(acks: &[Ack], records: &RecordSet, topics: Arc<Topics>) -> Judge {
        let digests = records.digests();
        let mut judge = Judge {
            topics,
            acknowledged: acks.len() as u64,
            missing: HashMap::with_capacity(acks.len()),
            known: digests.iter().copied().collect(),
            altered: 0,
            invented: 0,
            first: None,
        };
        for Ack { number, partition, offset } in acks {
            let digest = digests[(number % records.len()) as usize];
            let Some(partition) = judge.topics.index_for(*number, *partition) else {
                judge.invented += 1;
                let what =
                    || format!("record {number} is said to be in a partition {partition} that its topic does not have");
                judge.first.get_or_insert_with(what);
                continue;
            };
            if judge.missing.insert((partition, *offset), digest).is_some() {
                judge.invented += 1;
                judge.note(partition, *offset, "was given to two records");
            }
        }
        judge
    }

    /// A record that is there; `partition` is its index over all topics.
    pub(super) fn take(&mut self, partition: i32, offset: Offset, digest: u64) {
        match self.missing.remove(&(partition, offset)) {
            Some(expected) if expected != digest => {
                self.altered += 1;
                self.note(partition, offset, "holds another record than was acknowledged");
            }
            None if !self.known.contains(&digest) => {
                self.invented += 1;
                self.note(partition, offset, "holds a record that nobody sent");
            }
            _ => {}
        }
    }

    fn note(&mut self, partition: i32, offset: Offset, what: &str) {
        self.first.get_or_insert_with(|| format!("offset {offset} of {} {what}", self.topics.words_for(partition)));
    }

    /// How many have not been found yet.
    pub(super) fn missing(&self) -> usize {
        self.missing.len()
    }

    /// When all has been read.
    pub(super) fn found(mut self) -> Found {
        if let Some((partition, offset)) = self.missing.keys().min().copied() {
            let last = self.missing.len();
            self.note(partition, offset, &format!("is the first of {last} that are not there any more"));
        }
        let lost = self.missing.len() as u64 + self.altered;
        Found { acknowledged: self.acknowledged, lost, invented: self.invented, first: self.first }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::workload::{Overrides, parse};

    fn records() -> RecordSet {
        let text =
            "[workload]\nname = \"judged\"\n[records]\nsize = 16\nentropy = 8\ndistinct = 10\n[load]\nrate = 1\n";
        let plan = parse(Path::new("judged.toml"), text, &Overrides::default()).expect("a good workload");
        RecordSet::load(&plan).expect("records")
    }

    fn judged(take: impl FnOnce(&mut Judge, &[u64])) -> Found {
        let records = records();
        let ack = |number: u64| Ack { number, partition: 0, offset: Offset(number as i64) };
        let mut judge = Judge::new(&[ack(0), ack(1), ack(12)], &records, Arc::new(Topics::one("t", 2)));
        take(&mut judge, &records.digests());
        judge.found()
    }

    #[test]
    fn what_is_there_as_it_was_acknowledged_is_not_lost_and_neither_is_more() {
        let found = judged(|judge, digests| {
            judge.take(0, Offset(0), digests[0]);
            judge.take(0, Offset(1), digests[1]);
            judge.take(0, Offset(2), digests[5]);
            judge.take(0, Offset(12), digests[2]);
            assert_eq!(judge.missing(), 0);
        });
        assert_eq!(found, Found { acknowledged: 3, lost: 0, invented: 0, first: None });
    }

    #[test]
    fn what_is_missing_or_another_record_is_lost() {
        let found = judged(|judge, digests| {
            judge.take(0, Offset(0), digests[3]);
            judge.take(1, Offset(1), digests[1]);
        });
        assert_eq!((found.lost, found.invented), (3, 0));
        assert_eq!(found.first.as_deref(), Some("offset 0 of partition 0 holds another record than was acknowledged"));
    }

    #[test]
    fn what_nobody_sent_is_made_up() {
        let found = judged(|judge, _| judge.take(0, Offset(3), 1));
        assert_eq!((found.lost, found.invented), (3, 1));
    }

    #[test]
    fn an_offset_is_given_out_once() {
        let ack = Ack { number: 4, partition: 0, offset: Offset(4) };
        assert_eq!(Judge::new(&[ack, ack], &records(), Arc::new(Topics::one("t", 1))).found().invented, 1);
    }
}
