//! Who chooses a record's partition.
//!
//! - [`Partitioner`]: the trait, for partitioners of an application's own.
//! - [`RoundRobinPartitioner`]: by turns, keys ignored.
//! - [`KeyHashPartitioner`]: murmur2 of the key, as the built-in partitioner does for records with a key.
//! - `sticky`: the built-in partitioner for records without a key (KIP-480, KIP-794).

mod key_hash;
mod round_robin;
pub(crate) mod sticky;

pub use key_hash::KeyHashPartitioner;
pub use round_robin::RoundRobinPartitioner;

/// What a partitioner may know of a topic.
#[derive(Clone, Copy, Debug)]
pub struct TopicView<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// How many partitions it has; at least 1.
    pub partitions: i32,
    /// Partitions that have a leader, ascending.
    pub available: &'a [i32],
}

/// Chooses partitions; Kafka's `Partitioner`.
pub trait Partitioner: Send + Sync + 'static {
    /// The partition of a record without an explicit one: 0 ≤ answer < `view.partitions`.
    ///
    /// Any other answer fails the record before it is buffered.
    fn partition(&self, view: TopicView<'_>, key: Option<&[u8]>, value: Option<&[u8]>) -> i32;
}
