//! Kafka's ISR rules as pure state machines, and the replica that applies them to a log.
//!
//! * [`leader`] and [`follower`] decide: events and time in, data out. No log, lock, thread or clock.
//! * [`Replica`] applies: one partition on one broker, its log and its role. It does no networking;
//!   whoever serves or sends requests hands them in, and answers come by callback.
//! * Leadership is an input ([`LeaderAndIsr`], from the metadata); changes of the ISR are proposed to the
//!   controller through [`IsrChanges`] and take effect when it has committed them.

mod error;
pub mod follower;
pub mod leader;
mod leader_and_isr;
mod purgatory;
mod replica;

pub use error::ReplicaError;
pub use leader_and_isr::{IsrMember, IsrProposal, IsrRefusal, LeaderAndIsr};
pub use logdyno_segment_log::EpochEnd;
pub use replica::{
    Acks, AlterIsr, AppendDone, Asker, FetchPosition, FetchSlice, FollowerAnswer, FollowerFetch, Isolation, IsrChanges,
    OffsetSpec, Replica, Waiting,
};
