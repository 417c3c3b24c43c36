//! Tables and their cells; what may be printed at all is decided here.

use comfy_table::{CellAlignment, Table, presets};

use super::format::duration;
use crate::measure::Distribution;
use crate::result::{Measured, Quantile};

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
pub(super) fn quantile_cell(measured: &Measured, distribution: &Distribution, quantile: Quantile) -> String {
    measured.quantile_ns(distribution, quantile).map_or_else(|_| NOTHING.to_owned(), |ns| duration(ns as f64))
}

pub(super) fn duration_cell(measured: &Measured, ns: f64) -> String {
    if measured.is_backlogged() { NOTHING.to_owned() } else { duration(ns) }
}
