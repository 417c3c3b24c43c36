//! What administrators are told of a group.

use bytes::Bytes;

use super::{Group, State};

/// A group as DescribeGroups tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Kafka's word.
    pub state: &'static str,
    /// `consumer`, `connect`…; empty for a group that only has offsets.
    pub protocol_type: String,
    /// The assignor, of a stable group.
    pub protocol: String,
    /// All members.
    pub members: Vec<MemberDescription>,
}

/// A member as DescribeGroups tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub id: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
    /// `client.id`.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// What it said to the assignor; empty unless the group is stable.
    pub metadata: Bytes,
    /// Its part, as of the last time that the group was stable.
    pub assignment: Bytes,
}

impl State {
    /// Kafka's word.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

impl Group {
    /// The group as it is now.
    pub fn describe(&self) -> Description {
        let stable = self.state == State::Stable;
        let chosen = self.protocol.clone().filter(|_| stable).unwrap_or_default();
        let members = self.members.iter().map(|(id, member)| MemberDescription {
            id: id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if stable { member.metadata(&chosen) } else { Bytes::new() },
            assignment: member.assignment.clone(),
        });
        Description {
            state: self.state.name(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            members: members.collect(),
            protocol: chosen,
        }
    }
}
