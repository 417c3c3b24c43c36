//! Values: numbers in their limits, times with their units, names.

use std::time::Duration;

use super::Checked;
use crate::load::Ratio;
use crate::workload::error::{Place, WorkloadError};
use crate::workload::keys::{Takes, find};
use crate::workload::plan::Extent;
use crate::workload::raw::{Entry, Table, Value};

/// What the number of an extent counts.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Time,
    Records,
    Passes,
}

/// The one of these keys that is given, if any.
pub(super) fn one_extent(table: &mut Table, keys: &[(&'static str, Unit)]) -> Checked<Option<Extent>> {
    let mut found: Option<(Extent, Place)> = None;
    for (key, unit) in keys {
        let Some(entry) = table.take(key) else { continue };
        if found.is_some() {
            let names = keys.iter().map(|(key, _)| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let reason = format!("only one of {names} can be given");
            return Err(WorkloadError::Contradiction { place: entry.place, reason });
        }
        let extent = match unit {
            Unit::Time => Extent::Time(duration(table, &entry)?),
            Unit::Records => Extent::Records(whole(table, &entry)?),
            Unit::Passes => Extent::Passes(whole(table, &entry)?),
        };
        found = Some((extent, entry.place));
    }
    Ok(found.map(|(extent, _)| extent))
}

pub(super) fn text_of(table: &Table, entry: &Entry) -> Checked<String> {
    match &entry.value {
        Value::Text(text) => Ok(text.clone()),
        _ => Err(refuse(table, entry, "it takes text")),
    }
}

pub(super) fn texts(table: &Table, entry: &Entry) -> Checked<Vec<String>> {
    let why = "it takes a list of names";
    match &entry.value {
        Value::Text(text) => Ok(text.split(',').map(|name| name.trim().to_owned()).collect()),
        Value::List(values) => values
            .iter()
            .map(|value| match value {
                Value::Text(text) => Ok(text.clone()),
                _ => Err(refuse(table, entry, why)),
            })
            .collect(),
        _ => Err(refuse(table, entry, why)),
    }
}

/// A whole number within the key's limits.
pub(super) fn whole(table: &Table, entry: &Entry) -> Checked<u64> {
    whole_within(table, entry, 0)
}

/// A whole number within the key's limits, and at least that.
pub(super) fn whole_within(table: &Table, entry: &Entry, least: u64) -> Checked<u64> {
    let (min, max) = match takes(table, &entry.key) {
        Takes::Whole(min, max) => (min.max(least), max),
        other => unreachable!("{}.{} takes {other}", table.name, entry.key),
    };
    let why = || format!("it takes a whole number from {min} to {max}");
    match &entry.value {
        Value::Number(digits) => digits.parse().ok().filter(|number| (min..=max).contains(number)),
        _ => None,
    }
    .ok_or_else(|| refuse(table, entry, &why()))
}

/// A whole number within the key's limits, or its default.
pub(super) fn optional(table: &mut Table, name: &'static str) -> Checked<u64> {
    let default = || find(table.name, name).and_then(|key| key.default.parse().ok());
    let default = default().unwrap_or_else(|| unreachable!("{}.{name} has a number as its default", table.name));
    table.take(name).map_or(Ok(default), |entry| whole(table, &entry))
}

/// One of the key's words.
pub(super) fn word(table: &Table, entry: &Entry) -> Checked<&'static str> {
    let Takes::Word(words) = takes(table, &entry.key) else {
        unreachable!("{}.{} takes a word", table.name, entry.key)
    };
    let text = text_of(table, entry)?;
    let known = words.iter().find(|word| **word == text);
    known.copied().ok_or_else(|| refuse(table, entry, &format!("it takes {}", Takes::Word(words))))
}

/// A decimal number within the key's limits.
pub(super) fn decimal(table: &Table, entry: &Entry, why: &str) -> Checked<f64> {
    let Takes::Decimal(min, max) = takes(table, &entry.key) else {
        unreachable!("{}.{} takes a number", table.name, entry.key)
    };
    match &entry.value {
        Value::Number(digits) => digits.parse().ok().filter(|number| (min..=max).contains(number)),
        _ => None,
    }
    .ok_or_else(|| refuse(table, entry, why))
}

/// What a key takes that the table has.
fn takes(table: &Table, name: &str) -> Takes {
    find(table.name, name).map_or_else(|| unreachable!("{}.{name} is a key", table.name), |key| key.takes)
}

pub(super) fn ratio(table: &Table, entry: &Entry) -> Checked<Ratio> {
    match &entry.value {
        Value::Number(text) | Value::Text(text) => text.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| refuse(table, entry, "it takes a number above 0, such as 2500, 0.5 or \"1/3600\""))
}

pub(super) fn duration(table: &Table, entry: &Entry) -> Checked<Duration> {
    let Value::Text(text) = &entry.value else {
        return Err(refuse(table, entry, "it takes a time with its unit, such as \"10s\" or \"500ms\""));
    };
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "ms" => Some(1e-3),
        "s" => Some(1.0),
        "m" | "min" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    let seconds = seconds.and_then(|unit| Some(number.parse::<f64>().ok()? * unit));
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| refuse(table, entry, "it takes a time with its unit: ms, s, m or h"))
}

pub(super) fn refuse(table: &Table, entry: &Entry, why: &str) -> WorkloadError {
    WorkloadError::Value {
        place: entry.place.clone(),
        key: format!("{}.{}", table.name, entry.key),
        value: entry.value.property(),
        why: why.to_owned(),
    }
}
