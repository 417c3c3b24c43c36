//! What a replica answers when it cannot serve, as a sentence and as Kafka's error code.

use logdyno_record::{BrokerId, LeaderEpoch, Offset, TopicPartition};
use logdyno_segment_log::LogError;

/// Why a request to a replica failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReplicaError {
    /// This broker does not lead the partition, or stopped leading it while the request waited.
    #[error("this broker does not lead {partition}: ask for fresh metadata and go to its leader")]
    NotLeader {
        /// The partition.
        partition: TopicPartition,
    },
    /// The request was meant for an earlier leadership.
    #[error(
        "the request for {partition} names leader epoch {asked}, which {ours} has replaced: ask for fresh metadata"
    )]
    FencedLeaderEpoch {
        /// The partition.
        partition: TopicPartition,
        /// The epoch of the request.
        asked: LeaderEpoch,
        /// The epoch here.
        ours: LeaderEpoch,
    },
    /// The request comes from a client that knows a newer leadership than this broker.
    #[error("the request for {partition} names leader epoch {asked}, this broker has heard of {ours} only: try again")]
    UnknownLeaderEpoch {
        /// The partition.
        partition: TopicPartition,
        /// The epoch of the request.
        asked: LeaderEpoch,
        /// The epoch here.
        ours: LeaderEpoch,
    },
    /// A broker fetches as a follower and has no replica by what this leader knows.
    #[error(
        "broker {follower} fetches {partition} as a follower, but is not among its replicas as far as this leader knows"
    )]
    UnknownFollower {
        /// The partition.
        partition: TopicPartition,
        /// Who asked.
        follower: BrokerId,
        /// Whether the request named this leader's epoch: then the follower has newer metadata.
        named_epoch: bool,
    },
    /// acks=all is refused: nothing was appended.
    #[error(
        "{partition} has {in_sync} replicas in sync, acks=all needs min.insync.replicas={needed}: nothing was appended; see which brokers are down"
    )]
    NotEnoughReplicas {
        /// The partition.
        partition: TopicPartition,
        /// Members of the ISR.
        in_sync: usize,
        /// Members needed.
        needed: usize,
    },
    /// The ISR shrank below the floor after the append: the records are in the log and may become visible.
    #[error(
        "{partition} was appended to, but then only {in_sync} replicas were in sync and acks=all needs min.insync.replicas={needed}"
    )]
    NotEnoughReplicasAfterAppend {
        /// The partition.
        partition: TopicPartition,
        /// Members of the maximal ISR.
        in_sync: usize,
        /// Members needed.
        needed: usize,
    },
    /// Not all in-sync replicas had the records when the request's time was over.
    #[error(
        "not all in-sync replicas of {partition} had offset {offset} in time: the records are in the log and may still become visible"
    )]
    TimedOut {
        /// The partition.
        partition: TopicPartition,
        /// The last offset appended.
        offset: Offset,
    },
    /// A fetch from outside the log.
    #[error("offset {from} of {partition} is out of range: the log holds {start} up to {end}")]
    OffsetOutOfRange {
        /// The partition.
        partition: TopicPartition,
        /// What was asked for.
        from: Offset,
        /// The first offset.
        start: Offset,
        /// The log end offset.
        end: Offset,
    },
    /// A new leader does not know yet what is committed.
    #[error(
        "the end of {partition} is not known yet: its leader waits for the in-sync replicas to reach the start of epoch {epoch}; try again"
    )]
    OffsetNotAvailable {
        /// The partition.
        partition: TopicPartition,
        /// The leadership that has just begun.
        epoch: LeaderEpoch,
    },
    /// The leader lacks what was committed, and this replica has it.
    #[error(
        "the leader's log of {partition} parts from this one at {end}, before the high watermark {high_watermark}: the leader has lost records that were committed. \
         This replica keeps them and stops following; give the leader its data back, or delete this replica's directory to go on without them"
    )]
    CommittedElsewhere {
        /// The partition.
        partition: TopicPartition,
        /// Where this log was to be cut.
        end: Offset,
        /// What is known to be committed.
        high_watermark: Offset,
    },
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl ReplicaError {
    /// The error code that a Kafka client understands.
    pub fn code(&self) -> i16 {
        match self {
            ReplicaError::NotLeader { .. } | ReplicaError::UnknownFollower { named_epoch: false, .. } => 6,
            ReplicaError::FencedLeaderEpoch { .. } => 74,
            ReplicaError::UnknownLeaderEpoch { .. } | ReplicaError::UnknownFollower { .. } => 75,
            ReplicaError::NotEnoughReplicas { .. } => 19,
            ReplicaError::NotEnoughReplicasAfterAppend { .. } => 20,
            ReplicaError::TimedOut { .. } => 7,
            ReplicaError::OffsetOutOfRange { .. } => 1,
            ReplicaError::OffsetNotAvailable { .. } => 78,
            // Nobody is answered with it: it ends what a follower does by itself.
            ReplicaError::CommittedElsewhere { .. } => -1,
            ReplicaError::Log(error) => error.code(),
        }
    }
}
