//! By turns.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

use super::{Partitioner, TopicView};
use crate::network::ByTopic;

/// One record to each partition in turn, whatever its key; Kafka's `RoundRobinPartitioner` (KIP-369).
///
/// Turns go over the partitions that have a leader, or over all if none has.
#[derive(Debug, Default)]
pub struct RoundRobinPartitioner {
    turns: RwLock<ByTopic<AtomicU32>>,
}

impl RoundRobinPartitioner {
    fn next_turn(&self, topic: &str) -> u32 {
        let turns = self.turns.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(topic) {
            return turn.fetch_add(1, Ordering::Relaxed);
        }
        drop(turns);
        let mut turns = self.turns.write().unwrap_or_else(PoisonError::into_inner);
        turns.entry(topic.into()).or_default().fetch_add(1, Ordering::Relaxed)
    }
}

impl Partitioner for RoundRobinPartitioner {
    fn partition(&self, view: TopicView<'_>, _: Option<&[u8]>, _: Option<&[u8]>) -> i32 {
        let turn = self.next_turn(view.topic) & 0x7fff_ffff;
        match view.available {
            [] => (turn % view.partitions.unsigned_abs()).cast_signed(),
            available => available[turn as usize % available.len()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row 50: the key does not matter.
    #[test]
    fn one_constant_key_goes_round() {
        let partitioner = RoundRobinPartitioner::default();
        let view = TopicView { topic: "t", partitions: 3, available: &[0, 1, 2] };
        let turns: Vec<i32> = (0..7).map(|_| partitioner.partition(view, Some(b"same"), None)).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn each_topic_has_turns_of_its_own_and_partitions_without_leader_are_passed_over() {
        let partitioner = RoundRobinPartitioner::default();
        let one = TopicView { topic: "one", partitions: 4, available: &[1, 3] };
        let two = TopicView { topic: "two", partitions: 2, available: &[] };
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push((partitioner.partition(one, None, None), partitioner.partition(two, None, None)));
        }
        assert_eq!(seen, [(1, 0), (3, 1), (1, 0)]);
    }
}
