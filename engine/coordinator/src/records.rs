//! The records of `__consumer_offsets`, in Kafka's schemas (`OffsetCommitKey`, `GroupMetadataKey` and their values).
//!
//! ```text
//! string = length: i16 bytes (-1: none)     bytes = length: i32 bytes     list(x) = count: i32 x…
//! key    = version: i16 = 1  group: string  topic: string  partition: i32                    an offset
//!        | version: i16 = 2  group: string                                                   a group
//! offset = version: i16 = 3  offset: i64  leader epoch: i32  metadata: string  commit time: i64
//! group  = version: i16 = 3  protocol type: string  generation: i32  protocol: string  leader: string
//!          time of the state: i64  list(member id, instance id, client id, client host: string
//!          rebalance timeout, session timeout: i32  subscription, assignment: bytes)
//! ```
//! A key without a value takes the fact back. Values of versions 0 to 3 are read.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::offsets::Committed;

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A committed offset.
    Offset {
        /// Whose.
        group: String,
        /// Of which topic.
        topic: String,
        /// Of which partition.
        partition: i32,
    },
    /// A group's membership.
    Group {
        /// Its name.
        group: String,
    },
}

/// A member as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMember {
    /// Given by the coordinator.
    pub id: String,
    /// `group.instance.id`.
    pub instance: Option<String>,
    /// `client.id`.
    pub client_id: String,
    /// Where it connected from.
    pub client_host: String,
    /// `max.poll.interval.ms`.
    pub rebalance_timeout_ms: i32,
    /// `session.timeout.ms`.
    pub session_timeout_ms: i32,
    /// What it said of itself in the group's protocol.
    pub subscription: Bytes,
    /// What the leader gave it.
    pub assignment: Bytes,
}

/// A group as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGroup {
    /// `consumer`, `connect`…
    pub protocol_type: String,
    /// Counts rebalances.
    pub generation: i32,
    /// The assignor that was chosen.
    pub protocol: Option<String>,
    /// Who assigns.
    pub leader: Option<String>,
    /// When it got into this state, in ms since 1970.
    pub state_ms: i64,
    /// All members; none of an empty group.
    pub members: Vec<StoredMember>,
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of [`Key::Offset`].
    Offset(Committed),
    /// Of [`Key::Group`].
    Group(StoredGroup),
}

/// Why bytes are no such record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Of a kind or version that is not known here.
    #[error("it is of version {0}, which is not known here")]
    Version(i16),
    /// Cut, or not text where text belongs.
    #[error("it is damaged")]
    Damaged,
}

impl From<bytes::TryGetError> for FormatError {
    fn from(_: bytes::TryGetError) -> FormatError {
        FormatError::Damaged
    }
}

const OFFSET_KEY: i16 = 1;
const GROUP_KEY: i16 = 2;
const VALUE: i16 = 3;

impl Key {
    /// The record's key.
    pub fn encode(&self) -> Bytes {
        let mut to = BytesMut::new();
        match self {
            Key::Offset { group, topic, partition } => {
                to.put_i16(OFFSET_KEY);
                put_text(&mut to, Some(group));
                put_text(&mut to, Some(topic));
                to.put_i32(*partition);
            }
            Key::Group { group } => {
                to.put_i16(GROUP_KEY);
                put_text(&mut to, Some(group));
            }
        }
        to.freeze()
    }

    /// Reads a record's key.
    pub fn decode(mut from: &[u8]) -> Result<Key, FormatError> {
        match from.try_get_i16()? {
            0 | OFFSET_KEY => {
                let (group, topic) = (text(&mut from)?, text(&mut from)?);
                Ok(Key::Offset { group, topic, partition: from.try_get_i32()? })
            }
            GROUP_KEY => Ok(Key::Group { group: text(&mut from)? }),
            other => Err(FormatError::Version(other)),
        }
    }
}

impl Committed {
    /// The record's value.
    pub fn encode(&self) -> Bytes {
        let mut to = BytesMut::new();
        to.put_i16(VALUE);
        to.put_i64(self.offset);
        to.put_i32(self.leader_epoch);
        put_text(&mut to, Some(&self.metadata));
        to.put_i64(self.committed_ms);
        to.freeze()
    }

    fn decode(mut from: &[u8]) -> Result<Committed, FormatError> {
        let version = from.try_get_i16()?;
        if !(0..=VALUE).contains(&version) {
            return Err(FormatError::Version(version));
        }
        let offset = from.try_get_i64()?;
        let leader_epoch = if version == VALUE { from.try_get_i32()? } else { -1 };
        Ok(Committed { offset, leader_epoch, metadata: text(&mut from)?, committed_ms: from.try_get_i64()? })
    }
}

