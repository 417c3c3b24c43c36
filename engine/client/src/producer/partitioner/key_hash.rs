//! Equal keys meet in one partition.

use logdyno_record::partition_for_key;

use super::{Partitioner, RoundRobinPartitioner, TopicView};

/// Records with a key go to `toPositive(murmur2(key)) mod partitions`; those without go by turns.
///
/// This is Kafka's default before 2.4, kept for comparison with the built-in partitioner, which hashes keys
/// alike and sticks to a partition for records without one.
#[derive(Debug, Default)]
pub struct KeyHashPartitioner {
    keyless: RoundRobinPartitioner,
}

impl Partitioner for KeyHashPartitioner {
    fn partition(&self, view: TopicView<'_>, key: Option<&[u8]>, value: Option<&[u8]>) -> i32 {
        match key {
            Some(key) => partition_for_key(key, view.partitions),
            None => self.keyless.partition(view, key, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(key: &[u8], partitions: i32) -> i32 {
        let view = TopicView { topic: "t", partitions, available: &[] };
        KeyHashPartitioner::default().partition(view, Some(key), None)
    }

    /// Row 35: partitions of Java's hash, negative hashes among them.
    #[test]
    fn keys_land_where_java_puts_them() {
        assert_eq!(partition(b"foobar", 10), 6);
        assert_eq!(partition(b"abc", 12), 3);
        assert_eq!(partition(b"kafka", 6), 4);
        assert_eq!(partition(b"a-little-bit-longer-string", 12), 11);
        assert_eq!(partition(b"", 12), 9);
    }

    /// Row 37: 100,000 keys over 10 partitions; chi-square with 9 degrees of freedom, p > 0.001.
    #[test]
    fn many_keys_spread_evenly() {
        let mut counts = [0_f64; 10];
        for number in 0..100_000_u64 {
            let key = number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
            counts[partition(&key, 10) as usize] += 1.0;
        }
        let chi_square: f64 = counts.iter().map(|count| (count - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi_square < 27.88, "{chi_square}");
    }
}
