//! What a topic's settings and the broker's defaults come to.

use std::collections::BTreeMap;

use logdyno_replication::leader::ReplicaSettings;
use logdyno_segment_log::LogConfig;

use crate::config::{BrokerConfig, cleanup_policy, millis, parse_ack_level, parse_timestamp_type};

/// The settings of one topic.
#[derive(Clone, Debug)]
pub(crate) struct TopicSettings {
    pub(crate) log: LogConfig,
    pub(crate) replica: ReplicaSettings,
    /// How far a producer's timestamps may be off the clock.
    pub(crate) timestamps: TimestampBounds,
    /// What they were made from.
    overrides: BTreeMap<String, String>,
}

/// `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimestampBounds {
    before_max_ms: i64,
    after_max_ms: i64,
}

impl TimestampBounds {
    /// The earliest and the latest timestamp that is taken now.
    pub(crate) fn around(self, now_ms: i64) -> (i64, i64) {
        (now_ms.saturating_sub(self.before_max_ms), now_ms.saturating_add(self.after_max_ms))
    }
}

impl TopicSettings {
    /// `overrides` are those of the topic; the controller has checked them.
    pub(crate) fn new(config: &BrokerConfig, overrides: &BTreeMap<String, String>) -> TopicSettings {
        let required = number(overrides, "min.insync.replicas", i64::from(config.min_insync_replicas));
        let replica =
            ReplicaSettings { lag_time_max: millis(config.replica_lag_time_max_ms), min_insync_replicas: to(required) };
        let bound = |name: &str, default| number(overrides, name, default);
        let timestamps = TimestampBounds {
            before_max_ms: bound("message.timestamp.before.max.ms", config.log_message_timestamp_before_max_ms),
            after_max_ms: bound("message.timestamp.after.max.ms", config.log_message_timestamp_after_max_ms),
        };
        TopicSettings { log: config.log_config(overrides), replica, timestamps, overrides: overrides.clone() }
    }

    /// Whether they are still what the topic says.
    pub(crate) fn are_of(&self, overrides: &BTreeMap<String, String>) -> bool {
        self.overrides == *overrides
    }
}

impl BrokerConfig {
    /// What a topic's logs obey: the topic's settings, which the controller has checked, over the broker's.
    pub fn log_config(&self, overrides: &BTreeMap<String, String>) -> LogConfig {
        let number = |name: &str, default: i64| number(overrides, name, default);
        let text = |name: &str| overrides.get(name).map(String::as_str);
        LogConfig {
            segment_bytes: to(number("segment.bytes", i64::from(self.log_segment_bytes))),
            segment_ms: to(number("segment.ms", self.log_roll_ms)),
            segment_jitter_ms: to(number("segment.jitter.ms", self.log_roll_jitter_ms)),
            index_interval_bytes: to(number("index.interval.bytes", i64::from(self.log_index_interval_bytes))),
            segment_index_bytes: to(number("segment.index.bytes", i64::from(self.log_index_size_max_bytes))),
            max_message_bytes: to(number("max.message.bytes", i64::from(self.message_max_bytes))),
            flush_interval_messages: to(number("flush.messages", self.log_flush_interval_messages)),
            flush_ms: to(number("flush.ms", self.log_flush_interval_ms)),
            timestamp_type: text("message.timestamp.type")
                .and_then(parse_timestamp_type)
                .unwrap_or(self.log_message_timestamp_type.0),
            ack_level: text("logdyno.ack.level").and_then(parse_ack_level).unwrap_or(self.ack_level.0),
            retention_ms: limit(number("retention.ms", self.log_retention_ms)),
            retention_bytes: limit(number("retention.bytes", self.log_retention_bytes)),
            file_delete_delay_ms: to(number("file.delete.delay.ms", self.log_segment_delete_delay_ms)),
            cleanup_policy: text("cleanup.policy").map_or(self.log_cleanup_policy.0, cleanup_policy),
            min_cleanable_dirty_ratio: text("min.cleanable.dirty.ratio")
                .and_then(|ratio| ratio.parse().ok())
                .unwrap_or(self.log_cleaner_min_cleanable_ratio),
            delete_retention_ms: to(number("delete.retention.ms", self.log_cleaner_delete_retention_ms)),
            min_compaction_lag_ms: to(number("min.compaction.lag.ms", self.log_cleaner_min_compaction_lag_ms)),
            max_compaction_lag_ms: to(number("max.compaction.lag.ms", self.log_cleaner_max_compaction_lag_ms)),
            ..LogConfig::default()
        }
    }
}

fn number(overrides: &BTreeMap<String, String>, name: &str, default: i64) -> i64 {
    overrides.get(name).and_then(|text| text.trim().parse().ok()).unwrap_or(default)
}

fn to<T: TryFrom<i64> + Default>(number: i64) -> T {
    T::try_from(number).unwrap_or_default()
}

/// Kafka's -1 is no limit.
fn limit(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}
