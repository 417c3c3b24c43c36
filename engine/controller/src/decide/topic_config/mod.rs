//! Which settings a topic can have: Kafka's names (`TopicConfig`), their defaults, and what their values can be.
//!
//! A setting that Kafka knows and LogDyno does not obey is accepted at Kafka's default, where obeying and ignoring are
//! the same, and refused at any other value.

mod rule;

use std::collections::BTreeMap;

use super::Refusal;
pub use rule::{Rule, ValueType, items, joined};

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// Kafka's name, or ours (`logdyno.…`).
    pub name: &'static str,
    /// What it can be.
    pub rule: Rule,
    /// Without a word from topic or broker.
    pub default: &'static str,
    /// The broker's setting that is the default of all its topics, if Kafka has one.
    pub broker: Option<&'static str>,
    /// What it is for, in a sentence.
    pub documentation: &'static str,
}

const INT_MAX: i64 = i32::MAX as i64;
const MIB: i64 = 1 << 20;

const fn setting(
    name: &'static str,
    rule: Rule,
    default: &'static str,
    broker: &'static str,
    documentation: &'static str,
) -> Setting {
    let broker = if broker.is_empty() { None } else { Some(broker) };
    Setting { name, rule, default, broker, documentation }
}

use Rule::{AnyOf, Double, Int, Long, OneOf, OnlyDefault};
use ValueType::{Boolean, List, String as Text};

const NOT_TIERED: &str = "Belongs to tiered storage, which is not built.";

