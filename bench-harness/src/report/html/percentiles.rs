//! Latency by percentile: both axes logarithmic, a line for each trial, as far as its batches support quantiles.

use super::super::cells::quantile_cell;
use super::super::format::duration;
use super::Plot;
use super::axis::{COLOURS, Canvas, Scale};
use super::grid::Grid;
use crate::measure::Distribution;
use crate::result::{Measured, QUANTILES};
use crate::statistics::quantile_supported;

/// Points of a line for each nine.
const POINTS_PER_NINE: u32 = 40;

pub(super) fn plot(
    trials: &[(String, &Measured)],
    title: &'static str,
    of: impl Fn(&Measured) -> &Distribution,
) -> Option<Plot> {
    let trials: Vec<&(String, &Measured)> = trials.iter().filter(|(_, measured)| of(measured).count() > 0).collect();
    let lines: Vec<Vec<(f64, f64)>> = trials.iter().map(|(_, m)| points(of(m), quantile_max(m))).collect();
    let nines = trials.iter().map(|(_, m)| -(1.0 - quantile_max(m)).log10()).fold(1.0, f64::max);
    let y = Scale::latency(lines.iter().flatten().map(|(_, ns)| *ns));
    if trials.is_empty() {
        return None;
    }
    let mut canvas = Canvas::new(title, (Scale::Nines { nines }, "percentile of the records"), (y, "latency"));
    for (index, ((label, measured), line)) in trials.iter().zip(&lines).enumerate() {
        canvas.line(label, index, line);
        for quantile in QUANTILES {
            if let Ok(ns) = measured.quantile_ns(of(measured), quantile) {
                let name = quantile.name;
                let data = [("data-quantile", name.to_owned()), ("data-ns", ns.to_string())];
                canvas.mark(
                    index,
                    (quantile.share, ns as f64),
                    &data,
                    &format!("{label} {name}: {}", duration(ns as f64)),
                );
            }
        }
    }
    Some(Plot {
        title,
        caption: "From the intended time, logarithmic on both axes. A line ends where its number of batches supports no higher percentile.",
        legend: legend(trials.iter().map(|(label, _)| label)),
        svg: canvas.finish(),
        values: values(&trials, of),
    })
}

fn values(trials: &[&(String, &Measured)], of: impl Fn(&Measured) -> &Distribution) -> Grid {
    let row = |(label, measured): &&(String, &Measured)| {
        let cells = QUANTILES.map(|quantile| quantile_cell(measured, of(measured), quantile));
        std::iter::once(label.clone()).chain(cells).collect()
    };
    let names = QUANTILES.map(|quantile| quantile.name);
    Grid {
        header: std::iter::once("trial").chain(names).map(str::to_owned).collect(),
        rows: trials.iter().map(row).collect(),
    }
}

/// Trials by colour.
pub(super) fn legend<'a>(labels: impl Iterator<Item = &'a String>) -> Vec<(String, String)> {
    labels.enumerate().map(|(index, label)| (format!("c{}", index % COLOURS), label.clone())).collect()
}

/// The highest quantile that is drawn: five nines are enough for anybody's eyes.
fn quantile_max(measured: &Measured) -> f64 {
    quantile_supported(measured.independent_samples()).min(0.99999)
}

fn points(distribution: &Distribution, quantile_max: f64) -> Vec<(f64, f64)> {
    let nines = -(1.0 - quantile_max).log10();
    let count = (nines * f64::from(POINTS_PER_NINE)).ceil().max(2.0) as u32;
    let quantile = |n: u32| 1.0 - 10_f64.powf(-nines * f64::from(n) / f64::from(count));
    (0..=count).map(quantile).map(|q| (q, distribution.quantile_ns(q) as f64)).collect()
}
