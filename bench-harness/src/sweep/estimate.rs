//! What a sweep's cells run, and how long that takes at least, before anything is started.

use std::path::Path;
use std::time::Duration;

use super::document::{CellResult, Sweep};
use super::grid::Cell;
use crate::load::Bounds;
use crate::records::RecordSet;
use crate::trial::schedule;
use crate::workload::{self, Overrides, Plan, WorkloadError};

/// The workload with a cell's settings.
pub fn plan(path: &Path, settings: &[String], target: Option<&str>, cell: &Cell) -> Result<Plan, WorkloadError> {
    let (backends, others): (Vec<_>, Vec<_>) = cell.settings.iter().partition(|(key, _)| key == "backend");
    let mut all = settings.to_vec();
    all.extend(others.iter().map(|(key, value)| format!("{key}={value}")));
    let overrides = Overrides {
        settings: all,
        backends: backends.first().map(|(_, backend)| vec![backend.clone()]),
        targets: target.map(|target| vec![target.to_owned()]),
        repetitions: Some(1),
        ..Overrides::default()
    };
    workload::load(path, &overrides)
}

/// How long the loads of all runs to come take by their schedules: starts, drains and closed loops that end at a record come on top.
pub fn least(sweep: &Sweep) -> Result<Duration, WorkloadError> {
    let missing = |cell: &CellResult| sweep.repetitions.saturating_sub(cell.runs.len() as u32);
    let mut least = Duration::ZERO;
    let mut read: Option<(Plan, RecordSet)> = None;
    for cell in sweep.cells.iter().filter(|cell| missing(cell) > 0) {
        let plan = plan(Path::new(&sweep.workload), &sweep.settings, sweep.target.as_deref(), &cell.cell)?;
        // Most cells send the same records: they are read once.
        let records = match read.take() {
            Some((of, records)) if sends_the_same(&of, &plan) => records,
            _ => RecordSet::load(&plan)?,
        };
        let schedule = schedule(&plan, &records);
        let bounds = Bounds::of(&plan.run, &schedule, records.len()).ok();
        least += bounds.and_then(|bounds| bounds.length(&schedule)).unwrap_or_default() * missing(cell);
        read = Some((plan, records));
    }
    Ok(least)
}

fn sends_the_same(one: &Plan, other: &Plan) -> bool {
    one.records == other.records && one.load == other.load && one.topic.partitions == other.topic.partitions
}
