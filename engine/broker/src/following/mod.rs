//! The follower's side of replication: one fetcher per leading broker, and the line to the controller for ISR changes.

mod fetcher;
mod fetchers;
mod isr_line;

pub(crate) use fetchers::Fetchers;
pub(crate) use isr_line::{IsrLine, propose_changes};
