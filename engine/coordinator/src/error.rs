//! Why a group says no, as a sentence and as Kafka's error code.

/// A group's no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// A group without a name.
    #[error("a group needs a name")]
    InvalidGroupId,
    /// The member's generation is over.
    #[error("the generation is over: join again")]
    IllegalGeneration,
    /// No protocol that all members know, or another kind of group.
    #[error("the member has no protocol in common with the group")]
    InconsistentProtocol,
    /// Not a member, or not any more.
    #[error("the group has no such member: join again without a member id")]
    UnknownMember,
    /// A session timeout outside of `group.min.session.timeout.ms` to `group.max.session.timeout.ms`.
    #[error("the session timeout is outside of group.min.session.timeout.ms to group.max.session.timeout.ms")]
    InvalidSessionTimeout,
    /// Members are joining: join, too.
    #[error("the group rebalances: join again")]
    RebalanceInProgress,
    /// A deleted or unknown group where one is needed.
    #[error("there is no such group")]
    GroupNotFound,
    /// Only empty groups can be deleted.
    #[error("the group has members: stop them first")]
    NonEmptyGroup,
    /// The client is to come again with the id that it was given (KIP-394).
    #[error("join again with the member id that was given")]
    MemberIdRequired,
    /// `group.max.size`.
    #[error("the group has group.max.size members")]
    GroupMaxSizeReached,
    /// Another member has the `group.instance.id` now.
    #[error("another member with the same group.instance.id has joined")]
    FencedInstance,
    /// Offsets of a topic that the group consumes cannot be deleted.
    #[error("the group subscribes to the topic")]
    SubscribedToTopic,
    /// `offset.metadata.max.bytes`.
    #[error("the metadata of a committed offset are over offset.metadata.max.bytes")]
    MetadataTooLarge,
    /// The groups of its partition are being read.
    #[error("the coordinator still reads its groups: try again")]
    Loading,
    /// Another broker coordinates the group now.
    #[error("another broker coordinates the group")]
    NotCoordinator,
    /// The record could not be appended.
    #[error("the group's state could not be written down: try again")]
    NotStored,
}

impl GroupError {
    /// The code that a Kafka client understands.
    #[must_use]
    pub fn code(self) -> i16 {
        match self {
            GroupError::MetadataTooLarge => 12,
            GroupError::Loading => 14,
            GroupError::NotStored => 15,
            GroupError::NotCoordinator => 16,
            GroupError::IllegalGeneration => 22,
            GroupError::InconsistentProtocol => 23,
            GroupError::InvalidGroupId => 24,
            GroupError::UnknownMember => 25,
            GroupError::InvalidSessionTimeout => 26,
            GroupError::RebalanceInProgress => 27,
            GroupError::NonEmptyGroup => 68,
            GroupError::GroupNotFound => 69,
            GroupError::MemberIdRequired => 79,
            GroupError::GroupMaxSizeReached => 81,
            GroupError::FencedInstance => 82,
            GroupError::SubscribedToTopic => 86,
        }
    }
}
