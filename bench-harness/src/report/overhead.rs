//! What the harness's own work costs, as text.

use super::cells::{section, table};
use super::format::{duration, number, whole};
use crate::overhead::{Change, Overhead, Pair, Sample};
use crate::statistics::median;

/// A comparison's result; `name` says of what.
#[must_use]
pub fn render_overhead(name: &str, found: &Overhead) -> String {
    let mut text = format!(
        "{name}: {} pairs of runs of {} records, with stamps and checks and without, in random order\n",
        found.pairs.len(),
        whole(found.records)
    );
    let mut table = table(["", "without", "with", "change", "interval", "at"]);
    let middle = |side: fn(&Pair) -> &Sample, of: fn(&Sample) -> f64| {
        median(found.pairs.iter().map(|pair| of(side(pair))).collect()).unwrap_or_default()
    };
    let mut row = |name: &str, of: fn(&Sample) -> f64, written: fn(f64) -> String, change: &Change| {
        let percent = |share: f64| format!("{:+.1} %", share * 100.0);
        table.add_row([
            name.to_owned(),
            written(middle(|pair| &pair.bare, of)),
            written(middle(|pair| &pair.watched, of)),
            percent(change.share),
            format!("{} to {}", percent(change.low), percent(change.high)),
            format!("{:.1} %", change.confidence * 100.0),
        ]);
    };
    row("records a second", |sample| sample.records_per_second, number, &found.throughput);
    row("processor time a record", |sample| sample.cpu_ns_per_record, duration, &found.cpu);
    section(&mut text, "What stamps and checks cost: Hodges–Lehmann of paired logarithms, Wilcoxon's interval", &table);
    text
}
