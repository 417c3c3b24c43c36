//! What a run is measured by: stamps and receipts come in from all threads ([`Recorder`]), are joined by partition and
//! offset (`join`), and become a critical path per record (`path`) whose steps fill [`Distribution`]s.

mod bands;
mod buckets;
mod consecutive;
mod digest;
mod distribution;
mod join;
mod marks;
mod over_time;
mod panel;
mod path;
mod recorder;
mod series;
mod slowest;
mod verify;

pub use bands::{Band, Bands};
pub(crate) use consecutive::Consecutive;
pub use digest::digest;
pub use distribution::Distribution;
pub use join::{Join, JoinSettings, Joined, JoinedPart, PathJoined};
pub use over_time::{Interval, OverTime, Timeline};
pub use panel::{BatchPanel, BatchWork};
pub use path::{BatchMoments, Course, OwnTimes, Step, StepTimes};
pub(crate) use recorder::Inbox;
pub use recorder::Recorder;
pub use series::Series;
pub use slowest::{Slow, Slowest};
pub use verify::Violations;
