//! The hash by which Kafka's Java clients choose a partition for a key (`Utils.murmur2`): 32-bit MurmurHash2 with a seed of its own.

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;
const SHIFT: u32 = 24;

/// The hash of `key`, signed as Java has it.
#[must_use]
pub fn murmur2(key: &[u8]) -> i32 {
    let (words, tail) = key.as_chunks::<4>();
    let mut hash = SEED ^ key.len() as u32;
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> SHIFT;
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed.wrapping_mul(MULTIPLIER);
    }
    if !tail.is_empty() {
        let last = tail.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        hash = (hash ^ last).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    (hash ^ hash >> 15) as i32
}

/// The partition for `key` among `partitions`: `toPositive(murmur2(key)) % partitions`.
///
/// To make the hash positive its sign bit is cleared. Taking the absolute value instead would send every key with a negative
/// hash elsewhere than Java does.
///
/// # Panics
/// If `partitions` is 0.
#[must_use]
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & i32::MAX) % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes from Kafka's `UtilsTest.testMurmur2`, from librdkafka's `unittest_murmur2` and from Java, with the partition for
    /// 2, 3, 4, 5, 6, 10 and 12 partitions.
    const VECTORS: [(&str, i32, [i32; 7]); 12] = [
        ("21", -973_932_308, [0, 0, 0, 0, 0, 0, 0]),
        ("foobar", -790_332_482, [0, 0, 2, 1, 0, 6, 6]),
        ("a-little-bit-long-string", -985_981_536, [0, 2, 0, 2, 2, 2, 8]),
        ("a-little-bit-longer-string", -1_486_304_829, [1, 2, 3, 4, 5, 9, 11]),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971, [1, 2, 1, 2, 5, 7, 5]),
        ("abc", 479_470_107, [1, 0, 3, 2, 3, 7, 3]),
        ("kafka", 0xd067_cf64_u32 as i32, [0, 1, 0, 0, 4, 0, 4]),
        ("giberish123456789", 0x8f55_2b0c_u32 as i32, [0, 2, 0, 0, 2, 0, 8]),
        ("1234", 0x9fc9_7b14_u32 as i32, [0, 0, 0, 0, 0, 0, 0]),
        ("", 0x106e_08d9, [1, 0, 1, 1, 3, 1, 9]),
        ("key1", 28_543_940, [0, 2, 0, 0, 2, 0, 8]),
        ("some-key", 590_116_742, [0, 2, 2, 2, 2, 2, 2]),
    ];

    /// Row 35.
    #[test]
    fn keys_hash_and_go_where_java_sends_them() {
        for (key, hash, partitions) in VECTORS {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
            for (count, partition) in [2, 3, 4, 5, 6, 10, 12].into_iter().zip(partitions) {
                assert_eq!(partition_for_key(key.as_bytes(), count), partition, "{key} of {count}");
            }
        }
    }

    /// Row 35: the tails of one, two and three bytes.
    #[test]
    fn keys_of_odd_length_hash_as_in_librdkafka() {
        assert_eq!(murmur2(b"234") as u32, 0xe7c0_09ca);
        assert_eq!(murmur2(b"34") as u32, 0x8739_30da);
        assert_eq!(murmur2(b"4") as u32, 0x5a4b_5ca1);
    }

    /// A negative hash: clearing the sign bit and taking the absolute value disagree, and Java clears the bit.
    #[test]
    fn the_sign_is_cleared_and_not_turned() {
        assert_eq!(murmur2(b"a-little-bit-longer-string").abs() % 3, 0);
        assert_eq!(partition_for_key(b"a-little-bit-longer-string", 3), 2);
    }
}
