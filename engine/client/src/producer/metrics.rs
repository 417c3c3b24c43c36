//! What a producer has done, counted.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64,)+ }

        /// A producer's counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct ProducerMetrics { $($(#[$doc])* pub $name: u64,)+ }

        impl ProducerMetrics {
            /// Names and values.
            pub fn named(&self) -> Vec<(&'static str, u64)> { vec![$((stringify!($name), self.$name),)+] }
        }

        impl Counters {
            pub(crate) fn read(&self) -> ProducerMetrics {
                ProducerMetrics { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

metrics! {
    /// Records that a batch took.
    records_appended,
    /// Records acknowledged.
    records_acknowledged,
    /// Records failed for good.
    records_failed,
    /// Batches acknowledged.
    batches_acknowledged,
    /// Produce requests handed to a connection.
    requests,
    /// Bytes of batches in them.
    bytes_sent,
    /// Batches sent again after a retriable error.
    retries,
    /// Batches that were too large for the broker and were split.
    splits,
    /// Nanoseconds that callers of `send` waited for buffer memory.
    memory_wait_ns,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}
