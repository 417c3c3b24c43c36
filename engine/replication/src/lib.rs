//! Kafka's ISR rules as pure state machines, and the replica that applies them to a log.
//!
//! * [`leader`] and [`follower`] decide: events and time in, data out. No log, lock, thread or clock.
//! * Leadership is an input ([`LeaderAndIsr`], from the metadata); changes of the ISR are proposed to the
//!   controller and take effect when it has committed them.

mod epoch_end;
pub mod follower;
pub mod leader;
mod leader_and_isr;

pub use epoch_end::EpochEnd;
pub use leader_and_isr::{IsrMember, IsrProposal, IsrRefusal, LeaderAndIsr};
