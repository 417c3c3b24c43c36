//! Tables and their cells; what may be printed at all is decided here.

use comfy_table::{CellAlignment, Table, presets};

use super::format::duration;
use crate::measure::Distribution;
use crate::result::Measured;

/// Quantiles that are printed, and how many independent samples each needs: the records of a batch share their fate, so
/// batches are counted. The counts are where a 95 % interval of the quantile first has both ends inside the sample.
pub(super) const QUANTILES: [(&str, f64, u64); 4] =
    [("p50", 0.5, 1), ("p99", 0.99, 368), ("p99.9", 0.999, 3_688), ("p99.99", 0.9999, 36_887)];

/// What stands where a number would say nothing.
pub(super) const NOTHING: &str = "–";

pub(super) fn section(text: &mut String, title: &str, table: &Table) {
    text.push_str(&format!("\n{title}\n"));
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// A table whose first column is left, the others right.
pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    align(&mut table);
    table
}

pub(super) fn align(table: &mut Table) {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_cell_alignment(if index == 0 { CellAlignment::Left } else { CellAlignment::Right });
    }
}

/// A quantile, if enough independent samples support it and the run was not a growing backlog.
pub(super) fn quantile_cell(
    measured: &Measured,
    distribution: &Distribution,
    (_, quantile, samples): (&str, f64, u64),
) -> String {
    if measured.batches.batches < samples || distribution.count() == 0 {
        return NOTHING.to_owned();
    }
    duration_cell(measured, distribution.quantile_ns(quantile) as f64)
}

pub(super) fn duration_cell(measured: &Measured, ns: f64) -> String {
    if measured.is_backlogged() { NOTHING.to_owned() } else { duration(ns) }
}
