//! Quantiles of a run, where there are any: what too few independent samples support is absent, with the reason.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Measured;
use crate::measure::Distribution;
use crate::statistics::samples_needed;

/// A quantile that is reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// As it is printed.
    pub name: &'static str,
    /// From 0 to 1.
    pub share: f64,
}

/// The quantiles that are reported.
pub const QUANTILES: [Quantile; 4] = [
    Quantile { name: "p50", share: 0.5 },
    Quantile { name: "p99", share: 0.99 },
    Quantile { name: "p99.9", share: 0.999 },
    Quantile { name: "p99.99", share: 0.9999 },
];

/// A quantile as it is saved: a number, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuantileResult {
    /// Such as `p99.9`.
    pub quantile: String,
    /// Its value.
    pub ns: Option<u64>,
    /// Why there is none.
    pub absent: Option<String>,
}

/// Why there is no quantile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Nothing was measured.
    NoRecords,
    /// The run was a growing backlog: its latencies measure its length.
    Backlogged,
    /// Too few batches.
    TooFewSamples {
        /// How many there are.
        has: u64,
        /// How many it takes.
        needs: u64,
    },
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Absent::NoRecords => f.write_str("no record was measured"),
            Absent::Backlogged => f.write_str("the backlog grew, so it would measure the length of the run"),
            Absent::TooFewSamples { has, needs } => {
                write!(f, "{has} independent samples (batches), and it takes {needs}")
            }
        }
    }
}

impl Measured {
    /// How many samples are independent of each other: the records of a batch share their fate, so batches are counted.
    #[must_use]
    pub fn independent_samples(&self) -> u64 {
        self.batches.batches
    }

    /// A quantile of one of the run's distributions, if it supports it. There is no other way to a quantile that is reported.
    pub fn quantile_ns(&self, distribution: &Distribution, quantile: Quantile) -> Result<u64, Absent> {
        let (has, needs) = (self.independent_samples(), samples_needed(quantile.share));
        match () {
            () if distribution.count() == 0 => Err(Absent::NoRecords),
            () if self.is_backlogged() => Err(Absent::Backlogged),
            () if has < needs => Err(Absent::TooFewSamples { has, needs }),
            () => Ok(distribution.quantile_ns(quantile.share)),
        }
    }

    /// Fills in the quantiles of both paths, once everything else is known.
    pub(crate) fn fill_in_quantiles(&mut self) {
        let of = |distribution: &Distribution| {
            let told = |quantile: Quantile| self.quantile_ns(distribution, quantile);
            QUANTILES.map(|quantile| QuantileResult {
                quantile: quantile.name.to_owned(),
                ns: told(quantile).ok(),
                absent: told(quantile).err().map(|absent| absent.to_string()),
            })
        };
        let (to_acknowledgement, to_delivery) = (of(&self.to_acknowledgement.total), of(&self.to_delivery.total));
        self.to_acknowledgement.quantiles = to_acknowledgement.to_vec();
        self.to_delivery.quantiles = to_delivery.to_vec();
    }
}
