//! The encoding of a metadata record: the value of a Kafka v2 record without a key.
//!
//! ```text
//! value      = format kind fields          format: u8 = 1      kind: u8, see `Kind`
//! string     = length:u16 bytes (UTF-8)    option(x) = 0 | 1 x
//! list(x)    = count:u16 x…                id, epoch: i32 · broker epoch: i64 · uuid: 16 bytes
//! ```
//! Numbers are big-endian, fields stand in the order of the variants of [`MetadataRecord`]. A reader that
//! meets a format or kind it does not know stops: facts may not be skipped.

use logdyno_record::{BrokerId, LeaderEpoch};
use uuid::Uuid;

use super::{Endpoint, MetadataRecord, PartitionState};

const FORMAT: u8 = 1;

const CLUSTER: u8 = 0;
const BROKER_REGISTERED: u8 = 1;
const BROKER_FENCED: u8 = 2;
const TOPIC: u8 = 3;
const TOPIC_CONFIG: u8 = 4;
const PARTITION: u8 = 5;
const TOPIC_REMOVED: u8 = 6;
const TOPIC_CONFIG_REMOVED: u8 = 7;
const PRODUCER_IDS: u8 = 8;

/// Why bytes are no metadata record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Written by a later version.
    #[error(
        "the record has format {format} and kind {kind}, which this version does not know: use the version that wrote it, or a newer one"
    )]
    Unknown {
        /// The first byte.
        format: u8,
        /// The second byte.
        kind: u8,
    },
    /// Cut, too long, or not text where text belongs.
    #[error("the record is damaged: its {field} cannot be read")]
    Damaged {
        /// What was being read.
        field: &'static str,
    },
}

/// The record as bytes.
///
/// # Panics
/// If a string is longer than 65,535 bytes or a list than 65,535 items: requests are checked before.
pub fn encode(record: &MetadataRecord) -> Vec<u8> {
    let mut to = Writer(vec![FORMAT]);
    match record {
        MetadataRecord::Cluster { id } => to.kind(CLUSTER).string(id),
        MetadataRecord::BrokerRegistered { broker, incarnation, endpoints, rack } => {
            let to = to.kind(BROKER_REGISTERED).id(*broker).uuid(*incarnation);
            to.list(endpoints, |to, endpoint| {
                to.string(&endpoint.listener).string(&endpoint.host).raw(&endpoint.port.to_be_bytes());
            });
            to.option(rack.as_deref(), |to, rack| {
                to.string(rack);
            })
        }
        MetadataRecord::BrokerFenced { broker, broker_epoch, fenced } => {
            to.kind(BROKER_FENCED).id(*broker).raw(&broker_epoch.to_be_bytes()).raw(&[u8::from(*fenced)])
        }
        MetadataRecord::Topic { id, name } => to.kind(TOPIC).uuid(*id).string(name),
        MetadataRecord::TopicConfig { topic, name, value } => {
            to.kind(TOPIC_CONFIG).uuid(*topic).string(name).string(value)
        }
        MetadataRecord::TopicConfigRemoved { topic, name } => to.kind(TOPIC_CONFIG_REMOVED).uuid(*topic).string(name),
        MetadataRecord::Partition { topic, partition, state } => {
            to.kind(PARTITION).uuid(*topic).raw(&partition.to_be_bytes()).state(state)
        }
        MetadataRecord::ProducerIds { next } => to.kind(PRODUCER_IDS).raw(&next.to_be_bytes()),
        MetadataRecord::TopicRemoved { id } => to.kind(TOPIC_REMOVED).uuid(*id),
    };
    to.0
}

/// The record that `encode` made these bytes from.
pub fn decode(bytes: &[u8]) -> Result<MetadataRecord, FormatError> {
    let mut from = Reader(bytes);
    let (format, kind) = (from.u8("format")?, from.u8("kind")?);
    let record = match (format, kind) {
        (FORMAT, CLUSTER) => MetadataRecord::Cluster { id: from.string("cluster id")? },
        (FORMAT, BROKER_REGISTERED) => MetadataRecord::BrokerRegistered {
            broker: from.id()?,
            incarnation: from.uuid("incarnation")?,
            endpoints: from.list(Reader::endpoint)?,
            rack: from.option(|from| from.string("rack"))?,
        },
        (FORMAT, BROKER_FENCED) => MetadataRecord::BrokerFenced {
            broker: from.id()?,
            broker_epoch: i64::from_be_bytes(from.array("broker epoch")?),
            fenced: from.flag("fenced")?,
        },
        (FORMAT, TOPIC) => MetadataRecord::Topic { id: from.uuid("topic id")?, name: from.string("topic name")? },
        (FORMAT, TOPIC_CONFIG) => MetadataRecord::TopicConfig {
            topic: from.uuid("topic id")?,
            name: from.string("setting")?,
            value: from.string("value")?,
        },
        (FORMAT, TOPIC_CONFIG_REMOVED) => {
            MetadataRecord::TopicConfigRemoved { topic: from.uuid("topic id")?, name: from.string("setting")? }
        }
        (FORMAT, PARTITION) => MetadataRecord::Partition {
            topic: from.uuid("topic id")?,
            partition: i32::from_be_bytes(from.array("partition")?),
            state: from.state()?,
        },
        (FORMAT, PRODUCER_IDS) => {
            MetadataRecord::ProducerIds { next: i64::from_be_bytes(from.array("next producer id")?) }
        }
        (FORMAT, TOPIC_REMOVED) => MetadataRecord::TopicRemoved { id: from.uuid("topic id")? },
        (format, kind) => return Err(FormatError::Unknown { format, kind }),
    };
    if from.0.is_empty() { Ok(record) } else { Err(FormatError::Damaged { field: "end" }) }
}

