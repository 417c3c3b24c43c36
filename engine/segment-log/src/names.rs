//! File and folder names of a log, built and parsed here and nowhere else.

use logdyno_record::{Offset, TopicPartition};

pub(crate) const EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
pub(crate) const PARTITION_METADATA: &str = "partition.metadata";
pub(crate) const META: &str = "meta.properties";
pub(crate) const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
pub(crate) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub(crate) const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
pub(crate) const LOG_STARTS: &str = "log-start-offset-checkpoint";
pub(crate) const CLEANED_OFFSETS: &str = "cleaner-offset-checkpoint";
pub(crate) const LOCK: &str = ".lock";
/// Ends the name of a folder that waits for its removal.
pub(crate) const DELETED_FOLDER: &str = "-delete";

/// Ends the name of a file that waits for its removal.
const DELETED: &str = ".deleted";

/// Ends the name of a file that compaction writes.
const CLEANED: &str = ".cleaned";
/// Ends the name of a file that compaction has written.
const SWAP: &str = ".swap";

/// The files of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Log,
    OffsetIndex,
    TimeIndex,
    /// Only where transactions were aborted.
    TransactionIndex,
    /// Its number is the offset that it was taken at, mostly a segment's start.
    ProducerSnapshot,
}

impl Kind {
    pub(crate) const ALL: [Kind; 5] =
        [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex, Kind::TransactionIndex, Kind::ProducerSnapshot];

    fn suffix(self) -> &'static str {
        match self {
            Kind::Log => "log",
            Kind::OffsetIndex => "index",
            Kind::TimeIndex => "timeindex",
            Kind::TransactionIndex => "txnindex",
            Kind::ProducerSnapshot => "snapshot",
        }
    }
}

/// Twenty digits of base offset and the kind's suffix.
pub(crate) fn file(base: Offset, kind: Kind) -> String {
    format!("{:020}.{}", base.0, kind.suffix())
}

/// The segment and kind that a file's name speaks of.
pub(crate) fn parse_file(name: &str) -> Option<(Offset, Kind)> {
    let (digits, suffix) = name.split_once('.')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.suffix() == suffix)?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((Offset(digits.parse().ok()?), kind))
}

/// What a file is called from its deletion until its removal.
pub(crate) fn deleted(name: &str) -> String {
    format!("{name}{DELETED}")
}

/// What the file of a compacted segment is called while it is written.
pub(crate) fn cleaned(base: Offset) -> String {
    format!("{}{CLEANED}", file(base, Kind::Log))
}

/// What it is called from when it is whole until it has taken the place of those that it was made of.
pub(crate) fn swap(base: Offset) -> String {
    format!("{}{SWAP}", file(base, Kind::Log))
}

/// The segment of a file that is to take a place.
pub(crate) fn parse_swap(name: &str) -> Option<Offset> {
    match parse_file(name.strip_suffix(SWAP)?)? {
        (base, Kind::Log) => Some(base),
        _ => None,
    }
}

/// What an interrupted deletion or compaction leaves behind; of a swap, only the segment itself is of use.
pub(crate) fn is_leftover(name: &str) -> bool {
    name.ends_with(DELETED) || name.ends_with(CLEANED) || name.ends_with(SWAP) && parse_swap(name).is_none()
}

/// The partition of a folder named `topic-partition`; a topic's name may hold dashes.
pub(crate) fn parse_folder(name: &str) -> Option<TopicPartition> {
    let (topic, partition) = name.rsplit_once('-')?;
    let digits = !partition.is_empty() && partition.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !topic.is_empty()).then(|| Some(TopicPartition::new(topic, partition.parse().ok()?)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_kafkas() {
        assert_eq!(file(Offset(42), Kind::Log), "00000000000000000042.log");
        assert_eq!(file(Offset(0), Kind::TimeIndex), "00000000000000000000.timeindex");
    }

    #[test]
    fn only_own_names_are_parsed() {
        assert_eq!(parse_file("00000000000000000042.index"), Some((Offset(42), Kind::OffsetIndex)));
        assert_eq!(parse_swap(&swap(Offset(42))), Some(Offset(42)));
        assert!(is_leftover("00000000000000000042.index.swap") && !is_leftover(&swap(Offset(42))));
        for foreign in
            ["42.log", "00000000000000000042.log.deleted", "0000000000000000004x.log", "leader-epoch-checkpoint"]
        {
            assert_eq!(parse_file(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn folders_name_partitions() {
        assert_eq!(parse_folder("a-b-3"), Some(TopicPartition::new("a-b", 3)));
        for foreign in ["a", "-1", "a-", "a-b", "t-0.5f-delete"] {
            assert_eq!(parse_folder(foreign), None, "{foreign}");
        }
    }
}
