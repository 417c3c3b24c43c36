//! A result in formats that other tools read: a file for each. What does not count of a run is in none of them but the Markdown tables, which are the
//! report's and have the verdicts below.

mod bencher;
mod github;
mod go;
mod hlog;
mod junit;
mod markdown;
mod name;
mod numbers;
mod omb;
mod percentiles;
mod perf_test;

use crate::result::RunResult;

/// A format that another tool reads.
pub trait Reporter {
    /// What it is called on the command line.
    fn name(&self) -> &'static str;

    /// All results as one document, which ends in a line feed.
    fn render(&self, results: &[RunResult]) -> String;
}

/// All formats.
#[must_use]
pub fn reporters() -> Vec<Box<dyn Reporter>> {
    vec![
        Box::new(go::Go),
        Box::new(bencher::Bencher),
        Box::new(github::Github { better: numbers::Better::Higher }),
        Box::new(github::Github { better: numbers::Better::Lower }),
        Box::new(junit::JUnit),
        Box::new(markdown::Markdown),
        Box::new(perf_test::PerfTest),
        Box::new(percentiles::Percentiles),
        Box::new(hlog::Hlog),
        Box::new(omb::Omb),
    ]
}
