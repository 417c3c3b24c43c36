//! A log's settings, under Kafka's topic-level names with underscores for dots.

use logdyno_record::Offset;
use logdyno_record::batch::TimestampType;
use logdyno_storage::Level;

/// A topic's settings as far as its logs obey them. Defaults are Kafka 4.x's.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// A segment file holds at most this many bytes. Default 1 GiB.
    pub segment_bytes: u64,
    /// A segment is rolled when the records' time has moved on by this much. Default 7 days.
    pub segment_ms: u64,
    /// Up to this much is taken off `segment_ms`, by chance for each segment, so that not all roll at once. Default 0.
    pub segment_jitter_ms: u64,
    /// An index entry is due after this many bytes. Default 4096.
    pub index_interval_bytes: u64,
    /// A segment is rolled when an index would grow beyond this. Default 10 MiB.
    pub segment_index_bytes: u64,
    /// A larger batch is refused. Default 1,048,588.
    pub max_message_bytes: usize,
    /// Whose time the records carry. Default the producer's.
    pub timestamp_type: TimestampType,
    /// What an acknowledgement promises (our own setting, `logdyno.ack.level`). Default [`Level::Written`].
    pub ack_level: Level,
    /// A sync to [`Level::Durable`] is started after this many records. Default never.
    pub flush_interval_messages: u64,
    /// What is appended is durable after this time, if [`crate::Log::flush_aged`] is called that often. Default never.
    pub flush_ms: u64,
    /// How many syncs of one level may run at once; what is asked for meanwhile goes with the next. Default 2.
    pub commits_in_flight: usize,
    /// What becomes of old records. Default they are deleted.
    pub cleanup_policy: CleanupPolicy,
    /// A segment whose youngest record is older than this is deleted; `None` (Kafka's -1) keeps all. Default 7 days.
    pub retention_ms: Option<u64>,
    /// The oldest segments are deleted as long as this much is left; `None` (Kafka's -1) keeps all. Default `None`.
    pub retention_bytes: Option<u64>,
    /// A log is compacted when more of it than this is dirty. Default 0.5.
    pub min_cleanable_dirty_ratio: f64,
    /// How long compaction keeps tombstones, so that who reads from the start learns of them. Default 1 day.
    pub delete_retention_ms: u64,
    /// A younger record is not compacted. Default 0.
    pub min_compaction_lag_ms: u64,
    /// A log with an older dirty record is compacted, however little of it is dirty. Default never.
    pub max_compaction_lag_ms: u64,
    /// How long the files of a deleted segment stay, renamed, for those who still read them. Default 60 s.
    pub file_delete_delay_ms: u64,
}

/// `cleanup.policy`: one, both, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// `retention.ms` and `retention.bytes` count.
    pub delete: bool,
    /// Of each key, only the latest record is kept.
    pub compact: bool,
}

impl CleanupPolicy {
    /// `delete`.
    pub const DELETE: CleanupPolicy = CleanupPolicy { delete: true, compact: false };
    /// `compact`.
    pub const COMPACT: CleanupPolicy = CleanupPolicy { delete: false, compact: true };
}

impl LogConfig {
    /// The age at which a segment is rolled: one that is to be compacted in time must not stay the active one for longer
    /// (Kafka's `LogConfig.maxSegmentMs`).
    pub(crate) fn segment_ms_max(&self) -> u64 {
        if self.cleanup_policy.compact { self.segment_ms.min(self.max_compaction_lag_ms) } else { self.segment_ms }
    }
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3600 * 1000,
            segment_jitter_ms: 0,
            index_interval_bytes: 4096,
            segment_index_bytes: 10 << 20,
            max_message_bytes: 1_048_588,
            timestamp_type: TimestampType::CreateTime,
            ack_level: Level::Written,
            flush_interval_messages: u64::MAX,
            flush_ms: u64::MAX,
            commits_in_flight: 2,
            cleanup_policy: CleanupPolicy::DELETE,
            retention_ms: Some(7 * 24 * 3600 * 1000),
            retention_bytes: None,
            min_cleanable_dirty_ratio: 0.5,
            delete_retention_ms: 24 * 3600 * 1000,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX as u64,
            file_delete_delay_ms: 60_000,
        }
    }
}

/// What the data directory knows of a log that is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The last stop was clean: the files end where the log ends.
    pub clean_shutdown: bool,
    /// Everything before it was durable: a bad batch there is damage, not a torn tail.
    pub recovery_point: Offset,
    /// Nothing before it is the log's any more, whatever the files hold (DeleteRecords).
    pub log_start: Offset,
}
