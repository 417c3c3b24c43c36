//! `[load]`: when records are sent.

use std::time::Duration;

use super::Checked;
use super::values::{duration, ratio, refuse, whole, word};
use crate::load::{LoadStep, Ramp, Ratio};
use crate::workload::error::WorkloadError;
use crate::workload::keys;
use crate::workload::plan::Load;
use crate::workload::raw::{Entry, Table, Value};
use crate::workload::suggestion::nearest;

/// More steps than these are no steps but a curve, and each has a report of its own.
const STEPS_MAX: usize = 100;

pub(super) fn load(mut table: Table, has_times: bool) -> Checked<Load> {
    let [rate, arrivals, steps, scale, in_flight] =
        ["rate", "arrivals", "steps", "time.scale", "in.flight"].map(|key| table.take(key));
    let ramp = ["ramp.from", "ramp.to", "ramp.over"].map(|key| table.take(key));
    if let (None, Some(arrivals)) = (&rate, &arrivals) {
        return Err(refuse(&table, arrivals, "it says how the records of a `rate` arrive, and none is given"));
    }
    let part_of_ramp = ramp.iter().flatten().next();
    match (&rate, &steps, part_of_ramp, &scale, &in_flight) {
        (Some(rate), None, None, None, None) => {
            let is_poisson = arrivals.as_ref().map_or(Ok(false), |entry| is_poisson(&table, entry))?;
            let rate = ratio(&table, rate)?;
            Ok(if is_poisson { Load::Poisson(rate) } else { Load::Rate(rate) })
        }
        (None, Some(list), None, None, None) => steps_of(&table, list).map(Load::Steps),
        (None, None, Some(any), None, None) => ramp_of(&table, any, &ramp).map(Load::Ramp),
        (None, None, None, Some(scale), None) if has_times => Ok(Load::Times(ratio(&table, scale)?)),
        (None, None, None, Some(scale), None) => {
            Err(refuse(&table, scale, "the records have no time of their own: say records.time.field"))
        }
        (None, None, None, None, Some(in_flight)) => Ok(Load::Closed { in_flight: whole(&table, in_flight)? }),
        _ => {
            let reason = "[load] needs exactly one of `rate` (records a second, open loop), `steps` (one rate after another, open loop), `ramp` (to a rate, open loop), `time.scale` (the records' own times × this, open loop) and `in.flight` (closed loop)";
            let given = [in_flight, scale, part_of_ramp.cloned(), steps, rate];
            let place = given.into_iter().flatten().next().map_or(table.file, |entry| entry.place);
            Err(WorkloadError::Contradiction { place, reason: reason.to_owned() })
        }
    }
}

fn is_poisson(table: &Table, arrivals: &Entry) -> Checked<bool> {
    Ok(word(table, arrivals)? == "poisson")
}

fn steps_of(table: &Table, list: &Entry) -> Checked<Vec<LoadStep>> {
    let why = "it takes a list of up to 100 steps, such as [{ rate = 1000, duration = \"10s\" }, { rate = 5000, duration = \"10s\" }]";
    match &list.value {
        Value::List(steps) if (1..=STEPS_MAX).contains(&steps.len()) => steps
            .iter()
            .map(|step| match step {
                Value::Table(entries) => step_of(list, entries),
                _ => Err(refuse(table, list, why)),
            })
            .collect(),
        _ => Err(refuse(table, list, why)),
    }
}

fn step_of(list: &Entry, entries: &[Entry]) -> Checked<LoadStep> {
    if let Some(entry) = entries.iter().find(|entry| keys::STEP.iter().all(|key| key.name != entry.key)) {
        return Err(WorkloadError::Unknown {
            place: entry.place.clone(),
            what: "key",
            key: format!("load.steps.{}", entry.key),
            suggestion: nearest(&entry.key, keys::STEP.iter().map(|key| key.name)),
        });
    }
    let step = Table::of("load.steps", list.place.clone(), entries.to_vec());
    let place = entries.first().map_or(&list.place, |entry| &entry.place);
    let of = |key: &str| {
        let missing = || WorkloadError::Contradiction {
            place: place.clone(),
            reason: "a step needs a `rate` (records a second) and a `duration`".to_owned(),
        };
        entries.iter().find(|entry| entry.key == key).ok_or_else(missing)
    };
    let (rate, length) = (of("rate")?, of("duration")?);
    Ok(LoadStep { rate: ratio(&step, rate)?, duration: not_none(&step, length)? })
}

fn ramp_of(table: &Table, any: &Entry, [from, to, over]: &[Option<Entry>; 3]) -> Checked<Ramp> {
    let (Some(from), Some(to), Some(over)) = (from, to, over) else {
        let reason = "a ramp needs `ramp.from` and `ramp.to` (records a second) and `ramp.over` (a time)".to_owned();
        return Err(WorkloadError::Contradiction { place: any.place.clone(), reason });
    };
    let rates: [Ratio; 2] = [ratio(table, from)?, ratio(table, to)?];
    let length = not_none(table, over)?;
    Ramp::new(rates[0], rates[1], length).ok_or_else(|| {
        refuse(table, over, "with these rates it has too many digits to be exact: round them, or make it shorter")
    })
}

fn not_none(table: &Table, entry: &Entry) -> Checked<Duration> {
    match duration(table, entry)? {
        Duration::ZERO => Err(refuse(table, entry, "it takes a time above 0")),
        time => Ok(time),
    }
}
