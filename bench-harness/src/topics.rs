//! The topics of a run: their names, which record goes to which, and one index over the partitions of all of them.
//!
//! A record with a key goes where its key goes: keys are dealt to topics in the order in which they first appear among the
//! records, so each topic has as many keys as any other (to within one), and the order of a key's records is one that Kafka
//! promises to keep. A record without a key goes to its producer's next topic; producers begin with different ones.
//! Both are known from a record's number alone: nothing of it travels with the record.

use std::collections::HashMap;
use std::sync::Arc;

use logdyno_engine::record::TopicPartition;

use crate::workload::TopicPlan;

/// The topics of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    stem: Arc<str>,
    /// The stem alone if there is one topic; else `stem-0`, `stem-1` …
    names: Vec<Arc<str>>,
    /// Of each topic.
    partitions: i32,
    /// How many producers take the records in turn.
    producers: u64,
    /// The topic of each record of a pass, if its key says it; empty where no key does.
    of_keys: Vec<Option<u16>>,
}

impl Topics {
    /// One topic with so many partitions.
    #[must_use]
    pub fn one(name: &str, partitions: i32) -> Topics {
        Topics { stem: name.into(), names: vec![name.into()], partitions, producers: 1, of_keys: Vec::new() }
    }

    /// Those of a plan, for records with these keys, which so many producers take in turn.
    #[must_use]
    pub fn of<'a>(plan: &TopicPlan, producers: u32, keys: impl Iterator<Item = Option<&'a [u8]>>) -> Topics {
        let one = Topics::one(&plan.name, plan.partitions);
        if plan.count == 1 {
            return one;
        }
        let of_keys = dealt(keys, plan.count);
        Topics { names: names(&plan.name, plan.count), producers: u64::from(producers.max(1)), of_keys, ..one }
    }

    /// The same ones under other names: what a cluster calls them that others use as well.
    #[must_use]
    pub fn renamed(&self, stem: &str) -> Topics {
        let names = if self.names.len() == 1 { vec![stem.into()] } else { names(stem, self.names.len() as u16) };
        Topics { stem: stem.into(), names, ..self.clone() }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Their names, in order.
    #[must_use]
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// How many partitions each has.
    #[must_use]
    pub fn partitions_each(&self) -> i32 {
        self.partitions
    }

    /// The partitions of all topics, in the order of their indexes.
    pub fn partitions(&self) -> impl Iterator<Item = TopicPartition> {
        self.names.iter().flat_map(|name| (0..self.partitions).map(|at| TopicPartition::new(Arc::clone(name), at)))
    }

    /// The place among the topics of the one that a record is sent to.
    #[must_use]
    pub fn of_record(&self, number: u64) -> usize {
        if self.names.len() == 1 {
            return 0;
        }
        let of_key = number.checked_rem(self.of_keys.len() as u64).and_then(|at| self.of_keys[at as usize]);
        of_key.map_or_else(|| self.in_turn(number), usize::from)
    }

    fn in_turn(&self, number: u64) -> usize {
        let (turn, producer) = (number / self.producers, number % self.producers);
        ((turn + producer) % self.names.len() as u64) as usize
    }

    /// The index of a partition of a topic.
    #[must_use]
    pub fn index(&self, topic: usize, partition: i32) -> i32 {
        topic as i32 * self.partitions + partition
    }

    /// The index of a partition of the topic that a record is sent to; `None` if that topic does not have it.
    #[must_use]
    pub fn index_for(&self, number: u64, partition: i32) -> Option<i32> {
        if self.names.len() == 1 {
            return Some(partition);
        }
        (0..self.partitions).contains(&partition).then(|| self.index(self.of_record(number), partition))
    }

    /// The index of a partition; `None` if its topic is not of this run.
    #[must_use]
    pub fn index_of(&self, partition: &TopicPartition) -> Option<i32> {
        if let [only] = &*self.names {
            return (*only == partition.topic).then_some(partition.partition);
        }
        let topic = self.position(&partition.topic)?;
        (0..self.partitions).contains(&partition.partition).then(|| self.index(topic, partition.partition))
    }

    /// The place of a topic among them, by its name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        let at = match self.names.len() {
            1 => 0,
            _ => name.strip_prefix(&*self.stem)?.strip_prefix('-')?.parse().ok()?,
        };
        self.names.get(at).filter(|known| ***known == *name).map(|_| at)
    }

    /// The partition with an index.
    #[must_use]
    pub fn partition(&self, index: i32) -> TopicPartition {
        let topic = (index / self.partitions) as usize;
        let name = self.names.get(topic).unwrap_or(&self.stem);
        TopicPartition::new(Arc::clone(name), index % self.partitions)
    }

    /// What a sentence calls the partition with an index: without its topic if there is only one.
    #[must_use]
    pub fn words_for(&self, index: i32) -> String {
        if self.names.len() == 1 {
            return format!("partition {index}");
        }
        let TopicPartition { topic, partition } = self.partition(index);
        format!("topic {topic}, partition {partition}")
    }
}

