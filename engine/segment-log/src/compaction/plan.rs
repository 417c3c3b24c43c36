//! Whether a log is due for compaction, how far it may go, and which segments become one
//! (Kafka's LogCleanerManager.cleanableOffsets and Cleaner.groupSegmentsBySize).

use std::ops::Range;

use logdyno_record::Offset;

use crate::config::LogConfig;
use crate::retention::SegmentFacts;

/// What one round is to clean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompactionPlan {
    /// Everything before it has been cleaned already.
    pub first_dirty: Offset,
    /// The base of the first segment that is left alone.
    pub first_uncleanable: Offset,
    /// Bytes of the segments that have been cleaned already.
    pub clean_bytes: u64,
    /// Bytes of the segments to clean.
    pub dirty_bytes: u64,
    /// By how much `max.compaction.lag.ms` has been exceeded; 0 if it has not been.
    pub overdue_ms: u64,
}

impl CompactionPlan {
    /// The dirty part of what would be cleaned, from 0 to 1.
    pub fn dirty_ratio(&self) -> f64 {
        self.dirty_bytes as f64 / (self.clean_bytes + self.dirty_bytes).max(1) as f64
    }
}

/// When the decision is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompactionMoment {
    pub(crate) now_ms: i64,
    /// Nothing at or behind it is cleaned: it is not committed yet, or belongs to a transaction that is open.
    pub(crate) stable: Offset,
    pub(crate) log_start: Offset,
    pub(crate) log_end: Offset,
    /// The first offset that no round has cleaned, as written down.
    pub(crate) checkpoint: Option<Offset>,
}

impl CompactionMoment {
    /// The first offset that has not been cleaned.
    pub(crate) fn first_dirty(&self) -> Offset {
        // A checkpoint outside the log is of a log that was cut at one of its ends.
        let known = self.checkpoint.filter(|offset| (self.log_start..=self.log_end).contains(offset));
        known.unwrap_or(self.log_start)
    }
}

/// What to clean of `segments`, of which the last is the active one; `None` if it is not due.
///
/// A log is due when more than `min.cleanable.dirty.ratio` of it is dirty, or when a dirty record is older than
/// `max.compaction.lag.ms`. Records younger than `min.compaction.lag.ms` and the active segment are left alone.
pub(crate) fn plan_compaction(
    segments: &[SegmentFacts],
    config: &LogConfig,
    at: CompactionMoment,
) -> Option<CompactionPlan> {
    if !config.cleanup_policy.compact {
        return None;
    }
    let first_dirty = at.first_dirty();
    let (_active, sealed) = segments.split_last()?;
    let count = sealed
        .iter()
        .take_while(|segment| segment.end <= at.stable && !is_young(segment, first_dirty, config, at.now_ms));
    let cleanable = &sealed[..count.count()];
    let (clean, dirty): (Vec<_>, Vec<_>) = cleanable.iter().partition(|segment| segment.end <= first_dirty);
    let bytes = |segments: &[&SegmentFacts]| segments.iter().map(|segment| segment.bytes).sum::<u64>();
    let plan = CompactionPlan {
        first_dirty,
        first_uncleanable: cleanable.last()?.end,
        clean_bytes: bytes(&clean),
        dirty_bytes: bytes(&dirty),
        overdue_ms: overdue_ms(sealed, first_dirty, config, at.now_ms),
    };
    let due = plan.overdue_ms > 0 || plan.dirty_ratio() > config.min_cleanable_dirty_ratio;
    (plan.dirty_bytes > 0 && due).then_some(plan)
}

/// Whether a dirty segment has a record younger than `min.compaction.lag.ms`.
fn is_young(segment: &SegmentFacts, first_dirty: Offset, config: &LogConfig, now_ms: i64) -> bool {
    let lag_ms = config.min_compaction_lag_ms.cast_signed();
    lag_ms > 0 && segment.end > first_dirty && segment.largest_timestamp_ms > now_ms.saturating_sub(lag_ms)
}

