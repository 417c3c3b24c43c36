//! The systems that a plan names, found and checked.

use logdyno_engine::storage::Kind;

use super::Jobs;
use crate::target::{self, KAFKA_SCHEME, Target};
use crate::workload::{Load, Place, Plan, WorkloadError, nearest};

/// A system under test.
pub(super) struct System<'a> {
    target: Chosen<'a>,
    /// In order; one `None` for a target without storage.
    backends: Vec<Option<Kind>>,
}

/// A target of those that there are, or one that was made for its address.
enum Chosen<'a> {
    Known(&'a dyn Target),
    Made(Box<dyn Target>),
}

impl<'a> System<'a> {
    /// A system of the plan, checked.
    pub(super) fn find(plan: &Plan, name: &str, jobs: &Jobs<'a>) -> Result<System<'a>, WorkloadError> {
        let chosen = find_target(plan, name, jobs.targets)?;
        let target = chosen.target();
        let backends = if target.has_storage() { find_backends(plan, jobs.kinds)? } else { vec![None] };
        target.check(plan).map_err(|objection| WorkloadError::Setting {
            place: plan.place_of(&objection.setting),
            reason: objection.reason,
        })?;
        Ok(System { target: chosen, backends })
    }

    /// On each of its backends, once.
    pub(super) fn turns(&self) -> impl Iterator<Item = (&dyn Target, Option<Kind>)> {
        self.backends.iter().map(|backend| (self.target.target(), *backend))
    }
}

impl Chosen<'_> {
    fn target(&self) -> &dyn Target {
        match self {
            Chosen::Known(target) => *target,
            Chosen::Made(target) => &**target,
        }
    }
}

/// What machines can share: one open loop on one system that all of them reach.
pub(super) fn check_shard(plan: &Plan) -> Result<(), WorkloadError> {
    let run = &plan.run;
    if run.shard.of() == 1 {
        return Ok(());
    }
    let reason = match run.targets.as_slice() {
        [_, _, ..] => "a shard has one target: the others' machines would be at another one meanwhile".to_owned(),
        [target] if target != "null" && !target.starts_with(KAFKA_SCHEME) => format!(
            "{target} is a system of this process, which other machines do not reach: share a load on kafka://HOST:PORT, or on null"
        ),
        _ if run.repetitions > 1 => {
            "a shard runs once, so that all are measured at the same time: merge each repetition for itself".to_owned()
        }
        _ if matches!(plan.load, Load::Closed { .. }) => {
            "a closed loop cannot be shared, since no machine knows what is in flight on the others: say load.rate"
                .to_owned()
        }
        _ => return Ok(()),
    };
    Err(WorkloadError::Contradiction { place: Place::Option(format!("--shard {}", run.shard)), reason })
}

fn find_target<'a>(plan: &Plan, name: &str, targets: &'a [Box<dyn Target>]) -> Result<Chosen<'a>, WorkloadError> {
    if name.starts_with(KAFKA_SCHEME) {
        let refused = |reason| WorkloadError::Setting { place: plan.place_of("run.target"), reason };
        return target::kafka(name).map(Chosen::Made).map_err(refused);
    }
    let found = targets.iter().find(|target| target.name() == name);
    found.map(|target| Chosen::Known(&**target)).ok_or_else(|| WorkloadError::Unknown {
        place: plan.place_of("run.target"),
        what: "target",
        key: name.to_owned(),
        suggestion: nearest(name, targets.iter().map(|target| target.name())),
    })
}

fn find_backends(plan: &Plan, kinds: &[Kind]) -> Result<Vec<Option<Kind>>, WorkloadError> {
    if plan.run.backends.is_empty() {
        return Ok(kinds.iter().copied().map(Some).collect());
    }
    let find = |name: &String| {
        kinds.iter().find(|kind| kind.name == name).copied().map(Some).ok_or_else(|| WorkloadError::Unknown {
            place: plan.place_of("run.backends"),
            what: "backend",
            key: name.clone(),
            suggestion: nearest(name, kinds.iter().map(|kind| kind.name)),
        })
    };
    plan.run.backends.iter().map(find).collect()
}
