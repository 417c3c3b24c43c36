//! What was wrong with what came out: loss, duplicates, order and content, by partition and offset.

use std::collections::HashMap;

use crate::topics::Topics;

/// How many of a kind are named; the rest are counted.
const NAMED_MAX: usize = 10;

/// Everything that a correct system would not have done. A partition is its index over all topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    /// Acknowledged and not delivered: partition, first offset, offset after the last.
    lost: Vec<(i32, i64, i64)>,
    /// Delivered again at an offset that had been delivered.
    repeated: Vec<(i32, i64)>,
    /// Delivered and never acknowledged.
    unknown: Vec<(i32, i64)>,
    /// Delivered with another content than was sent.
    altered: Vec<Altered>,
    /// Sent after the record at the offset before, by the same producer, but numbered before it.
    reordered: Vec<(i32, i64)>,
    /// Acknowledged twice at the same offset.
    shared: Vec<(i32, i64)>,
    altered_count: u64,
    counts: HashMap<&'static str, u64>,
}

/// A record whose content is not what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Altered {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) sent: u64,
    pub(super) delivered: u64,
}

impl Violations {
    pub(super) fn lost(&mut self, partition: i32, first: i64, end: i64) {
        self.count("lost", (end - first).unsigned_abs());
        match self.lost.last_mut() {
            Some(last) if last.0 == partition && last.2 == first => last.2 = end,
            _ => push(&mut self.lost, (partition, first, end)),
        }
    }

    pub(super) fn repeated(&mut self, partition: i32, offset: i64) {
        self.count("repeated", 1);
        push(&mut self.repeated, (partition, offset));
    }

    pub(super) fn unknown(&mut self, partition: i32, offset: i64) {
        self.count("unknown", 1);
        push(&mut self.unknown, (partition, offset));
    }

    pub(super) fn reordered(&mut self, partition: i32, offset: i64) {
        self.count("reordered", 1);
        push(&mut self.reordered, (partition, offset));
    }

    pub(super) fn shared(&mut self, partition: i32, offset: i64) {
        self.count("shared", 1);
        push(&mut self.shared, (partition, offset));
    }

    pub(super) fn altered(&mut self, altered: Altered) {
        self.altered_count += 1;
        // Twice as many as are named: a swap takes two.
        if self.altered.len() < 2 * NAMED_MAX {
            self.altered.push(altered);
        }
    }

    fn count(&mut self, kind: &'static str, more: u64) {
        *self.counts.entry(kind).or_default() += more;
    }

    /// One sentence for each thing that went wrong, with partition and offset; counts for what is beyond.
    #[must_use]
    pub fn sentences(&self, topics: &Topics) -> Vec<String> {
        let mut sentences = Vec::new();
        for (partition, first, end) in &self.lost {
            let what =
                if end - first == 1 { format!("offset {first}") } else { format!("offsets {first} to {}", end - 1) };
            sentences.push(format!("LOST: {}, {what}: acknowledged and never delivered", topics.words_for(*partition)));
        }
        self.rest("lost", self.lost.iter().map(|(_, first, end)| (end - first).unsigned_abs()).sum(), &mut sentences);
        let pairs = [
            ("repeated", &self.repeated, "DUPLICATE", "delivered again"),
            (
                "unknown",
                &self.unknown,
                "DUPLICATE",
                "delivered, but no acknowledged record: a second copy, or a send that was reported as failed",
            ),
            ("reordered", &self.reordered, "REORDERED", "sent before the record at the offset before it"),
            ("shared", &self.shared, "OVERWRITTEN", "acknowledged for two records"),
        ];
        for (kind, named, title, what) in pairs {
            for (partition, offset) in named {
                sentences.push(format!("{title}: {}, offset {offset}: {what}", topics.words_for(*partition)));
            }
            self.rest(kind, named.len() as u64, &mut sentences);
        }
        self.describe_altered(topics, &mut sentences);
        sentences
    }

    fn rest(&self, kind: &'static str, named: u64, sentences: &mut Vec<String>) {
        let more = self.counts.get(kind).copied().unwrap_or(0).saturating_sub(named);
        if more > 0 {
            sentences.push(format!("… and {more} more {kind}"));
        }
    }

    /// A content that belongs to another offset was moved; one that belongs nowhere was altered.
    fn describe_altered(&self, topics: &Topics, sentences: &mut Vec<String>) {
        for altered in self.altered.iter().take(NAMED_MAX) {
            let Altered { partition, offset, delivered, .. } = *altered;
            let place = topics.words_for(partition);
            let owner = self.altered.iter().find(|other| other.partition == partition && other.sent == delivered);
            sentences.push(match owner {
                Some(owner) => format!(
                    "REORDERED: {place}, offset {offset}: holds the record that was acknowledged at offset {}",
                    owner.offset
                ),
                None => format!("ALTERED: {place}, offset {offset}: content or timestamp differ from what was sent"),
            });
        }
        let more = self.altered_count.saturating_sub(self.altered.len().min(NAMED_MAX) as u64);
        if more > 0 {
            sentences.push(format!("… and {more} more with other content than was sent"));
        }
    }
}

fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() < NAMED_MAX {
        list.push(item);
    }
}
