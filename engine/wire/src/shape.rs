//! Whether a body has the shape of its kind, found out without allocating.
//!
//! `kafka-protocol` reserves memory for as many elements as a list claims to have, before it has seen one: twenty bytes would take the
//! process down. So every request is walked once beforehand; lists then have the elements that they claim.

use bytes::Buf;
use kafka_protocol::messages::ApiKey;

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misshapen {
    /// It ends too early.
    #[error("it ends in the middle of a field")]
    Cut,
    /// A length below -1, or a variable-length number without end.
    #[error("it has a length that cannot be")]
    Length,
    /// Nobody has described this API here.
    #[error("requests of this kind are not known here")]
    Unknown,
}

/// A field, in the versions in which it is present.
struct Field {
    from: i16,
    to: i16,
    kind: Kind,
}

enum Kind {
    /// A number or UUID of this many bytes.
    Fixed(usize),
    /// A string, nullable or not.
    Text,
    /// Bytes, nullable or not.
    Blob,
    /// A list of structures.
    List(&'static [Field]),
    /// A list of numbers of this many bytes.
    Numbers(usize),
    /// A list of strings.
    Texts,
}

use Kind::{Blob, Fixed, List, Numbers, Text, Texts};

const fn always(kind: Kind) -> Field {
    Field { from: 0, to: i16::MAX, kind }
}
const fn since(from: i16, kind: Kind) -> Field {
    Field { from, to: i16::MAX, kind }
}
const fn until(to: i16, kind: Kind) -> Field {
    Field { from: 0, to, kind }
}

const PRODUCE: &[Field] = &[
    always(Text),
    always(Fixed(2)),
    always(Fixed(4)),
    always(List(&[until(12, Text), since(13, Fixed(16)), always(List(&[always(Fixed(4)), always(Blob)]))])),
];
const FETCH: &[Field] = &[
    until(14, Fixed(4)),
    always(Fixed(4 + 4 + 4 + 1)),
    since(7, Fixed(4 + 4)),
    always(List(&[until(12, Text), since(13, Fixed(16)), always(List(FETCH_PARTITION))])),
    since(7, List(&[until(12, Text), since(13, Fixed(16)), always(Numbers(4))])),
    since(11, Text),
];
const FETCH_PARTITION: &[Field] = &[
    always(Fixed(4)),
    since(9, Fixed(4)),
    always(Fixed(8)),
    since(12, Fixed(4)),
    since(5, Fixed(8)),
    always(Fixed(4)),
];
const LIST_OFFSETS: &[Field] = &[
    always(Fixed(4)),
    since(2, Fixed(1)),
    always(List(&[always(Text), always(List(&[always(Fixed(4)), since(4, Fixed(4)), always(Fixed(8))]))])),
    since(10, Fixed(4)),
];
const METADATA: &[Field] = &[
    always(List(&[since(10, Fixed(16)), always(Text)])),
    since(4, Fixed(1)),
    Field { from: 8, to: 10, kind: Fixed(1) },
    since(8, Fixed(1)),
];
const API_VERSIONS: &[Field] = &[since(3, Text), since(3, Text)];
const CREATE_TOPICS: &[Field] = &[
    always(List(&[
        always(Text),
        always(Fixed(4 + 2)),
        always(List(&[always(Fixed(4)), always(Numbers(4))])),
        always(List(&[always(Text), always(Text)])),
    ])),
    always(Fixed(4 + 1)),
];
const DELETE_TOPICS: &[Field] =
    &[since(6, List(&[always(Text), always(Fixed(16))])), until(5, Texts), always(Fixed(4))];
const OFFSET_FOR_LEADER_EPOCH: &[Field] =
    &[since(3, Fixed(4)), always(List(&[always(Text), always(List(&[always(Fixed(4 + 4 + 4))]))]))];
const FIND_COORDINATOR: &[Field] = &[until(3, Text), since(1, Fixed(1)), since(4, Texts)];
const DESCRIBE_CLUSTER: &[Field] = &[always(Fixed(1)), since(1, Fixed(1))];
const ALTER_PARTITION: &[Field] =
    &[always(Fixed(4 + 8)), always(List(&[always(Fixed(16)), always(List(ALTERED_PARTITION))]))];
const ALTERED_PARTITION: &[Field] =
    &[always(Fixed(4 + 4)), until(2, Numbers(4)), since(3, List(&[always(Fixed(4 + 8))])), always(Fixed(1 + 4))];
const BROKER_REGISTRATION: &[Field] = &[
    always(Fixed(4)),
    always(Text),
    always(Fixed(16)),
    always(List(&[always(Text), always(Text), always(Fixed(2 + 2))])),
    always(List(&[always(Text), always(Fixed(2 + 2))])),
    always(Text),
    since(1, Fixed(1)),
    since(2, Numbers(16)),
    since(3, Fixed(8)),
];
const BROKER_HEARTBEAT: &[Field] = &[always(Fixed(4 + 8 + 8 + 1 + 1))];

/// The fields of a request, and the first version with compact lengths and tagged fields.
fn described(api: ApiKey) -> Option<(&'static [Field], i16)> {
    Some(match api {
        ApiKey::Produce => (PRODUCE, 9),
        ApiKey::Fetch => (FETCH, 12),
        ApiKey::ListOffsets => (LIST_OFFSETS, 6),
        ApiKey::Metadata => (METADATA, 9),
        ApiKey::ApiVersions => (API_VERSIONS, 3),
        ApiKey::CreateTopics => (CREATE_TOPICS, 5),
        ApiKey::DeleteTopics => (DELETE_TOPICS, 4),
        ApiKey::OffsetForLeaderEpoch => (OFFSET_FOR_LEADER_EPOCH, 4),
        ApiKey::FindCoordinator => (FIND_COORDINATOR, 3),
        ApiKey::DescribeCluster => (DESCRIBE_CLUSTER, 0),
        ApiKey::AlterPartition => (ALTER_PARTITION, 0),
        ApiKey::BrokerRegistration => (BROKER_REGISTRATION, 0),
        ApiKey::BrokerHeartbeat => (BROKER_HEARTBEAT, 0),
        _ => return None,
    })
}

/// Walks a request body. Bytes behind its end are left alone, as Kafka leaves them.
pub fn check(api: ApiKey, version: i16, body: &[u8]) -> Result<(), Misshapen> {
    let (fields, flexible_from) = described(api).ok_or(Misshapen::Unknown)?;
    let mut walk = Walk { rest: body, version, flexible: version >= flexible_from };
    walk.structure(fields)
}

/// Walks a request header. The client id keeps its classic length also where the header is flexible.
pub(crate) fn check_header(frame: &[u8], header_version: i16) -> Result<(), Misshapen> {
    let mut walk = Walk { rest: frame, version: header_version, flexible: false };
    walk.skip(2 + 2 + 4)?;
    walk.field(&Text)?;
    if header_version >= 2 { walk.tagged_fields() } else { Ok(()) }
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field]) -> Result<(), Misshapen> {
        for field in fields {
            if (field.from..=field.to).contains(&self.version) {
                self.field(&field.kind)?;
            }
        }
        if self.flexible { self.tagged_fields() } else { Ok(()) }
    }

    fn field(&mut self, kind: &Kind) -> Result<(), Misshapen> {
        match kind {
            Fixed(bytes) => self.skip(*bytes),
            Text => {
                let bytes = self.length(2)?;
                self.skip(bytes)
            }
            Blob => {
                let bytes = self.length(4)?;
                self.skip(bytes)
            }
            Numbers(bytes) => {
                let count = self.length(4)?;
                self.skip(count.checked_mul(*bytes).ok_or(Misshapen::Length)?)
            }
            Texts => {
                let count = self.length(4)?;
                (0..count).try_for_each(|_| self.field(&Text))
            }
            List(fields) => {
                let count = self.length(4)?;
                (0..count).try_for_each(|_| self.structure(fields))
            }
        }
    }

    /// A length; null counts as 0.
    fn length(&mut self, classic_bytes: usize) -> Result<usize, Misshapen> {
        if self.flexible {
            return Ok(self.varint()?.saturating_sub(1) as usize);
        }
        let length = match classic_bytes {
            2 => self.rest.try_get_i16().map(i32::from),
            _ => self.rest.try_get_i32(),
        };
        match length.map_err(|_| Misshapen::Cut)? {
            -1 => Ok(0),
            length => usize::try_from(length).map_err(|_| Misshapen::Length),
        }
    }

    fn tagged_fields(&mut self) -> Result<(), Misshapen> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let bytes = self.varint()? as usize;
            self.skip(bytes)?;
        }
        Ok(())
    }

    fn varint(&mut self) -> Result<u32, Misshapen> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.rest.try_get_u8().map_err(|_| Misshapen::Cut)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| Misshapen::Length);
            }
        }
        Err(Misshapen::Length)
    }

    fn skip(&mut self, bytes: usize) -> Result<(), Misshapen> {
        self.rest = self.rest.get(bytes..).ok_or(Misshapen::Cut)?;
        Ok(())
    }
}
