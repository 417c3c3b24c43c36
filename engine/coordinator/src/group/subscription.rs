//! Which topics a group's members subscribe to: their offsets neither expire nor may be deleted.

use std::collections::BTreeSet;

use bytes::Buf;

use super::{Group, State};
use crate::error::GroupError;

impl Group {
    /// Whether a member subscribes to the topic, as of the last generation. Of a consumer group that cannot be understood,
    /// all topics are (Kafka's `ClassicGroup.isSubscribedToTopic`).
    pub fn subscribes_to(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.is_of_consumers(),
        }
    }

    /// Whether what was committed for the topic may expire while there are members: only where it is known that none subscribes to it.
    pub fn has_left(&self, topic: &str) -> bool {
        self.state == State::Stable && self.subscribed.as_ref().is_some_and(|topics| !topics.contains(topic))
    }

    /// Whether offsets of topics that are not subscribed to may be deleted: of groups other than of consumers it is not known which
    /// those are.
    pub fn may_delete_offsets(&self) -> Result<(), GroupError> {
        if self.state == State::Empty || self.is_of_consumers() { Ok(()) } else { Err(GroupError::NonEmptyGroup) }
    }

    /// Reads the topics out of what members say to the assignor that was chosen.
    pub(super) fn note_subscriptions(&mut self) {
        let understood = |chosen: &String| {
            let said = self.members.values().map(|member| topics(&member.metadata(chosen)));
            said.collect::<Option<Vec<_>>>().map(|topics| topics.into_iter().flatten().collect())
        };
        self.subscribed = match &self.protocol {
            _ if !self.is_of_consumers() => None,
            _ if self.members.is_empty() => Some(BTreeSet::new()),
            chosen => chosen.as_ref().and_then(understood),
        };
    }

    fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some("consumer")
    }
}

/// The topics of a `ConsumerProtocolSubscription`: version 0, with which all later ones begin.
fn topics(metadata: &[u8]) -> Option<Vec<String>> {
    let mut from = metadata;
    from.try_get_i16().ok()?;
    let count = from.try_get_i32().ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let len = usize::try_from(from.try_get_i16().ok()?).ok()?;
        let (name, rest) = from.split_at_checked(len)?;
        topics.push(String::from_utf8(name.to_vec()).ok()?);
        from = rest;
    }
    let user_data = from.try_get_i32().ok()?;
    (usize::try_from(user_data).unwrap_or(0) <= from.len()).then_some(topics)
}