/// By how much the oldest dirty segment is past `max.compaction.lag.ms`; its age counts from its first batch.
fn overdue_ms(sealed: &[SegmentFacts], first_dirty: Offset, config: &LogConfig, now_ms: i64) -> u64 {
    let dirty = sealed.iter().filter(|segment| segment.end > first_dirty);
    let first = dirty.filter_map(|segment| segment.first_timestamp_ms.filter(|timestamp| *timestamp > 0)).min();
    let age_ms = first.map_or(0, |first| now_ms.saturating_sub(first));
    u64::try_from(age_ms).unwrap_or(0).saturating_sub(config.max_compaction_lag_ms)
}

/// Which neighbours become one segment: as many as fit by their sizes before cleaning, one at least.
pub(crate) fn group_segments(segments: &[SegmentFacts], config: &LogConfig) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut start = 0;
    while start < segments.len() {
        let (mut bytes, mut index_bytes) = (0, 0);
        let fitting = segments[start..].iter().take_while(|segment| {
            bytes += segment.bytes;
            index_bytes += segment.index_bytes;
            let in_reach = i32::try_from(segment.end - segments[start].base).is_ok();
            bytes <= config.segment_bytes && index_bytes <= config.segment_index_bytes && in_reach
        });
        let end = start + fitting.count().max(1);
        groups.push(start..end);
        start = end;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CleanupPolicy;

    fn compact() -> LogConfig {
        LogConfig { cleanup_policy: CleanupPolicy::COMPACT, ..LogConfig::default() }
    }

    /// Segments of ten offsets and 100 bytes; each has its first record at the given time and its last 5 ms later.
    fn segments(times: &[i64]) -> Vec<SegmentFacts> {
        let of = |(at, time): (usize, &i64)| SegmentFacts {
            base: Offset(at as i64 * 10),
            end: Offset(at as i64 * 10 + 10),
            bytes: 100,
            index_bytes: 8,
            first_timestamp_ms: Some(*time),
            largest_timestamp_ms: time + 5,
        };
        times.iter().enumerate().map(of).collect()
    }

    fn at(now_ms: i64, stable: i64, checkpoint: Option<i64>) -> CompactionMoment {
        let (log_start, log_end) = (Offset(0), Offset(50));
        CompactionMoment { now_ms, stable: Offset(stable), log_start, log_end, checkpoint: checkpoint.map(Offset) }
    }

    fn groups(segments: &[SegmentFacts], config: &LogConfig) -> Vec<(usize, usize)> {
        group_segments(segments, config).into_iter().map(|group| (group.start, group.end)).collect()
    }

    fn range(plan: Option<CompactionPlan>) -> Option<(i64, i64)> {
        plan.map(|plan| (plan.first_dirty.0, plan.first_uncleanable.0))
    }

    /// Kafka's LogCleanerManagerTest: from the checkpoint up to the active segment, and below what is stable.
    #[test]
    fn how_far() {
        let all = segments(&[1; 5]);
        for (stable, checkpoint, expected) in [
            (50, None, Some((0, 40))),
            (40, None, Some((0, 40))),
            (39, None, Some((0, 30))),
            (9, None, None),
            (50, Some(10), Some((10, 40))),
            (50, Some(15), Some((15, 40))),
            (50, Some(40), None),
            (50, Some(51), Some((0, 40))),
            (50, Some(-1), Some((0, 40))),
        ] {
            let found = range(plan_compaction(&all, &compact(), at(1_000, stable, checkpoint)));
            assert_eq!(found, expected, "stable {stable}, checkpoint {checkpoint:?}");
        }
        let mut started = at(1_000, 50, Some(5));
        started.log_start = Offset(12);
        assert_eq!(range(plan_compaction(&all, &compact(), started)), Some((12, 40)), "a checkpoint before the start");
        assert_eq!(plan_compaction(&all, &LogConfig::default(), at(1_000, 50, None)), None, "cleanup.policy=delete");
        assert_eq!(plan_compaction(&all[..1], &compact(), at(1_000, 50, None)), None, "only the active segment");
    }

    /// `min.cleanable.dirty.ratio`: strictly more of the cleanable part must be dirty.
    #[test]
    fn how_dirty() {
        let all = segments(&[1; 5]);
        for (checkpoint, ratio, due) in
            [(20, 0.5, false), (20, 0.49, true), (10, 0.5, true), (10, 0.75, false), (0, 0.99, true), (0, 1.0, false)]
        {
            let config = LogConfig { min_cleanable_dirty_ratio: ratio, ..compact() };
            let found = plan_compaction(&all, &config, at(1_000, 50, Some(checkpoint)));
            assert_eq!(found.is_some(), due, "dirty from {checkpoint} of 40, ratio {ratio}");
        }
    }

    /// `min.compaction.lag.ms`: the first dirty segment with a record younger than that ends the round.
    #[test]
    fn how_old_at_least() {
        let all = segments(&[100, 200, 300, 400, 500]);
        for (lag, checkpoint, expected) in [
            (0, 0, Some((0, 40))),
            (595, 0, Some((0, 40))),
            (596, 0, Some((0, 30))),
            (795, 0, Some((0, 20))),
            (896, 0, None),
            (896, 10, None),
        ] {
            let config = LogConfig { min_compaction_lag_ms: lag, min_cleanable_dirty_ratio: 0.0, ..compact() };
            let found = range(plan_compaction(&all, &config, at(1_000, 50, Some(checkpoint))));
            assert_eq!(found, expected, "min.compaction.lag.ms={lag}, dirty from {checkpoint}");
        }
    }

    /// `max.compaction.lag.ms`: an old dirty record makes the log due, however little of it is dirty.
    #[test]
    fn how_old_at_most() {
        let all = segments(&[100, 200, 300, 400, 500]);
        for (lag, checkpoint, overdue) in
            [(600, 30, None), (599, 30, Some(1)), (700, 20, None), (100, 20, Some(600)), (100, 40, None)]
        {
            let config = LogConfig { max_compaction_lag_ms: lag, min_cleanable_dirty_ratio: 1.0, ..compact() };
            let found = plan_compaction(&all, &config, at(1_000, 50, Some(checkpoint)));
            assert_eq!(
                found.map(|plan| plan.overdue_ms),
                overdue,
                "max.compaction.lag.ms={lag}, dirty from {checkpoint}"
            );
        }
    }

    /// Kafka's LogCleanerTest.testSegmentGrouping: by bytes, by index bytes, by the reach of relative offsets.
    #[test]
    fn neighbours_that_fit_become_one() {
        let all = segments(&[1; 5]);
        let config = |segment_bytes, segment_index_bytes| LogConfig { segment_bytes, segment_index_bytes, ..compact() };
        for (config, expected) in [
            (config(1 << 30, 1 << 20), vec![(0, 5)]),
            (config(1, 1 << 20), vec![(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]),
            (config(200, 1 << 20), vec![(0, 2), (2, 4), (4, 5)]),
            (config(299, 1 << 20), vec![(0, 2), (2, 4), (4, 5)]),
            (config(1 << 30, 24), vec![(0, 3), (3, 5)]),
        ] {
            let (bytes, index_bytes) = (config.segment_bytes, config.segment_index_bytes);
            assert_eq!(groups(&all, &config), expected, "{bytes} bytes, {index_bytes} of index");
        }
        let mut far = segments(&[1; 3]);
        far[1].end = Offset(i64::from(i32::MAX));
        far[2].base = far[1].end;
        far[2].end = far[2].base + 1;
        assert_eq!(groups(&far, &compact()), [(0, 2), (2, 3)]);
        assert_eq!(groups(&[], &compact()), []);
    }
}
