//! HdrHistogram's percentile spectrum (`outputPercentileDistribution`), which its plotter reads: microseconds from the intended time to
//! the acknowledgement and to the delivery, a spectrum after the other, each behind a comment with its name.
//!
//! Points beyond what the run's independent samples support are left out, all but the maximum.

use super::Reporter;
use super::numbers::{Run, sound_runs};
use crate::measure::Distribution;
use crate::result::{Measured, Quantile, RunResult};

/// Points between a share and the one that halves what is left; HdrHistogram's own default.
const TICKS_PER_HALF: u32 = 5;

pub(super) struct Percentiles;

impl Reporter for Percentiles {
    fn name(&self) -> &'static str {
        "percentiles"
    }

    fn render(&self, results: &[RunResult]) -> String {
        let mut text = String::new();
        for Run { name, measured, .. } in sound_runs(results) {
            let paths = [("ack", &measured.to_acknowledgement.total), ("delivery", &measured.to_delivery.total)];
            for (path, distribution) in paths {
                if distribution.count() > 0 && !measured.is_backlogged() {
                    text.push_str(&format!("# {name} {path}\n{}", spectrum(measured, distribution)));
                }
            }
        }
        text
    }
}

fn spectrum(measured: &Measured, distribution: &Distribution) -> String {
    let histogram = distribution.to_histogram();
    let mut text = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut total = 0;
    for point in histogram.iter_quantiles(TICKS_PER_HALF) {
        let share = point.quantile_iterated_to();
        total += point.count_since_last_iteration();
        let value = point.value_iterated_to().min(distribution.max_ns()) as f64 / 1e3;
        if share >= 1.0 {
            text.push_str(&format!("{value:12.3} {share:2.12} {total:10}\n"));
        } else if measured.quantile_ns(distribution, Quantile { name: "", share }).is_ok() {
            text.push_str(&format!("{value:12.3} {share:2.12} {total:10} {:14.2}\n", 1.0 / (1.0 - share)));
        }
    }
    let (mean, deviation) = (distribution.mean_ns() / 1e3, histogram.stdev() / 1e3);
    text.push_str(&format!("#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]\n"));
    let (max, count) = (distribution.max_ns() as f64 / 1e3, distribution.count());
    text.push_str(&format!("#[Max     = {max:12.3}, Total count    = {count:12}]\n"));
    let (buckets, halves) = (histogram.buckets(), 1 << (histogram.sigfig() * 10).div_ceil(3));
    text.push_str(&format!("#[Buckets = {buckets:12}, SubBuckets     = {:12}]\n", halves * 2));
    text
}
