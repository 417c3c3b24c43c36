//! Which brokers get which partitions: Kafka's striped placement (`StripedReplicaPlacer`), without racks.
//!
//! Brokers stand in a shuffled circle. Partition p's leader is the one p places on from a random start,
//! its followers the next ones; after each full round the circle is shuffled anew, so that the same
//! broker does not always follow the same other. So leaders are even within one, whatever the numbers.

use logdyno_record::BrokerId;

/// Replicas of each of `partitions` partitions, leader first. Brokers in service come before fenced ones.
///
/// The same seed gives the same placement. The caller has made sure that there are at least
/// `replication_factor` brokers and one of them is in service.
pub fn place(
    live: &[BrokerId],
    fenced: &[BrokerId],
    partitions: usize,
    replication_factor: usize,
    seed: u64,
) -> Vec<Vec<BrokerId>> {
    assert!(!live.is_empty() && replication_factor <= live.len() + fenced.len(), "checked by the caller");
    let mut random = SplitMix64(seed);
    let (mut live, mut fenced) = (live.to_vec(), fenced.to_vec());
    let (mut start, mut fenced_start) = (0, 0);
    (0..partitions)
        .map(|partition| {
            let turn = partition % live.len();
            if turn == 0 {
                random.shuffle(&mut live);
                random.shuffle(&mut fenced);
                start = random.below(live.len());
                fenced_start = random.below(fenced.len().max(1));
            }
            let in_service = circle(&live, start + turn);
            in_service.chain(circle(&fenced, fenced_start + turn)).take(replication_factor).collect()
        })
        .collect()
}

fn circle(brokers: &[BrokerId], start: usize) -> impl Iterator<Item = BrokerId> {
    brokers.iter().copied().cycle().skip(start % brokers.len().max(1)).take(brokers.len())
}

/// Steele, Lea and Flood's SplitMix64: enough randomness to spread partitions, reproducible from a seed.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, by the upper half of a product.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from((u128::from(self.next()) * bound as u128) >> 64).unwrap_or(0)
    }

    /// Fisher and Yates.
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn brokers(ids: std::ops::Range<i32>) -> Vec<BrokerId> {
        ids.map(BrokerId).collect()
    }

    /// Row 3: 12 partitions on 3 brokers give each of them 4 leaders.
    #[test]
    fn leaders_are_even() {
        let mut leaders = BTreeMap::new();
        for replicas in place(&brokers(0..3), &[], 12, 3, 42) {
            *leaders.entry(replicas[0]).or_insert(0) += 1;
        }
        assert_eq!(leaders.into_values().collect::<Vec<_>>(), [4, 4, 4]);
    }

    #[test]
    fn small_topics_do_not_all_start_on_the_same_broker() {
        let starts: BTreeSet<_> = (0..50).map(|seed| place(&brokers(0..3), &[], 1, 1, seed)[0][0]).collect();
        assert_eq!(starts.len(), 3);
    }

    #[test]
    fn fenced_brokers_only_fill_up() {
        for replicas in place(&brokers(0..2), &brokers(2..4), 10, 3, 7) {
            assert!(replicas[0].0 < 2 && replicas[1].0 < 2 && replicas[2].0 >= 2, "{replicas:?}");
        }
    }

    proptest! {
        #[test]
        fn replicas_differ_and_leaders_are_even_within_one(
            live in 1..9_i32, partitions in 1..60_usize, factor in 1..9_usize, seed: u64,
        ) {
            let factor = factor.min(usize::try_from(live).expect("small"));
            let placed = place(&brokers(0..live), &[], partitions, factor, seed);
            let mut leaders: BTreeMap<BrokerId, usize> = brokers(0..live).into_iter().map(|id| (id, 0)).collect();
            for replicas in &placed {
                prop_assert_eq!(replicas.iter().collect::<BTreeSet<_>>().len(), factor);
                *leaders.get_mut(&replicas[0]).expect("a given broker") += 1;
            }
            let (min, max) = (leaders.values().min(), leaders.values().max());
            prop_assert!(max.unwrap() - min.unwrap() <= 1, "{:?}", leaders);
            prop_assert_eq!(placed, place(&brokers(0..live), &[], partitions, factor, seed));
        }
    }
}
