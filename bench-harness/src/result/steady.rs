//! Whether a run had come to rest, as it is saved.

use serde::{Deserialize, Serialize};

/// One metric of the measured part, looked at for rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SteadyState {
    /// Which metric.
    pub metric: SteadyMetric,
    /// What was found.
    pub rest: Rest,
    /// Why it was not judged, if it was not.
    pub reason: Option<String>,
    /// How many points were looked at, each the mean of five intervals of `over_time`.
    pub points: u64,
    /// From where on MSER-5 finds it at rest, since the begin of the measured part.
    pub from_ns: Option<u64>,
    /// The Theil–Sen slope from there on, as a share of the median a minute; over all where it never came to rest.
    pub drift_per_minute: Option<f64>,
    /// Mann and Kendall's chance of such a trend without one.
    pub p_value: Option<f64>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SteadyMetric {
    /// Records acknowledged a second.
    Throughput,
    /// The 99th percentile to the acknowledgement.
    AckP99,
}

/// Whether a metric has come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rest {
    /// It has, and stayed there.
    Reached,
    /// It goes on rising or falling.
    Drifting,
    /// It still changed in the second half as it had in the first.
    Never,
    /// It cannot be told.
    NotJudged,
}

impl SteadyMetric {
    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SteadyMetric::Throughput => "throughput",
            SteadyMetric::AckP99 => "p99 to ack",
        }
    }
}

impl Rest {
    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Rest::Reached => "reached",
            Rest::Drifting => "drifting",
            Rest::Never => "never",
            Rest::NotJudged => "not judged",
        }
    }
}