/// All of them, by name.
pub const SETTINGS: &[Setting] = &[
    setting(
        "cleanup.policy",
        AnyOf(&["compact", "delete"]),
        "delete",
        "log.cleanup.policy",
        "What happens to old records: they are deleted, or of each key the latest is kept, or both.",
    ),
    setting(
        "compression.gzip.level",
        OnlyDefault(ValueType::Int),
        "-1",
        "compression.gzip.level",
        "The broker does not recompress.",
    ),
    setting(
        "compression.lz4.level",
        OnlyDefault(ValueType::Int),
        "9",
        "compression.lz4.level",
        "The broker does not recompress.",
    ),
    setting(
        "compression.type",
        OnlyDefault(Text),
        "producer",
        "compression.type",
        "Batches keep the producer's codec: the broker does not recompress.",
    ),
    setting(
        "compression.zstd.level",
        OnlyDefault(ValueType::Int),
        "3",
        "compression.zstd.level",
        "The broker does not recompress.",
    ),
    setting(
        "delete.retention.ms",
        Long(0, i64::MAX),
        "86400000",
        "log.cleaner.delete.retention.ms",
        "How long compaction keeps tombstones.",
    ),
    setting(
        "file.delete.delay.ms",
        Long(0, i64::MAX),
        "60000",
        "log.segment.delete.delay.ms",
        "How long the files of a deleted segment stay for those who still read them.",
    ),
    setting(
        "flush.messages",
        Long(1, i64::MAX),
        "9223372036854775807",
        "log.flush.interval.messages",
        "A sync is started after this many records.",
    ),
    setting(
        "flush.ms",
        Long(0, i64::MAX),
        "9223372036854775807",
        "log.flush.interval.ms",
        "How long a record may wait for the device.",
    ),
    setting("follower.replication.throttled.replicas", OnlyDefault(List), "", "", "Replication is not throttled."),
    setting(
        "index.interval.bytes",
        Int(0, INT_MAX),
        "4096",
        "log.index.interval.bytes",
        "Bytes between two entries of an index.",
    ),
    setting("leader.replication.throttled.replicas", OnlyDefault(List), "", "", "Replication is not throttled."),
    setting("local.retention.bytes", OnlyDefault(ValueType::Long), "-2", "log.local.retention.bytes", NOT_TIERED),
    setting("local.retention.ms", OnlyDefault(ValueType::Long), "-2", "log.local.retention.ms", NOT_TIERED),
    setting(
        "logdyno.ack.level",
        OneOf(&["visible", "written", "durable"]),
        "written",
        "logdyno.ack.level",
        "What an acknowledgement promises: visible to readers, safe from the broker's end, safe from power loss.",
    ),
    setting(
        "max.compaction.lag.ms",
        Long(1, i64::MAX),
        "9223372036854775807",
        "log.cleaner.max.compaction.lag.ms",
        "A record is compacted at the latest after this time.",
    ),
    setting(
        "max.message.bytes",
        Int(0, INT_MAX),
        "1048588",
        "message.max.bytes",
        "The largest batch that is taken from a producer.",
    ),
    setting(
        "message.timestamp.after.max.ms",
        Long(0, i64::MAX),
        "3600000",
        "log.message.timestamp.after.max.ms",
        "How far a producer's timestamp may be ahead of the broker's clock.",
    ),
    setting(
        "message.timestamp.before.max.ms",
        Long(0, i64::MAX),
        "9223372036854775807",
        "log.message.timestamp.before.max.ms",
        "How far a producer's timestamp may be behind the broker's clock.",
    ),
    setting(
        "message.timestamp.type",
        OneOf(&["CreateTime", "LogAppendTime"]),
        "CreateTime",
        "log.message.timestamp.type",
        "Whose time a record has: the producer's or the broker's.",
    ),
    setting(
        "min.cleanable.dirty.ratio",
        Double(0.0, 1.0),
        "0.5",
        "log.cleaner.min.cleanable.ratio",
        "How much of a log may be uncompacted.",
    ),
    setting(
        "min.compaction.lag.ms",
        Long(0, i64::MAX),
        "0",
        "log.cleaner.min.compaction.lag.ms",
        "A record is not compacted before this time.",
    ),
    setting(
        "min.insync.replicas",
        Int(1, INT_MAX),
        "1",
        "min.insync.replicas",
        "How many replicas must be in sync for acks=all.",
    ),
    setting(
        "preallocate",
        OnlyDefault(Boolean),
        "false",
        "log.preallocate",
        "Backends preallocate in their own steps.",
    ),
    setting("remote.log.copy.disable", OnlyDefault(Boolean), "false", "", NOT_TIERED),
    setting("remote.log.delete.on.disable", OnlyDefault(Boolean), "false", "", NOT_TIERED),
    setting("remote.storage.enable", OnlyDefault(Boolean), "false", "", NOT_TIERED),
    setting(
        "retention.bytes",
        Long(i64::MIN, i64::MAX),
        "-1",
        "log.retention.bytes",
        "The oldest segments are deleted as long as this much is left; below 0 there is no limit.",
    ),
    setting(
        "retention.ms",
        Long(-1, i64::MAX),
        "604800000",
        "log.retention.ms",
        "A segment is deleted when its youngest record is older than this; -1 for never.",
    ),
    setting("segment.bytes", Int(MIB, INT_MAX), "1073741824", "log.segment.bytes", "The largest segment file."),
    setting("segment.index.bytes", Int(4, INT_MAX), "10485760", "log.index.size.max.bytes", "The largest index file."),
    setting(
        "segment.jitter.ms",
        Long(0, i64::MAX),
        "0",
        "log.roll.jitter.ms",
        "Up to this much is taken off segment.ms, by chance.",
    ),
    setting("segment.ms", Long(1, i64::MAX), "604800000", "log.roll.ms", "The age at which a segment is closed."),
    setting(
        "unclean.leader.election.enable",
        OnlyDefault(Boolean),
        "false",
        "unclean.leader.election.enable",
        "Whether a replica outside the ISR may lead, and records be lost by it.",
    ),
];

/// The setting of this name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// A value as it is stored, if a topic may have it (error 40).
pub fn check(name: &str, value: Option<&str>) -> Result<String, Refusal> {
    let invalid = |reason: String| Err(Refusal::InvalidConfig { reason });
    let Some(setting) = find(name) else { return invalid(format!("'{name}' is not a topic setting")) };
    let Some(value) = value else {
        return invalid(format!("{name} has no value: leave it out to get the default"));
    };
    setting
        .rule
        .check(value, setting.default)
        .or_else(|reason| invalid(format!("{name} cannot be '{value}': {reason}")))
}

/// The settings of a topic, all of them good.
pub fn check_all<'a>(
    configs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<BTreeMap<String, String>, Refusal> {
    configs.into_iter().map(|(name, value)| Ok((name.to_owned(), check(name, value)?))).collect()
}
