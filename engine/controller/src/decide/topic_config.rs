//! Which settings a topic can have: Kafka's names (`TopicConfig`), and what their values can be.
//!
//! A setting that Kafka knows and LogDyno does not obey yet is accepted at Kafka's default, where
//! obeying and ignoring are the same, and refused at any other value.

use super::Refusal;

/// What LogDyno makes of a setting.
enum Rule {
    /// A whole number between both.
    Number(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Known to Kafka, not built: only its default is accepted.
    NotBuilt(&'static str),
}

const INT_MAX: i64 = i32::MAX as i64;
const MIB: i64 = 1 << 20;

const RULES: &[(&str, Rule)] = &[
    ("cleanup.policy", Rule::NotBuilt("delete")),
    ("compression.gzip.level", Rule::NotBuilt("-1")),
    ("compression.lz4.level", Rule::NotBuilt("9")),
    ("compression.type", Rule::NotBuilt("producer")),
    ("compression.zstd.level", Rule::NotBuilt("3")),
    ("delete.retention.ms", Rule::NotBuilt("86400000")),
    ("file.delete.delay.ms", Rule::NotBuilt("60000")),
    ("flush.messages", Rule::Number(1, i64::MAX)),
    ("flush.ms", Rule::NotBuilt("9223372036854775807")),
    ("follower.replication.throttled.replicas", Rule::NotBuilt("")),
    ("index.interval.bytes", Rule::Number(0, INT_MAX)),
    ("leader.replication.throttled.replicas", Rule::NotBuilt("")),
    ("local.retention.bytes", Rule::NotBuilt("-2")),
    ("local.retention.ms", Rule::NotBuilt("-2")),
    ("logdyno.ack.level", Rule::OneOf(&["visible", "written", "durable"])),
    ("max.compaction.lag.ms", Rule::NotBuilt("9223372036854775807")),
    ("max.message.bytes", Rule::Number(0, INT_MAX)),
    ("message.timestamp.after.max.ms", Rule::NotBuilt("3600000")),
    ("message.timestamp.before.max.ms", Rule::NotBuilt("9223372036854775807")),
    ("message.timestamp.type", Rule::OneOf(&["CreateTime", "LogAppendTime"])),
    ("min.cleanable.dirty.ratio", Rule::NotBuilt("0.5")),
    ("min.compaction.lag.ms", Rule::NotBuilt("0")),
    ("min.insync.replicas", Rule::Number(1, INT_MAX)),
    ("preallocate", Rule::NotBuilt("false")),
    ("remote.log.copy.disable", Rule::NotBuilt("false")),
    ("remote.log.delete.on.disable", Rule::NotBuilt("false")),
    ("remote.storage.enable", Rule::NotBuilt("false")),
    ("retention.bytes", Rule::NotBuilt("-1")),
    ("retention.ms", Rule::NotBuilt("604800000")),
    ("segment.bytes", Rule::Number(MIB, INT_MAX)),
    ("segment.index.bytes", Rule::Number(4, INT_MAX)),
    ("segment.jitter.ms", Rule::Number(0, i64::MAX)),
    ("segment.ms", Rule::Number(1, i64::MAX)),
    ("unclean.leader.election.enable", Rule::NotBuilt("false")),
];

/// Whether a topic may have this setting (error 40).
pub fn check(name: &str, value: Option<&str>) -> Result<(), Refusal> {
    let invalid = |reason: String| Err(Refusal::InvalidConfig { reason });
    let Some((_, rule)) = RULES.iter().find(|(known, _)| *known == name) else {
        return invalid(format!("'{name}' is not a topic setting"));
    };
    let Some(value) = value else {
        return invalid(format!("{name} has no value: leave it out to get the default"));
    };
    match rule {
        Rule::Number(least, most) => match value.trim().parse::<i64>() {
            Ok(number) if (*least..=*most).contains(&number) => Ok(()),
            _ => invalid(format!("{name} cannot be '{value}': it is a whole number from {least} to {most}")),
        },
        Rule::OneOf(words) if words.contains(&value) => Ok(()),
        Rule::OneOf(words) => invalid(format!("{name} cannot be '{value}': it is one of {}", words.join(", "))),
        Rule::NotBuilt(default) if value == *default => Ok(()),
        Rule::NotBuilt(default) => {
            invalid(format!("{name} is not built yet: it can only have Kafka's default, '{default}', not '{value}'"))
        }
    }
}
