//! Throughput and latency.

use comfy_table::Table;

use super::cells::{duration_cell, quantile_cell, table};
use super::format::{bytes, duration, number, whole};
use crate::result::{Absent, Durability, Measured, QUANTILES};

pub(super) fn throughput(trials: &[(String, &Measured)]) -> Table {
    let mut table = table(["", "an ack promises", "offered/s", "achieved/s", "bytes/s", "measured", "in", "verified"]);
    for (label, measured) in trials {
        let records = &measured.records;
        table.add_row([
            label.clone(),
            promise(&measured.durability),
            measured.offered_per_second.map_or_else(|| "closed loop".to_owned(), number),
            number(measured.achieved_per_second),
            bytes(measured.achieved_bytes_per_second),
            whole(records.measured),
            duration(measured.measured_ns as f64),
            format!("{} of {}", whole(records.delivered), whole(records.sent)),
        ]);
    }
    table
}

/// What an acknowledgement promises, in words.
pub(super) fn promise(durability: &Durability) -> String {
    match durability.replicas {
        0 => "nothing".to_owned(),
        1 => format!("{} on 1 replica", durability.level),
        replicas => format!("{} on {replicas} replicas", durability.level),
    }
}

pub(super) fn latency(trials: &[(String, &Measured)]) -> Table {
    let [p50, p99, p999, p9999] = QUANTILES.map(|quantile| quantile.name);
    let mut table = table(["", "to", p50, p99, p999, p9999, "max", "mean", "clipped", "batches"]);
    for (label, measured) in trials {
        let paths = [
            ("ack", &measured.to_acknowledgement.total),
            ("delivery", &measured.to_delivery.total),
            ("ack, from send()", &measured.service),
        ];
        for (index, (name, distribution)) in paths.into_iter().enumerate() {
            let mut row = vec![if index == 0 { label.clone() } else { String::new() }, name.to_owned()];
            row.extend(QUANTILES.map(|quantile| quantile_cell(measured, distribution, quantile)));
            row.push(duration_cell(measured, distribution.max_ns() as f64));
            row.push(duration_cell(measured, distribution.mean_ns()));
            row.push(whole(distribution.clipped()));
            row.push(whole(measured.independent_samples()));
            table.add_row(row);
        }
    }
    table
}

/// Why quantiles are missing: a line for each trial that lacks one for want of samples.
pub(super) fn absent(trials: &[(String, &Measured)]) -> Vec<String> {
    let line = |(label, measured): &(String, &Measured)| {
        let wanting = QUANTILES.into_iter().filter_map(|quantile| {
            match measured.quantile_ns(&measured.to_acknowledgement.total, quantile) {
                Err(Absent::TooFewSamples { needs, .. }) => Some(format!("{} takes {}", quantile.name, whole(needs))),
                _ => None,
            }
        });
        let wanting: Vec<String> = wanting.collect();
        let samples = whole(measured.independent_samples());
        (!wanting.is_empty())
            .then(|| format!("{label}: {samples} independent samples (batches): {}", wanting.join(", ")))
    };
    trials.iter().filter_map(line).collect()
}
