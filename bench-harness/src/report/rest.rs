//! Whether throughput and latency had come to rest.

use comfy_table::{CellAlignment, Table};

use super::cells::{NOTHING, table};
use super::format::{duration, whole};
use crate::result::{Measured, SteadyState};
use crate::trial::CHANCE_MAX;

/// `None` if no trial tells it: results of before it was saved.
pub(super) fn rest(trials: &[(String, &Measured)]) -> Option<Table> {
    let mut table = table(["", "of", "steady state", "from", "drift a minute", "by chance", "points", ""]);
    for (label, measured) in trials {
        for (index, state) in measured.steady.iter().enumerate() {
            let mut row = vec![if index == 0 { label.clone() } else { String::new() }];
            row.extend(cells(state));
            table.add_row(row);
        }
    }
    if let Some(reasons) = table.column_mut(7) {
        reasons.set_cell_alignment(CellAlignment::Left);
    }
    (table.row_count() > 0).then_some(table)
}

fn cells(state: &SteadyState) -> [String; 7] {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    [
        state.metric.name().to_owned(),
        state.rest.name().to_owned(),
        or_nothing(state.from_ns.map(|ns| duration(ns as f64))),
        or_nothing(state.drift_per_minute.map(|share| drift(share, state.p_value))),
        or_nothing(state.p_value.map(|p| format!("{p:.3}"))),
        whole(state.points),
        state.reason.clone().unwrap_or_default(),
    ]
}

/// A slope that may well be chance is none: `~`, as benchstat has it.
fn drift(share: f64, p_value: Option<f64>) -> String {
    if p_value.is_some_and(|p| p < CHANCE_MAX) { format!("{:+.1} %", share * 100.0) } else { "~".to_owned() }
}
