//! Requests by chance: mostly of things that exist, some at their edges, some that nobody should send.

mod cluster;
mod configs;
mod data;
mod groups;
mod records;
mod topics;

use logdyno_wire::StrBytes;
use logdyno_wire::messages::{ApiKey, BrokerId, GroupId, RequestKind, TopicName};
use uuid::Uuid;

use crate::random::Random;
use crate::side::Side;

pub use groups::{REBALANCE, sync_after};

/// Topics that stay, and ones that come and go. What is behind them can have no topic.
pub const STAYING: &[&str] = &["alpha", "beta", "gamma", "compacted"];
const PASSING: &[&str] = &["passing-1", "passing-2", "passing.3", "passing_4"];
const IMPOSSIBLE: &[&str] = &["", ".", "..", "no such topic", "slash/slash", "missing"];
pub const GROUPS: &[&str] = &["group-a", "group-b", "group-c", "group-d"];

/// What requests are made from: chance, and one server's names for things.
pub struct Maker<'a> {
    pub random: &'a mut Random,
    pub side: &'a Side,
    pub version: i16,
    /// Milliseconds since 1970, the same for the whole run.
    pub now_ms: i64,
}

/// A request of this kind; `None` where this version has no words for what chance made of it.
pub fn request(api: ApiKey, maker: &mut Maker) -> RequestKind {
    match api {
        ApiKey::Produce
        | ApiKey::Fetch
        | ApiKey::ListOffsets
        | ApiKey::OffsetForLeaderEpoch
        | ApiKey::DeleteRecords => data::request(api, maker),
        ApiKey::CreateTopics | ApiKey::DeleteTopics | ApiKey::CreatePartitions => topics::request(api, maker),
        ApiKey::DescribeConfigs | ApiKey::AlterConfigs | ApiKey::IncrementalAlterConfigs => {
            configs::request(api, maker)
        }
        ApiKey::JoinGroup
        | ApiKey::SyncGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::DescribeGroups
        | ApiKey::ListGroups
        | ApiKey::DeleteGroups
        | ApiKey::OffsetCommit
        | ApiKey::OffsetFetch
        | ApiKey::OffsetDelete => groups::request(api, maker),
        _ => cluster::request(api, maker),
    }
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

impl Maker<'_> {
    fn topic(&mut self) -> &'static str {
        match self.random.below(100) {
            0..80 => self.random.pick(STAYING),
            80..93 => self.random.pick(PASSING),
            _ => self.random.pick(IMPOSSIBLE),
        }
    }

    fn topic_id(&mut self) -> Uuid {
        let topic = self.topic();
        let strange = if self.random.percent(50) { Uuid::nil() } else { Uuid::from_u128(0x1234_5678) };
        self.side.topics.get(topic).copied().unwrap_or(strange)
    }

    fn partition(&mut self) -> i32 {
        if self.random.percent(85) { self.random.below(3) as i32 } else { self.random.pick(&[-1, 3, 99, i32::MAX]) }
    }

    fn offset(&mut self) -> i64 {
        match self.random.below(100) {
            0..80 => self.random.below(300) as i64,
            _ => self.random.pick(&[0, 0, -1, -2, -3, 1 << 40, i64::MAX]),
        }
    }

    /// A leader epoch to be checked against: mostly none.
    fn epoch(&mut self) -> i32 {
        if self.random.percent(70) { -1 } else { self.random.pick(&[0, 0, 0, 1, 5, -2]) }
    }

    fn group(&mut self) -> GroupId {
        let group =
            if self.random.percent(95) { self.random.pick(GROUPS) } else { self.random.pick(&["", "no group"]) };
        GroupId(text(group))
    }

    fn member(&mut self) -> StrBytes {
        let known = &self.side.members;
        match self.random.below(100) {
            0..70 if !known.is_empty() => text(&known[known.len() - 1 - self.random.below(known.len().min(8))]),
            0..92 => text(""),
            _ => text("nobody"),
        }
    }

    fn broker(&mut self) -> BrokerId {
        BrokerId(self.random.pick(&[1, 1, 1, 1, 0, -1, 77]))
    }

    /// Milliseconds that a request may take.
    fn timeout(&mut self) -> i32 {
        self.random.pick(&[5_000, 5_000, 10_000, 30_000])
    }
}
