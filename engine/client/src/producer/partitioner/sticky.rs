//! The built-in partitioner for records without a key: stay with a partition until it has had its share.
//!
//! Kafka's `BuiltInPartitioner` (KIP-480, KIP-794). A partition is left when at least `batch.size` *bytes*
//! went to it and its last batch is full, at the latest at twice that. The next one is drawn at random,
//! in proportion to how short its queue is (adaptive partitioning).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::random::Random;

/// The partition that a topic's records without key go to now, and the bytes that went there.
#[derive(Debug)]
pub(crate) struct StickyPartition {
    /// Its index.
    pub(crate) partition: i32,
    produced_bytes: AtomicU64,
}

/// Queue lengths as a table of cumulative frequencies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Load {
    cumulative: Vec<u32>,
    partitions: Vec<i32>,
}

/// One topic's sticky partitioner.
pub(crate) struct StickyPartitioner {
    batch_size: u64,
    random: Random,
    current: Mutex<Option<Arc<StickyPartition>>>,
    load: Mutex<Option<Load>>,
}

/// The partitions to choose from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choices<'a> {
    /// How many the topic has.
    pub(crate) partitions: i32,
    /// Those with a leader.
    pub(crate) available: &'a [i32],
}

impl StickyPartitioner {
    /// A partitioner that switches after `batch_size` bytes.
    pub(crate) fn new(batch_size: usize, random: Random) -> StickyPartitioner {
        StickyPartitioner { batch_size: batch_size as u64, random, current: Mutex::new(None), load: Mutex::new(None) }
    }

    /// The current partition; chooses one if there is none yet.
    pub(crate) fn peek(&self, choices: Choices<'_>) -> Arc<StickyPartition> {
        let mut current = lock(&self.current);
        Arc::clone(current.get_or_insert_with(|| self.choose(choices)))
    }

    /// True if another partition has been chosen since `sticky` was peeked.
    pub(crate) fn has_changed(&self, sticky: &Arc<StickyPartition>) -> bool {
        !lock(&self.current).as_ref().is_some_and(|current| Arc::ptr_eq(current, sticky))
    }

    /// Adds the bytes of an append and switches if it is time. `at_boundary`: the last batch is full, or there is none.
    pub(crate) fn update(&self, sticky: &Arc<StickyPartition>, bytes: u64, at_boundary: bool, choices: Choices<'_>) {
        let produced = sticky.produced_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let enough = produced >= self.batch_size && at_boundary;
        if enough || produced >= 2 * self.batch_size {
            *lock(&self.current) = Some(self.choose(choices));
        }
    }

    /// Learns how long the queues are. `queues`: (partition, batches waiting) of the partitions that are not
    /// avoided; `partitions`: how many have a queue, the avoided ones included.
    pub(crate) fn learn(&self, queues: &[(i32, u32)], partitions: usize) {
        *lock(&self.load) = load_table(queues, partitions);
    }

    /// Forgets queue lengths: partitions are drawn evenly.
    pub(crate) fn forget(&self) {
        *lock(&self.load) = None;
    }

    fn choose(&self, choices: Choices<'_>) -> Arc<StickyPartition> {
        let partition = self.next_partition(choices);
        Arc::new(StickyPartition { partition, produced_bytes: AtomicU64::new(0) })
    }

    fn next_partition(&self, choices: Choices<'_>) -> i32 {
        let random = (self.random)();
        if let Some(load) = lock(&self.load).as_ref() {
            return load.pick(random);
        }
        match choices.available {
            [] => (random % choices.partitions.unsigned_abs()).cast_signed(),
            available => available[random as usize % available.len()],
        }
    }
}

impl Load {
    fn pick(&self, random: u32) -> i32 {
        let total = self.cumulative[self.cumulative.len() - 1];
        let drawn = random % total;
        self.partitions[self.cumulative.partition_point(|sum| *sum <= drawn)]
    }
}

