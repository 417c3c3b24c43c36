//! Where the time went: a bar for each trial's mean, its steps stacked; and one for each band of
//! its latencies, because what is slow seldom waits for what the mean waits for.

use super::super::format::{duration, percent, whole};
use super::super::steps::{band_name, shares_of, shares_of_band};
use super::axis::WIDTH;
use super::{Plot, escaped};
use crate::measure::Step;
use crate::result::{Measured, PathResult};

const BAR: f64 = 22.0;
const ROW: f64 = 46.0;

/// A bar: its name, and its steps with their shares of its whole.
struct Bar {
    name: String,
    /// Also in nanoseconds, for a mean.
    parts: Vec<(Step, f64, Option<f64>)>,
}

pub(super) fn plot(
    trials: &[(String, &Measured)],
    title: &'static str,
    of: impl Fn(&Measured) -> &PathResult,
) -> Option<Plot> {
    let bars: Vec<Bar> = trials.iter().flat_map(|(label, measured)| bars(label, of(measured))).collect();
    if bars.is_empty() {
        return None;
    }
    let height = ROW * bars.len() as f64;
    let mut svg = format!(r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{}">"#, escaped(title));
    for (index, bar) in bars.iter().enumerate() {
        draw(&mut svg, bar, ROW * index as f64);
    }
    svg.push_str("</svg>");
    let is_shown = |step: &Step| bars.iter().any(|bar| bar.parts.iter().any(|(s, share, _)| s == step && *share > 0.0));
    let legend = Step::ALL.into_iter().filter(is_shown);
    Some(Plot {
        title,
        caption: "Each record's steps add up to its latency, so their means add up to the mean. Below: all records by how slow they were, as far as batches support it.",
        legend: legend.map(|step| (colour(step), format!("{}: {}", step.name(), step.meaning()))).collect(),
        svg,
    })
}

fn bars(label: &str, path: &PathResult) -> Vec<Bar> {
    if path.total.count() == 0 {
        return Vec::new();
    }
    let sum = path.total.sum_ns().max(1) as f64;
    let part = |step: &crate::result::StepResult| {
        (step.step, step.durations.sum_ns() as f64 / sum, Some(step.durations.mean_ns()))
    };
    let mut bars = vec![Bar {
        name: format!("{label}, mean {}", duration(path.total.mean_ns())),
        parts: path.steps.iter().map(part).collect(),
    }];
    let stacked = |name: String, mut shares: Vec<(Step, f64)>| {
        shares.sort_by_key(|(step, _)| *step);
        Bar { name, parts: shares.into_iter().map(|(step, share)| (step, share, None)).collect() }
    };
    for band in &path.bands {
        let (from, to) = (duration(band.min_ns as f64), duration(band.max_ns as f64));
        let name = format!("{label}, {}: {} records of {from} to {to}", band_name(band), whole(band.records));
        bars.push(stacked(name, shares_of_band(band)));
    }
    // Results of before there were bands.
    if path.bands.is_empty() && !path.slowest.is_empty() {
        bars.push(stacked(format!("{label}, the {} slowest", path.slowest.len()), shares_of(&path.slowest)));
    }
    bars
}

fn draw(svg: &mut String, bar: &Bar, top: f64) {
    svg.push_str(&format!(r#"<text x="0" y="{:.1}">{}</text>"#, top + 13.0, escaped(&bar.name)));
    let mut left = 0.0;
    for (step, share, mean_ns) in &bar.parts {
        let width = share * WIDTH;
        if width <= 0.0 {
            continue;
        }
        let mean = mean_ns.map_or(String::new(), |ns| format!(", {} on average", duration(ns)));
        let data = mean_ns.map_or(String::new(), |ns| format!(r#" data-ns="{ns}""#));
        svg.push_str(&format!(
            r#"<rect class="step {}" x="{left:.2}" y="{:.1}" width="{width:.2}" height="{BAR}" data-bar="{}" data-step="{}"{data}><title>{}: {}{mean} ({})</title></rect>"#,
            colour(*step),
            top + 18.0,
            escaped(&bar.name),
            step.name(),
            step.name(),
            percent(*share),
            step.meaning(),
        ));
        let label = percent(*share);
        if width > 40.0 {
            let middle = left + width / 2.0;
            svg.push_str(&format!(r#"<text class="mid on" x="{middle:.1}" y="{:.1}">{label}</text>"#, top + 33.5));
        }
        left += width;
    }
}

fn colour(step: Step) -> String {
    format!("s{}", step as usize)
}
