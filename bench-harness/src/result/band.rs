//! Where records' time went, by how slow they were, as it is saved.

use std::collections::BTreeMap;

use logdyno_engine::record::TopicPartition;
use serde::{Deserialize, Serialize};

use super::SlowRecord;
use crate::measure::{Bands, Slow, Step};
use crate::statistics::samples_needed;
use crate::topics::Topics;

/// Where bands end, if the run supports the quantile.
const EDGES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

/// Records of a path between two quantiles of its latency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BandResult {
    /// The quantile where it begins, or `min`.
    pub from: String,
    /// The quantile before which it ends, or `max`.
    pub to: String,
    /// How many records.
    pub records: u64,
    /// The fastest of them.
    pub min_ns: u64,
    /// The slowest of them.
    pub max_ns: u64,
    /// The sum of their latencies: that of `steps_ns`.
    pub total_ns: u64,
    /// The sum of their times, by step, without those of zero.
    pub steps_ns: BTreeMap<Step, u64>,
    /// The slowest of them, whole.
    pub slowest: Vec<SlowRecord>,
}

impl BandResult {
    /// Cuts a path's records where so many independent samples support it; bands without records are left out.
    #[must_use]
    pub(crate) fn cut(bands: &Bands, samples: u64, topics: &Topics) -> Vec<BandResult> {
        let edges: Vec<(&str, f64)> =
            EDGES.into_iter().filter(|(_, share)| samples >= samples_needed(*share)).collect();
        let shares: Vec<f64> = edges.iter().map(|(_, share)| *share).collect();
        let names: Vec<&str> =
            std::iter::once("min").chain(edges.iter().map(|(name, _)| *name)).chain(std::iter::once("max")).collect();
        let cut = bands.cut_at(&shares).into_iter().zip(names.windows(2));
        let band = |(band, names): (crate::measure::Band, &[&str])| BandResult {
            from: names[0].to_owned(),
            to: names[1].to_owned(),
            records: band.records,
            min_ns: band.min_ns,
            max_ns: band.max_ns,
            total_ns: band.times.total(),
            steps_ns: band.steps().collect(),
            slowest: band.slowest.iter().map(|slow| SlowRecord::of(slow, topics)).collect(),
        };
        cut.filter(|(band, _)| band.records > 0).map(band).collect()
    }
}

impl SlowRecord {
    /// As it is saved, of these topics.
    #[must_use]
    pub fn of(slow: &Slow, topics: &Topics) -> SlowRecord {
        let steps = Step::ALL.into_iter().map(|step| (step, slow.times.get(step))).filter(|(_, ns)| *ns > 0);
        let TopicPartition { topic, partition } = topics.partition(slow.partition);
        let topic = (topics.count() > 1).then(|| topic.to_string());
        SlowRecord { topic, partition, offset: slow.offset, steps_ns: steps.collect() }
    }
}
