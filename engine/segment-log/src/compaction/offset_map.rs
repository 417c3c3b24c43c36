//! From keys to their last offsets, in a fixed number of bytes (Kafka's SkimpyOffsetMap).

use std::hash::{BuildHasher, Hasher, RandomState};

use logdyno_record::Offset;

/// Bytes of an entry.
pub(crate) const SLOT_BYTES: usize = size_of::<Slot>();

/// Of a hundred slots, this many are used at most: beyond, probing gets long. Kafka's `log.cleaner.io.buffer.load.factor`.
const LOAD_PERCENT: usize = 90;

/// Keys are kept as 128 bits of a keyed hash (SipHash under two random keys): nobody can choose two that collide, and
/// for a billion keys the chance that any two do is below 2^-68.
#[derive(Clone, Copy)]
struct Slot {
    hash: [u64; 2],
    /// -1 is an empty slot.
    offset: i64,
}

const EMPTY: Slot = Slot { hash: [0; 2], offset: -1 };

/// The last offsets of the keys seen so far.
pub(crate) struct OffsetMap {
    slots: Vec<Slot>,
    used: usize,
    hashers: [RandomState; 2],
}

impl OffsetMap {
    /// A map for up to `keys` keys, or for as many as fit into `bytes_max`.
    pub(crate) fn new(bytes_max: usize, keys: u64) -> OffsetMap {
        let wanted = usize::try_from(keys).unwrap_or(usize::MAX).saturating_mul(100).div_ceil(LOAD_PERCENT);
        // At least two slots, one of them used: else no round would get anywhere.
        let slots = wanted.saturating_add(1).min(bytes_max / SLOT_BYTES).max(2);
        OffsetMap { slots: vec![EMPTY; slots], used: 0, hashers: [RandomState::new(), RandomState::new()] }
    }

    /// Notes that `key` is at `offset`, which is behind all others. `false` if the map is full: it is not noted then.
    pub(crate) fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        let hash = self.hash(key);
        let at = self.slot(hash);
        if self.slots[at].offset < 0 {
            if self.used >= (self.slots.len() * LOAD_PERCENT / 100).max(1) {
                return false;
            }
            self.used += 1;
        }
        self.slots[at] = Slot { hash, offset: offset.0 };
        true
    }

    /// The last offset of `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Offset> {
        let slot = &self.slots[self.slot(self.hash(key))];
        (slot.offset >= 0).then_some(Offset(slot.offset))
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        self.hashers.each_ref().map(|state| {
            let mut hasher = state.build_hasher();
            hasher.write(key);
            hasher.finish()
        })
    }

    /// Where the hash is, or would be. There is always an empty slot.
    fn slot(&self, hash: [u64; 2]) -> usize {
        let mut at = (hash[0] % self.slots.len() as u64) as usize;
        while self.slots[at].offset >= 0 && self.slots[at].hash != hash {
            at = (at + 1) % self.slots.len();
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_offset_of_each_key_is_found() {
        let mut map = OffsetMap::new(1 << 20, 1_000);
        for offset in 0..3_000_i64 {
            assert!(map.put(&(offset % 1_000).to_be_bytes(), Offset(offset)));
        }
        for key in 0..1_000_i64 {
            assert_eq!(map.get(&key.to_be_bytes()), Some(Offset(2_000 + key)));
        }
        assert_eq!(map.get(b"never seen"), None);
        assert_eq!(map.get(b""), None, "the empty key is a key");
        assert!(map.put(b"", Offset(3_000)));
        assert_eq!(map.get(b""), Some(Offset(3_000)));
    }

    /// A full map refuses new keys only, and never takes more memory than it was given.
    #[test]
    fn memory_is_bounded() {
        let mut map = OffsetMap::new(100 * SLOT_BYTES, u64::MAX);
        let taken = (0..1_000_i64).take_while(|key| map.put(&key.to_be_bytes(), Offset(*key))).count();
        assert_eq!((taken, map.slots.len()), (90, 100));
        assert!(map.put(&5_i64.to_be_bytes(), Offset(2_000)), "a known key");
        assert_eq!(map.get(&5_i64.to_be_bytes()), Some(Offset(2_000)));
        let mut least = OffsetMap::new(0, 5);
        assert!(least.put(b"a", Offset(0)) && !least.put(b"b", Offset(1)), "one key at a time is still progress");
        assert!(OffsetMap::new(1 << 30, 10).slots.len() < 20, "no more than is needed");
    }
}