impl StoredGroup {
    /// The record's value.
    pub fn encode(&self) -> Bytes {
        let mut to = BytesMut::new();
        to.put_i16(VALUE);
        put_text(&mut to, Some(&self.protocol_type));
        to.put_i32(self.generation);
        put_text(&mut to, self.protocol.as_deref());
        put_text(&mut to, self.leader.as_deref());
        to.put_i64(self.state_ms);
        to.put_i32(i32::try_from(self.members.len()).unwrap_or(i32::MAX));
        for member in &self.members {
            put_text(&mut to, Some(&member.id));
            put_text(&mut to, member.instance.as_deref());
            put_text(&mut to, Some(&member.client_id));
            put_text(&mut to, Some(&member.client_host));
            to.put_i32(member.rebalance_timeout_ms);
            to.put_i32(member.session_timeout_ms);
            put_blob(&mut to, &member.subscription);
            put_blob(&mut to, &member.assignment);
        }
        to.freeze()
    }

    fn decode(mut from: &[u8]) -> Result<StoredGroup, FormatError> {
        let version = from.try_get_i16()?;
        if !(0..=VALUE).contains(&version) {
            return Err(FormatError::Version(version));
        }
        let (protocol_type, generation) = (text(&mut from)?, from.try_get_i32()?);
        let (protocol, leader) = (maybe_text(&mut from)?, maybe_text(&mut from)?);
        let state_ms = if version >= 2 { from.try_get_i64()? } else { -1 };
        let mut members = Vec::new();
        for _ in 0..from.try_get_i32()? {
            let id = text(&mut from)?;
            let instance = if version >= 3 { maybe_text(&mut from)? } else { None };
            let (client_id, client_host) = (text(&mut from)?, text(&mut from)?);
            let rebalance_timeout_ms = if version >= 1 { Some(from.try_get_i32()?) } else { None };
            let session_timeout_ms = from.try_get_i32()?;
            let (subscription, assignment) = (blob(&mut from)?, blob(&mut from)?);
            let rebalance_timeout_ms = rebalance_timeout_ms.unwrap_or(session_timeout_ms);
            members.push(StoredMember {
                id,
                instance,
                client_id,
                client_host,
                rebalance_timeout_ms,
                session_timeout_ms,
                subscription,
                assignment,
            });
        }
        Ok(StoredGroup { protocol_type, generation, protocol, leader, state_ms, members })
    }
}

/// Reads a value that stands behind this key.
pub fn decode_value(key: &Key, value: &[u8]) -> Result<Value, FormatError> {
    match key {
        Key::Offset { .. } => Committed::decode(value).map(Value::Offset),
        Key::Group { .. } => StoredGroup::decode(value).map(Value::Group),
    }
}

fn put_text(to: &mut BytesMut, text: Option<&str>) {
    match text.map(str::as_bytes) {
        None => to.put_i16(-1),
        // Requests are bounded by the same length.
        Some(bytes) => {
            let bytes = &bytes[..bytes.len().min(i16::MAX as usize)];
            to.put_i16(bytes.len() as i16);
            to.put_slice(bytes);
        }
    }
}

fn put_blob(to: &mut BytesMut, blob: &[u8]) {
    to.put_i32(i32::try_from(blob.len()).unwrap_or(i32::MAX));
    to.put_slice(blob);
}

fn maybe_text(from: &mut &[u8]) -> Result<Option<String>, FormatError> {
    let Ok(len) = usize::try_from(from.try_get_i16()?) else { return Ok(None) };
    let bytes = taken(from, len)?;
    String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| FormatError::Damaged)
}

fn text(from: &mut &[u8]) -> Result<String, FormatError> {
    maybe_text(from)?.ok_or(FormatError::Damaged)
}

fn blob(from: &mut &[u8]) -> Result<Bytes, FormatError> {
    let len = usize::try_from(from.try_get_i32()?).map_err(|_| FormatError::Damaged)?;
    taken(from, len).map(Bytes::copy_from_slice)
}

fn taken<'a>(from: &mut &'a [u8], len: usize) -> Result<&'a [u8], FormatError> {
    let (taken, rest) = from.split_at_checked(len).ok_or(FormatError::Damaged)?;
    *from = rest;
    Ok(taken)
}
