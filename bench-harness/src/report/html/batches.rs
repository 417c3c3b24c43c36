//! The batch panel: why batches were closed, and how full they were.

use super::super::format::{bytes, percent, whole};
use super::Plot;
use super::grid::Grid;
use super::stack::{self, Bar, Part};
use crate::measure::BatchWork;
use crate::result::Measured;

/// The reasons that there are, with their colours and what they mean.
const REASONS: [(&str, &str, &str); 5] = [
    ("size", "s5", "the next record found no room"),
    ("linger", "s2", "linger.ms was over"),
    ("taken along", "s8", "a request to its broker took it along"),
    ("flush", "s0", "the producer was flushed"),
    ("memory pressure", "s7", "buffer.memory was used up, and senders waited"),
];

/// The colour of how full batches were.
const FILL: &str = "s6";

/// Of trials that show what their producers do with batches.
pub(super) fn plot(trials: &[(String, &Measured)]) -> Option<Plot> {
    let shown: Vec<(&str, &Measured, &BatchWork)> = trials
        .iter()
        .filter_map(|(label, measured)| Some((label.as_str(), *measured, measured.batches.work.as_ref()?)))
        .filter(|(_, measured, _)| measured.batches.batches > 0)
        .collect();
    if shown.is_empty() {
        return None;
    }
    let title = "Batches: why they were closed, and how full";
    let bars: Vec<Bar> = shown.iter().flat_map(|(label, measured, work)| bars(label, measured, work)).collect();
    let known = |reason: &str| shown.iter().any(|(_, _, work)| work.close_reasons.get(reason).is_some_and(|n| *n > 0));
    let reasons = REASONS.into_iter().filter(|(reason, ..)| known(reason));
    let legend = reasons.map(|(reason, colour, meaning)| (colour.to_owned(), format!("{reason}: {meaning}")));
    Some(Plot {
        title,
        caption: "Closed by linger: a longer linger.ms would make them larger, and each record later. Closed by size: a larger batch.size would hold more.",
        legend: legend
            .chain([(FILL.to_owned(), "fill: mean bytes of a batch as sent, of batch.size".to_owned())])
            .collect(),
        svg: stack::draw(title, &bars),
        values: values(&shown),
    })
}

fn bars(label: &str, measured: &Measured, work: &BatchWork) -> [Bar; 2] {
    let batches = measured.batches.batches;
    let part = |(reason, count): (&String, &u64)| {
        let share = *count as f64 / batches as f64;
        Part {
            class: colour(reason).to_owned(),
            share,
            data: vec![("data-reason", reason.clone()), ("data-count", count.to_string())],
            title: format!("{reason}: {} of {} batches ({})", whole(*count), whole(batches), percent(share)),
        }
    };
    let reasons = Bar {
        name: format!("{label}: {} batches were closed by", whole(batches)),
        parts: work.close_reasons.iter().map(part).collect(),
    };
    let (each, fill) = (bytes_each(measured, work), fill(measured, work));
    let name = format!(
        "{label}: {} a batch, {} of batch.size {}",
        bytes(each),
        percent(fill),
        bytes(measured.batch_size as f64)
    );
    let data = vec![("data-fill", fill.to_string())];
    let part = Part { class: FILL.to_owned(), share: fill, data, title: name.clone() };
    [reasons, Bar { name, parts: vec![part] }]
}

fn bytes_each(measured: &Measured, work: &BatchWork) -> f64 {
    work.bytes_sent as f64 / measured.batches.batches.max(1) as f64
}

fn fill(measured: &Measured, work: &BatchWork) -> f64 {
    bytes_each(measured, work) / measured.batch_size.max(1) as f64
}

fn colour(reason: &str) -> &'static str {
    REASONS.iter().find(|(known, ..)| *known == reason).map_or("s9", |(_, colour, _)| colour)
}

fn values(shown: &[(&str, &Measured, &BatchWork)]) -> Grid {
    let reasons: Vec<&str> = REASONS.iter().map(|(reason, ..)| *reason).collect();
    let row = |(label, measured, work): &(&str, &Measured, &BatchWork)| {
        let counted = |reason: &&str| whole(work.close_reasons.get(*reason).copied().unwrap_or(0));
        let mut row = vec![(*label).to_owned()];
        row.extend(reasons.iter().map(counted));
        row.extend([bytes(bytes_each(measured, work)), percent(fill(measured, work))]);
        row
    };
    Grid {
        header: ["trial"]
            .into_iter()
            .chain(reasons.iter().copied())
            .chain(["bytes each", "fill"])
            .map(str::to_owned)
            .collect(),
        rows: shown.iter().map(row).collect(),
    }
}
