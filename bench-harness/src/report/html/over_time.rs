//! Throughput and latency over the measured part.

use std::collections::BTreeMap;

use super::super::cells::NOTHING;
use super::super::format::{duration, number};
use super::Plot;
use super::axis::{Canvas, Scale};
use super::grid::Grid;
use super::percentiles::legend;
use crate::measure::{Interval, OverTime};
use crate::result::Measured;

/// Points that are marked on a line: more would hide it.
const MARKS_MAX: usize = 30;

/// Acknowledged records a second.
pub(super) fn throughput(trials: &[(String, &Measured)]) -> Option<Plot> {
    let rate = |interval: &Interval| interval.acknowledged as f64 / (interval.length_ns.max(1) as f64 / 1e9);
    let lines = lines(trials, |interval| Some(rate(interval)));
    let y = Scale::linear(values(&lines).fold(0.0, f64::max));
    draw(
        &lines,
        y,
        "Throughput over time",
        "Records acknowledged a second, in each interval of the measured part.",
        number,
    )
}

/// The 99th percentile to the acknowledgement.
pub(super) fn latency(trials: &[(String, &Measured)]) -> Option<Plot> {
    let lines = lines(trials, |interval| (interval.records > 0).then_some(interval.p99_ns as f64));
    let y = Scale::latency(values(&lines));
    let caption = "To the acknowledgement, of the records due in each interval. A trend: one interval holds too few batches for a p99 that counts.";
    draw(&lines, y, "p99 over time", caption, duration)
}

struct Line {
    label: String,
    /// Seconds since the begin of the measured part, and the value.
    points: Vec<(f64, f64)>,
}

fn lines(trials: &[(String, &Measured)], value: impl Fn(&Interval) -> Option<f64>) -> Vec<Line> {
    let line = |(label, measured): &(String, &Measured)| {
        let over: &OverTime = measured.over_time.as_ref()?;
        let mut from = 0.0;
        let points = over.intervals.iter().filter_map(|interval| {
            let length = interval.length_ns as f64 / 1e9;
            let middle = from + length / 2.0;
            from += length;
            // What is left at the end is too short for a rate that can be compared.
            let is_rest = interval.length_ns * 2 < over.interval_ns;
            value(interval).filter(|_| !is_rest).map(|value| (middle, value))
        });
        let points: Vec<(f64, f64)> = points.collect();
        (!points.is_empty()).then(|| Line { label: label.clone(), points })
    };
    trials.iter().filter_map(line).collect()
}

fn values(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value)
}

fn draw(lines: &[Line], y: Scale, title: &'static str, caption: &'static str, name: fn(f64) -> String) -> Option<Plot> {
    let last = lines.iter().flat_map(|line| &line.points).map(|(at, _)| *at).fold(0.0, f64::max);
    if lines.is_empty() {
        return None;
    }
    let mut canvas = Canvas::new(title, (Scale::linear(last), "seconds of the measured part"), (y, title));
    for (index, line) in lines.iter().enumerate() {
        canvas.line(&line.label, index, &line.points);
        for (at, value) in line.points.iter().step_by(line.points.len().div_ceil(MARKS_MAX)) {
            let data = [("data-at", format!("{at:.3}")), ("data-value", value.to_string())];
            canvas.mark(index, (*at, *value), &data, &format!("{} at {at:.1} s: {}", line.label, name(*value)));
        }
    }
    Some(Plot {
        title,
        caption,
        legend: legend(lines.iter().map(|line| &line.label)),
        svg: canvas.finish(),
        values: table(lines, name),
    })
}

/// A row for each moment at which some line has a point.
fn table(lines: &[Line], name: fn(f64) -> String) -> Grid {
    let mut rows: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for (column, line) in lines.iter().enumerate() {
        for (at, value) in &line.points {
            let millis = (at * 1e3).round() as u64;
            let row = rows.entry(millis).or_insert_with(|| vec![NOTHING.to_owned(); lines.len()]);
            row[column] = name(*value);
        }
    }
    let row = |(millis, cells): (u64, Vec<String>)| {
        std::iter::once(format!("{:.2}", millis as f64 / 1e3)).chain(cells).collect()
    };
    Grid {
        header: std::iter::once("seconds".to_owned()).chain(lines.iter().map(|line| line.label.clone())).collect(),
        rows: rows.into_iter().map(row).collect(),
    }
}
