//! Which segments are too old, too many, or wholly before the log's start (Kafka's UnifiedLog.deleteOldSegments).
//!
//! Segments go from the oldest on and without a gap, and only those that lie below the high watermark: what is
//! not committed yet must not vanish before anyone could read it.

use logdyno_record::Offset;

use crate::config::LogConfig;

/// What the decision needs to know of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentFacts {
    /// Its first offset.
    pub(crate) base: Offset,
    /// The base of the next segment; of the active one, the log's end.
    pub(crate) end: Offset,
    pub(crate) bytes: u64,
    /// Of its larger index.
    pub(crate) index_bytes: u64,
    /// Of its first batch, where the decision asks for it.
    pub(crate) first_timestamp_ms: Option<i64>,
    /// Of its records, or of the file where no record has a timestamp.
    pub(crate) largest_timestamp_ms: i64,
}

/// How many of the oldest segments to delete, and for which reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionPlan {
    /// They end at or before the log's start, which DeleteRecords has moved.
    pub before_log_start: usize,
    /// The log is larger than `retention.bytes` without them.
    pub over_size: usize,
    /// All their records are older than `retention.ms`.
    pub over_age: usize,
}

impl RetentionPlan {
    /// All that go.
    pub fn segments(&self) -> usize {
        self.before_log_start + self.over_size + self.over_age
    }
}

/// When the decision is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetentionMoment {
    pub(crate) now_ms: i64,
    pub(crate) high_watermark: Offset,
    pub(crate) log_start: Offset,
}

/// Decides what to delete of `segments`, of which the last is the active one.
///
/// A plan may name the active segment: it is rolled first, since a log has always one. `retention.*` counts only
/// where `cleanup.policy` has `delete`; what lies before the log's start goes under any policy.
pub(crate) fn plan_retention(segments: &[SegmentFacts], config: &LogConfig, at: RetentionMoment) -> RetentionPlan {
    let mut rest = segments;
    let mut take = |goes: &mut dyn FnMut(&SegmentFacts, bool) -> bool| {
        let count = oldest(rest, at.high_watermark, goes);
        rest = &rest[count..];
        count
    };
    let before_log_start = take(&mut |segment, active| !active && segment.end <= at.log_start);
    if !config.cleanup_policy.delete {
        return RetentionPlan { before_log_start, ..RetentionPlan::default() };
    }
    let kept: u64 = segments[before_log_start..].iter().map(|segment| segment.bytes).sum();
    let mut surplus = config.retention_bytes.and_then(|most| kept.checked_sub(most));
    let over_size = take(&mut |segment, _| {
        let left = surplus.and_then(|surplus| surplus.checked_sub(segment.bytes));
        surplus = left.or(surplus);
        left.is_some()
    });
    let over_age = take(&mut |segment, _| {
        let age_ms = u64::try_from(at.now_ms.saturating_sub(segment.largest_timestamp_ms)).unwrap_or(0);
        config.retention_ms.is_some_and(|most| age_ms > most)
    });
    RetentionPlan { before_log_start, over_size, over_age }
}

