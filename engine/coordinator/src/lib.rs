//! Consumer groups of Kafka's classic protocol, without I/O.
//!
//! * [`Group`] is one group's membership: requests and the time go in, [`Effect`]s come out.
//! * [`Offsets`] is what a group has committed.
//! * [`records`] are the facts that both are made of, as they stand in `__consumer_offsets`.
//!
//! Nothing here waits, sends or looks at a clock. The broker keeps one group apart from the others, appends the records,
//! and tells the group when they are safe.

pub mod error;
mod group;
mod offsets;
pub mod records;

pub use error::GroupError;
pub use group::{
    Description, Effect, Group, GroupLimits, JoinAnswer, Joining, Leaving, MemberDescription, State, SyncAnswer,
    Syncing, Ticket,
};
pub use offsets::{Committed, Offsets};

/// The internal topic that groups are kept in.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The partition of `__consumer_offsets` that a group lives in: Java's `String.hashCode` over UTF-16, made positive as
/// Kafka's `Utils.abs` does, modulo the number of partitions. That partition's leader coordinates the group.
pub fn partition_of(group: &str, partitions: i32) -> i32 {
    let hash = group.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    (hash & i32::MAX) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::partition_of;

    /// Computed by Java: `(s.hashCode() & 0x7fffffff) % 50`.
    #[test]
    fn groups_live_where_kafka_looks_for_them() {
        for (group, partition) in [("", 0), ("a", 47), ("my-group", 36), ("console-consumer-12345", 6), ("größe", 7)]
        {
            assert_eq!(partition_of(group, 50), partition, "{group}");
        }
    }
}
