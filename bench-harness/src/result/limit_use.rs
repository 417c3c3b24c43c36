//! A trial's part of what the machine can do, as it is saved.

use serde::{Deserialize, Serialize};

use super::{Environment, Measured, Workload};
use crate::limits::{Limits, Share, objections, shares};

/// How much of each physical limit a trial used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitUse {
    /// When the limits were measured, in UTC.
    pub measured: String,
    /// What speaks against their being those of this run; empty is good.
    pub objections: Vec<String>,
    /// The limit of which most was used: the one that binds, if any does.
    pub binding: Option<String>,
    /// The parts, the largest first.
    pub shares: Vec<Share>,
}

impl LimitUse {
    /// Of a trial that ran in `here`.
    #[must_use]
    pub(crate) fn of(
        limits: &Limits,
        here: &Environment,
        workload: &Workload,
        backend: Option<&str>,
        measured: &Measured,
    ) -> LimitUse {
        let shares = shares(limits, workload, backend, measured);
        LimitUse {
            measured: limits.environment.began.clone(),
            objections: objections(limits, here),
            binding: shares.first().map(|share| share.limit.clone()),
            shares,
        }
    }
}
