//! Statistics as pure functions: numbers in, numbers out, nothing of records or logs. Each names its source and is held to
//! published examples.

mod hodges_lehmann;
mod mann_kendall;
mod mser;
mod normal;
mod student;
mod support;
mod theil_sen;

pub use hodges_lehmann::{Shift, hodges_lehmann};
pub use mann_kendall::{MannKendall, mann_kendall};
pub use mser::{MSER_BATCH, Truncation, batch_means, mser};
pub use normal::two_sided;
pub use student::student_beyond;
pub use support::{quantile_supported, samples_needed};
pub use theil_sen::{median, theil_sen};
