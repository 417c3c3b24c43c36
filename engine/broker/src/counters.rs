//! What a broker has done.

use logdyno_storage::counters::{Counter, Counts};

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident),+ $(,)?) => {
        /// Counters that the broker's tasks add to.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $($(#[doc = $doc])* pub(crate) $name: Counter,)+ }

        /// What a broker has done since it started.
        ///
        /// Bytes copied in user space between socket and log have bounds. On the way in: one copy by the storage backend
        /// (`storage.bytes_copied_in`), and at most 64 KiB per request whose beginning was read together with the one before it
        /// (`bytes_moved_in`). On the way out: none here, batches go to the socket from where the backend lends them
        /// (`storage.bytes_copied_out` is 0 or 1 times the bytes, by backend).
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct BrokerCounts {
            $($(#[doc = $doc])* pub $name: u64,)+
            /// What the storage backend has done.
            pub storage: Counts,
        }

        impl Counters {
            pub(crate) fn counts(&self, storage: Counts) -> BrokerCounts {
                BrokerCounts { $($name: self.$name.get(),)+ storage }
            }
        }

        impl BrokerCounts {
            /// What was added since `earlier`.
            #[must_use]
            pub fn since(&self, earlier: &BrokerCounts) -> BrokerCounts {
                BrokerCounts { $($name: self.$name - earlier.$name,)+ storage: self.storage.since(&earlier.storage) }
            }

            /// Names and values of the broker's own counters; the storage's have names of their own.
            pub fn named(&self) -> Vec<(&'static str, u64)> { vec![$((stringify!($name), self.$name),)+] }

            /// Names, what they mean, and values of the broker's own counters.
            pub fn described(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), concat!($($doc),*), self.$name),)+]
            }
        }
    };
}

counters! {
    /// Connections taken.
    connections,
    /// Connections closed at once because there were `max.connections`, or `max.connections.per.ip`.
    connections_refused,
    /// Connections closed for what the peer sent, or did not send.
    connections_failed,
    /// Requests read.
    requests,
    /// Bytes of requests, without their lengths.
    request_bytes,
    /// Bytes of answers, lengths included.
    answer_bytes,
    /// Bytes moved in user space because a request's beginning was not where its rest could follow.
    bytes_moved_in,
    /// Bytes of batches that producers sent and the log took.
    produced_bytes,
    /// Bytes of batches lent to answers to consumers.
    fetched_bytes,
    /// Bytes of batches lent to answers to followers.
    replicated_bytes,
    /// Bytes of batches fetched from leaders and appended here.
    followed_bytes,
    /// Fetches that had to wait for the device.
    fetches_cold,
    /// Times that a waiting fetch looked again.
    fetch_wakeups,
    /// Fetch sessions given out.
    fetch_sessions,
    /// Fetch sessions that had to give way to others.
    fetch_sessions_evicted,
}
