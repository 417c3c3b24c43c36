//! A sweep: a workload over a grid of settings, to say which of them matter, and by how much.
//!
//! * [`Factor`] is what `--vary` says; [`cells`] and [`order`] make the grid and the order of the runs;
//! * [`run`] runs each cell in a process and a folder of its own, and can go on where it was interrupted;
//! * [`effects`] is the analysis, as values; [`Sweep`] is the document that everything printed is drawn from.

mod condition;
mod data;
mod document;
pub mod effects;
mod estimate;
mod fit;
mod grid;
mod observed;
mod runner;
mod vary;

pub use condition::Condition;
pub use data::DataSeen;
pub use document::{CellResult, RunSummary, SWEEP_FORMAT, SWEEP_VERSION, Sweep, read, write};
pub use estimate::{least, plan};
pub use grid::{Cell, Turn, cells, order};
pub use observed::{Metric, analyse, observations};
pub use runner::{Job, Limits, Told, run};
pub use vary::{BadVary, Factor};