/// Weights are inverted queue lengths: longest + 1 − length. `None` where they would say nothing.
fn load_table(queues: &[(i32, u32)], partitions: usize) -> Option<Load> {
    if queues.is_empty() || partitions < 2 {
        return None;
    }
    let longest = queues.iter().map(|(_, length)| *length).max()?;
    let all_equal = queues.iter().all(|(_, length)| *length == longest);
    if all_equal && queues.len() == partitions {
        return None;
    }
    let mut sum = 0;
    let cumulative = queues.iter().map(|(_, length)| {
        sum += longest + 1 - length;
        sum
    });
    Some(Load { cumulative: cumulative.collect(), partitions: queues.iter().map(|(id, _)| *id).collect() })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::system_random;

    fn counting() -> Random {
        let next = AtomicU64::new(0);
        Arc::new(move || next.fetch_add(1, Ordering::Relaxed) as u32)
    }

    const THREE: Choices<'static> = Choices { partitions: 3, available: &[0, 1, 2] };

    /// Row 53; Kafka's testStickyPartitioning.
    #[test]
    fn a_partition_is_left_after_batch_size_bytes_at_a_batch_boundary() {
        let partitioner = StickyPartitioner::new(100, counting());
        let sticky = partitioner.peek(THREE);
        partitioner.update(&sticky, 99, true, THREE);
        assert!(!partitioner.has_changed(&sticky), "99 of 100 bytes");
        partitioner.update(&sticky, 50, false, THREE);
        assert!(!partitioner.has_changed(&sticky), "149 bytes, but the batch is still filling");
        partitioner.update(&sticky, 0, true, THREE);
        assert!(partitioner.has_changed(&sticky), "the deferred switch");
        assert_ne!(partitioner.peek(THREE).partition, sticky.partition);
    }

    /// Row 53: at twice batch.size the switch is forced.
    #[test]
    fn a_switch_is_deferred_no_further_than_twice_batch_size() {
        let partitioner = StickyPartitioner::new(100, counting());
        let sticky = partitioner.peek(THREE);
        partitioner.update(&sticky, 199, false, THREE);
        assert!(!partitioner.has_changed(&sticky));
        partitioner.update(&sticky, 1, false, THREE);
        assert!(partitioner.has_changed(&sticky));
    }

    /// Kafka's unavailablePartitionsTest.
    #[test]
    fn partitions_without_leader_are_not_chosen_unless_all_are() {
        let partitioner = StickyPartitioner::new(1, counting());
        let some = Choices { partitions: 3, available: &[0, 2] };
        for _ in 0..20 {
            assert_ne!(partitioner.next_partition(some), 1);
        }
        let none = Choices { partitions: 3, available: &[] };
        let drawn: Vec<i32> = (0..3).map(|_| partitioner.next_partition(none)).collect();
        assert_eq!(drawn, [2, 0, 1], "all of them, by the twentieth random number and on");
    }

    /// Kafka's adaptivePartitionsTest: queues 0, 3, 1 give weights 4, 1, 3.
    #[test]
    fn shorter_queues_are_drawn_in_exact_proportion() {
        let partitioner = StickyPartitioner::new(1, counting());
        partitioner.learn(&[(0, 0), (1, 3), (2, 1)], 3);
        assert_eq!(lock(&partitioner.load).as_ref().unwrap().cumulative, [4, 5, 8]);
        let mut counts = [0; 3];
        for _ in 0..800 {
            counts[partitioner.next_partition(THREE) as usize] += 1;
        }
        assert_eq!(counts, [400, 100, 300]);
    }

    #[test]
    fn queues_that_say_nothing_are_forgotten() {
        assert_eq!(load_table(&[(0, 2), (1, 2), (2, 2)], 3), None, "all equal");
        assert_eq!(load_table(&[(0, 5)], 1), None, "one partition");
        assert_eq!(load_table(&[], 3), None, "all avoided");
        let one_left = load_table(&[(2, 4)], 3).unwrap();
        assert_eq!((one_left.pick(0), one_left.pick(17)), (2, 2), "the others are avoided");
    }

    #[test]
    fn system_randomness_reaches_every_partition() {
        let partitioner = StickyPartitioner::new(1, system_random());
        let mut seen = [false; 3];
        for _ in 0..1000 {
            seen[partitioner.next_partition(THREE) as usize] = true;
        }
        assert_eq!(seen, [true; 3]);
    }
}