fn names(stem: &str, count: u16) -> Vec<Arc<str>> {
    (0..count).map(|at| format!("{stem}-{at}").into()).collect()
}

/// The topic of each record that has a key; empty if none has.
fn dealt<'a>(keys: impl Iterator<Item = Option<&'a [u8]>>, topics: u16) -> Vec<Option<u16>> {
    let mut seen: HashMap<&[u8], u16> = HashMap::new();
    let mut topic_of = |key| {
        let next = (seen.len() % usize::from(topics)) as u16;
        *seen.entry(key).or_insert(next)
    };
    let of_keys: Vec<Option<u16>> = keys.map(|key| key.map(&mut topic_of)).collect();
    if of_keys.iter().all(Option::is_none) { Vec::new() } else { of_keys }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Settings;

    fn topics(count: u16, producers: u32, keys: &[Option<&str>]) -> Topics {
        let configs = Settings::default();
        let plan = TopicPlan { name: "t".to_owned(), count, partitions: 3, replication_factor: 1, configs };
        Topics::of(&plan, producers, keys.iter().map(|key| key.map(str::as_bytes)))
    }

    fn first(topics: &Topics, records: u64) -> Vec<usize> {
        (0..records).map(|number| topics.of_record(number)).collect()
    }

    #[test]
    fn one_topic_has_the_name_that_was_given_and_its_partitions_are_the_index() {
        let topics = topics(1, 4, &[Some("a"), None]);
        assert_eq!(topics, Topics::one("t", 3));
        assert_eq!(first(&topics, 3), [0, 0, 0]);
        assert_eq!(topics.index_of(&TopicPartition::new("t", 2)), Some(2));
        assert_eq!((topics.index_for(7, 2), &*topics.words_for(2)), (Some(2), "partition 2"));
        for other in ["t-0", "", "__cluster_metadata"] {
            assert_eq!(topics.index_of(&TopicPartition::new(other, 0)), None, "{other}");
        }
    }

    #[test]
    fn indexes_are_dense_and_name_their_partition() {
        let topics = topics(4, 1, &[]);
        for (index, partition) in (0..).zip(topics.partitions()) {
            assert_eq!((topics.index_of(&partition), topics.partition(index)), (Some(index), partition));
        }
        assert_eq!(topics.partitions().count(), 12);
        assert_eq!(topics.words_for(11), "topic t-3, partition 2");
        for (other, partition) in [("t", 0), ("t-4", 0), ("t-01", 0), ("t-+1", 0), ("tt-1", 0), ("t-1", 3), ("t-1", -1)]
        {
            assert_eq!(topics.index_of(&TopicPartition::new(other, partition)), None, "{other}-{partition}");
        }
        assert_eq!((topics.index_for(2, 1), topics.index_for(2, 3)), (Some(7), None));
        let renamed = topics.renamed("t-5e");
        assert_eq!((renamed.position("t-5e-3"), renamed.position("t-3")), (Some(3), None));
        assert_eq!(first(&renamed, 9), first(&topics, 9));
    }

    /// Each producer goes through all topics, and at no moment all of them to the same.
    #[test]
    fn without_keys_each_producer_takes_topics_in_turn() {
        assert_eq!(first(&topics(3, 1, &[None]), 7), [0, 1, 2, 0, 1, 2, 0]);
        let shared = topics(2, 2, &[None]);
        let of_producer = |index: u64| (0..4).map(|turn| shared.of_record(2 * turn + index)).collect::<Vec<_>>();
        assert_eq!((of_producer(0), of_producer(1)), (vec![0, 1, 0, 1], vec![1, 0, 1, 0]));
    }

    #[test]
    fn a_key_has_its_topic_in_every_pass() {
        let topics = topics(2, 3, &[Some("a"), Some("b"), Some("a"), None, Some("c")]);
        let by_key = |pass: u64| [0, 1, 2, 4].map(|at| topics.of_record(5 * pass + at));
        assert_eq!(by_key(0), [0, 1, 0, 0]);
        assert!((1..9).all(|pass| by_key(pass) == by_key(0)));
        let without: std::collections::BTreeSet<usize> = (0..9).map(|pass| topics.of_record(5 * pass + 3)).collect();
        assert_eq!(without.len(), 2, "those without a key go to both");
    }
}
