//! What a backend has done: the base for proofs of effect and for figures per record.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Counters that a backend's threads add to.
        #[derive(Debug, Default)]
        pub struct Counters { $($(#[$doc])* pub $name: Counter,)+ }

        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)+ }

        impl Counters {
            /// All counters now.
            pub fn counts(&self) -> Counts { Counts { $($name: self.$name.get(),)+ } }
        }

        impl Counts {
            /// What was added since `earlier`.
            #[must_use]
            pub fn since(&self, earlier: &Counts) -> Counts { Counts { $($name: self.$name - earlier.$name,)+ } }

            /// Both added up.
            #[must_use]
            pub fn plus(&self, other: &Counts) -> Counts { Counts { $($name: self.$name + other.$name,)+ } }

            /// Names and values, in the order of this file.
            pub fn named(&self) -> Vec<(&'static str, u64)> { vec![$((stringify!($name), self.$name),)+] }
        }
    };
}

counters! {
    /// Calls of `append` that took bytes.
    appends,
    /// Bytes that `append` took.
    bytes_appended,
    /// Bytes copied in user space on the way in: into a combining buffer, a map or a chunk.
    bytes_copied_in,
    /// Bytes copied in user space on the way out: 0 where slices of a map or chunk are lent.
    bytes_copied_out,
    /// Write system calls on segment files.
    write_calls,
    /// Bytes they wrote.
    bytes_written,
    /// Writes submitted to a ring.
    ring_writes,
    /// Bytes that ring writes wrote, padding included.
    ring_bytes_written,
    /// Reads submitted to a ring.
    ring_reads,
    /// Read system calls.
    read_calls,
    /// Bytes read by system calls or ring.
    bytes_read,
    /// `fdatasync`, by call or ring.
    syncs,
    /// Starts of writeback behind the tail (`sync_file_range`).
    write_backs,
    /// `fallocate` calls.
    allocations,
    /// Files that began with the blocks of a removed one.
    recycled,
    /// Zeros written ahead of a log that syncs often.
    bytes_zeroed,
    /// Ranges of a map made ready for stores (`MADV_POPULATE_WRITE`).
    populations,
    /// Reads served without waiting for the device.
    reads_cached,
    /// Reads that had to go to the device, or to a thread that may wait for it.
    reads_cold,
    /// Appends refused as full.
    full,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn one(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The sum so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
