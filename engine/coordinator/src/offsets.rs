//! What a group has committed.

use std::collections::BTreeMap;

/// A committed offset: the next to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to be read.
    pub offset: i64,
    /// The epoch of the last record that was read; -1 if it is not known.
    pub leader_epoch: i32,
    /// Whatever the consumer wanted to keep with it.
    pub metadata: String,
    /// When, in ms since 1970.
    pub committed_ms: i64,
}

/// The committed offsets of one group, by topic and partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    topics: BTreeMap<String, BTreeMap<i32, Committed>>,
}

impl Offsets {
    /// Notes a commit.
    pub fn set(&mut self, topic: &str, partition: i32, committed: Committed) {
        self.topics.entry(topic.to_owned()).or_default().insert(partition, committed);
    }

    /// Forgets a commit.
    pub fn remove(&mut self, topic: &str, partition: i32) {
        if let Some(partitions) = self.topics.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.topics.remove(topic);
            }
        }
    }

    /// What was committed for a partition.
    pub fn get(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.topics.get(topic)?.get(&partition)
    }

    /// All commits.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i32, &Committed)> {
        self.topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(partition, committed)| (topic.as_str(), *partition, committed))
        })
    }

    /// Whether nothing is committed.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// What has expired (`offsets.retention.minutes`) of a group without members, which got empty at `empty_since_ms`; of
    /// one that never had members (`None`), each commit counts from its own time.
    pub fn expired(&self, empty_since_ms: Option<i64>, now_ms: i64, retention_ms: i64) -> Vec<(String, i32)> {
        let since = |committed: &Committed| empty_since_ms.unwrap_or(committed.committed_ms);
        self.iter()
            .filter(|(_, _, committed)| now_ms.saturating_sub(since(committed)) >= retention_ms)
            .map(|(topic, partition, _)| (topic.to_owned(), partition))
            .collect()
    }
}