struct Writer(Vec<u8>);

impl Writer {
    fn kind(&mut self, kind: u8) -> &mut Writer {
        self.raw(&[kind])
    }

    fn raw(&mut self, bytes: &[u8]) -> &mut Writer {
        self.0.extend_from_slice(bytes);
        self
    }

    fn id(&mut self, broker: BrokerId) -> &mut Writer {
        self.raw(&broker.0.to_be_bytes())
    }

    fn uuid(&mut self, uuid: Uuid) -> &mut Writer {
        self.raw(uuid.as_bytes())
    }

    fn count(&mut self, count: usize) -> &mut Writer {
        let count = u16::try_from(count).expect("requests are checked before they become records");
        self.raw(&count.to_be_bytes())
    }

    fn string(&mut self, text: &str) -> &mut Writer {
        self.count(text.len()).raw(text.as_bytes())
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Writer, &T)) -> &mut Writer {
        self.count(items.len());
        items.iter().for_each(|item| write(self, item));
        self
    }

    fn option<T>(&mut self, value: Option<T>, write: impl Fn(&mut Writer, T)) -> &mut Writer {
        self.raw(&[u8::from(value.is_some())]);
        if let Some(value) = value {
            write(self, value);
        }
        self
    }

    fn ids(&mut self, brokers: &[BrokerId]) -> &mut Writer {
        self.list(brokers, |to, broker| {
            to.id(*broker);
        })
    }

    fn state(&mut self, state: &PartitionState) -> &mut Writer {
        self.ids(&state.replicas).ids(&state.isr);
        self.option(state.leader, |to, leader| {
            to.id(leader);
        });
        self.raw(&state.leader_epoch.0.to_be_bytes()).raw(&state.partition_epoch.to_be_bytes())
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FormatError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(FormatError::Damaged { field })?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self, field: &'static str) -> Result<u8, FormatError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    fn u16(&mut self, field: &'static str) -> Result<u16, FormatError> {
        self.array(field).map(u16::from_be_bytes)
    }

    fn flag(&mut self, field: &'static str) -> Result<bool, FormatError> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(FormatError::Damaged { field }),
        }
    }

    fn id(&mut self) -> Result<BrokerId, FormatError> {
        self.array("broker id").map(|bytes| BrokerId(i32::from_be_bytes(bytes)))
    }

    fn uuid(&mut self, field: &'static str) -> Result<Uuid, FormatError> {
        self.array(field).map(Uuid::from_bytes)
    }

    fn string(&mut self, field: &'static str) -> Result<String, FormatError> {
        let len = usize::from(self.u16(field)?);
        let (text, rest) = self.0.split_at_checked(len).ok_or(FormatError::Damaged { field })?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).map_err(|_| FormatError::Damaged { field })
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, FormatError>) -> Result<Vec<T>, FormatError> {
        let count = self.u16("count")?;
        (0..count).map(|_| read(self)).collect()
    }

    fn option<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, FormatError>) -> Result<Option<T>, FormatError> {
        Ok(if self.flag("presence")? { Some(read(self)?) } else { None })
    }

    fn endpoint(&mut self) -> Result<Endpoint, FormatError> {
        let (listener, host) = (self.string("listener")?, self.string("host")?);
        Ok(Endpoint { listener, host, port: self.u16("port")? })
    }

    fn state(&mut self) -> Result<PartitionState, FormatError> {
        Ok(PartitionState {
            replicas: self.list(Reader::id)?,
            isr: self.list(Reader::id)?,
            leader: self.option(Reader::id)?,
            leader_epoch: LeaderEpoch(i32::from_be_bytes(self.array("leader epoch")?)),
            partition_epoch: i32::from_be_bytes(self.array("partition epoch")?),
        })
    }
}
