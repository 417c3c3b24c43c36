//! When records are sent: the schedule (pure), and the generator that keeps to it.

mod ratio;
mod schedule;

pub use ratio::Ratio;
pub use schedule::Schedule;
