//! Where randomness comes from: given from outside, so that tests can choose it.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

/// Gives any number from 0 to 2³¹ − 1.
pub(crate) type Random = Arc<dyn Fn() -> u32 + Send + Sync>;

/// A source of randomness per thread (xorshift), seeded by the system.
pub(crate) fn system_random() -> Random {
    thread_local!(static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish() | 1));
    Arc::new(|| {
        STATE.with(|state| {
            let mut x = state.get();
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            state.set(x);
            (x >> 33) as u32
        })
    })
}
