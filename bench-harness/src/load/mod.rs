//! When records are sent: the schedule (pure), where a run begins and ends on it (pure), and the generator that keeps to it.

mod bounds;
mod generator;
mod ratio;
mod schedule;
mod shard;
mod stretches;

pub use bounds::{Bounds, Limit};
pub use generator::{Generated, Generator, Window};
pub(crate) use generator::{part_of, sharpen_timer};
pub use ratio::Ratio;
pub use schedule::Schedule;
pub use shard::Shard;
pub use stretches::{Before, LoadStep, Ramp, Stretches};