/// How many of the first segments `goes` says yes to, as far as they may go at all. It is told which is the active one.
fn oldest(
    segments: &[SegmentFacts],
    high_watermark: Offset,
    goes: &mut dyn FnMut(&SegmentFacts, bool) -> bool,
) -> usize {
    let last = segments.len().saturating_sub(1);
    let chosen = segments.iter().enumerate().take_while(|(at, segment)| {
        let empty_active = *at == last && segment.bytes == 0;
        !empty_active && segment.end <= high_watermark && goes(segment, *at == last)
    });
    chosen.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CleanupPolicy;

    /// Segments of ten offsets and 100 bytes whose largest timestamps are given.
    fn segments(timestamps: &[i64]) -> Vec<SegmentFacts> {
        let of = |(at, timestamp): (usize, &i64)| {
            let base = Offset(at as i64 * 10);
            let (index_bytes, first_timestamp_ms) = (8, Some(*timestamp));
            let end = base + 10;
            SegmentFacts { base, end, bytes: 100, index_bytes, first_timestamp_ms, largest_timestamp_ms: *timestamp }
        };
        timestamps.iter().enumerate().map(of).collect()
    }

    fn config(retention_ms: Option<u64>, retention_bytes: Option<u64>) -> LogConfig {
        LogConfig { retention_ms, retention_bytes, ..LogConfig::default() }
    }

    fn at(now_ms: i64, high_watermark: i64, log_start: i64) -> RetentionMoment {
        RetentionMoment { now_ms, high_watermark: Offset(high_watermark), log_start: Offset(log_start) }
    }

    fn plan(segments: &[SegmentFacts], config: &LogConfig, at: RetentionMoment) -> (usize, usize, usize) {
        let plan = plan_retention(segments, config, at);
        (plan.before_log_start, plan.over_size, plan.over_age)
    }

    /// Row 16. By age: strictly older than `retention.ms`; a younger record keeps its segment and all behind it.
    #[test]
    fn by_time() {
        let config = config(Some(100), None);
        for (timestamps, now_ms, high_watermark, expected) in [
            (vec![0, 50, 99], 100, 30, 0),
            (vec![0, 50, 99], 101, 30, 1),
            (vec![0, 50, 99], 151, 30, 2),
            (vec![0, 50, 99], 500, 30, 3),
            (vec![0, 50, 99], 500, 29, 2),
            (vec![0, 50, 99], 500, 9, 0),
            (vec![0, 9_999, 0], 500, 30, 1),
            (vec![i64::MAX, 0, 0], 500, 30, 0),
            (vec![], 500, 30, 0),
        ] {
            let found = plan(&segments(&timestamps), &config, at(now_ms, high_watermark, 0));
            assert_eq!(found, (0, 0, expected), "{timestamps:?} at {now_ms} below {high_watermark}");
        }
    }

    /// Row 16. By size: at least `retention.bytes` stay, so a segment goes only if the rest is as much without it.
    #[test]
    fn by_size() {
        let now = at(0, 50, 0);
        for (most, expected) in [(0, 5), (1, 4), (100, 4), (101, 3), (399, 1), (400, 1), (401, 0), (500, 0), (9_999, 0)]
        {
            let found = plan(&segments(&[0; 5]), &config(None, Some(most)), now);
            assert_eq!(found, (0, expected, 0), "retention.bytes={most}");
        }
        assert_eq!(plan(&segments(&[0; 5]), &config(None, None), now), (0, 0, 0), "no limit");
    }

    /// Row 15. What ends at or before the log's start goes under any policy, but never the active segment.
    #[test]
    fn before_the_log_start() {
        let mut config = config(None, None);
        for policy in [CleanupPolicy::DELETE, CleanupPolicy::COMPACT] {
            config.cleanup_policy = policy;
            for (log_start, expected) in [(0, 0), (9, 0), (10, 1), (19, 1), (20, 2), (30, 2)] {
                let found = plan(&segments(&[0; 3]), &config, at(0, 30, log_start));
                assert_eq!(found, (expected, 0, 0), "log start {log_start}, {policy:?}");
            }
        }
    }

    /// Each reason is asked of what the one before has left over; compaction alone knows neither size nor age.
    #[test]
    fn reasons_together() {
        let mut config = config(Some(100), Some(250));
        let old = segments(&[0, 0, 0, 0, 900]);
        assert_eq!(plan(&old, &config, at(1_000, 50, 10)), (1, 1, 2));
        config.cleanup_policy = CleanupPolicy { delete: true, compact: true };
        assert_eq!(plan(&old, &config, at(1_000, 50, 10)), (1, 1, 2));
        config.cleanup_policy = CleanupPolicy::COMPACT;
        assert_eq!(plan(&old, &config, at(1_000, 50, 10)), (1, 0, 0));
    }

    /// The active segment is rolled and goes once it has records; empty, it is what a log must have.
    #[test]
    fn an_empty_active_segment_stays() {
        let mut all = segments(&[0, 0]);
        assert_eq!(plan(&all, &config(Some(1), None), at(1_000, 20, 0)), (0, 0, 2));
        all[1].bytes = 0;
        all[1].end = all[1].base;
        assert_eq!(plan(&all, &config(Some(1), Some(0)), at(1_000, 20, 0)), (0, 1, 0));
    }
}
