//! A Fetch response (versions 4 to 16) in pieces: the log's bytes are lent to the socket instead of copied into one buffer.
//!
//! Field for field Kafka's `FetchResponse.json`. A test compares it byte by byte with the crate's encoder.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::TopicName;
use kafka_protocol::messages::fetch_response::{AbortedTransaction, NodeEndpoint};
use uuid::Uuid;

use crate::pieces::{Pieces, put_unsigned_varint};

/// The first version with compact lengths and tagged fields.
const FLEXIBLE: i16 = 12;

/// A response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchAnswer {
    /// Of the request as a whole (from version 7).
    pub error_code: i16,
    /// 0: no session (from version 7).
    pub session_id: i32,
    /// In the order of the request.
    pub topics: Vec<FetchedTopic>,
    /// Where the leaders named in partitions are reached (from version 16).
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// A topic's partitions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchedTopic {
    /// Its name (up to version 12).
    pub name: TopicName,
    /// Its id (from version 13).
    pub id: Uuid,
    /// In the order of the request.
    pub partitions: Vec<FetchedPartition>,
}

/// What a fetch got from a partition.
#[derive(Clone, Debug, PartialEq)]
pub struct FetchedPartition {
    /// The partition.
    pub index: i32,
    /// Kafka's error code.
    pub error_code: i16,
    /// The high watermark.
    pub high_watermark: i64,
    /// The last stable offset.
    pub last_stable_offset: i64,
    /// The log start offset (from version 5).
    pub log_start_offset: i64,
    /// `None` to read_uncommitted.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// A better replica to read from (from version 11); -1 for none.
    pub preferred_read_replica: i32,
    /// Where a follower's log parts from the leader's: epoch and its end (from version 12).
    pub diverging_epoch: Option<(i32, i64)>,
    /// Who leads instead: broker and epoch (from version 12).
    pub current_leader: Option<(i32, i32)>,
    /// Whole batches.
    pub records: Vec<Bytes>,
}

impl Default for FetchedPartition {
    fn default() -> FetchedPartition {
        FetchedPartition {
            index: 0,
            error_code: 0,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            aborted_transactions: Some(Vec::new()),
            preferred_read_replica: -1,
            diverging_epoch: None,
            current_leader: None,
            records: Vec::new(),
        }
    }
}

impl FetchedPartition {
    /// Bytes of its records.
    pub fn records_bytes(&self) -> usize {
        self.records.iter().map(Bytes::len).sum()
    }
}

impl FetchAnswer {
    /// The body in pieces; `version` is one of 4 to 16.
    pub fn encode(&self, version: i16) -> Vec<Bytes> {
        let mut out = Writer { pieces: Pieces::default(), version };
        // throttle_time_ms: nobody is throttled.
        out.tail().put_i32(0);
        if version >= 7 {
            out.tail().put_i16(self.error_code);
            out.tail().put_i32(self.session_id);
        }
        out.count(self.topics.len());
        for topic in &self.topics {
            out.topic(topic);
        }
        out.node_endpoints(&self.node_endpoints);
        out.pieces.finish()
    }
}

struct Writer {
    pieces: Pieces,
    version: i16,
}

impl Writer {
    fn tail(&mut self) -> &mut BytesMut {
        self.pieces.tail()
    }

    fn is_flexible(&self) -> bool {
        self.version >= FLEXIBLE
    }

    fn topic(&mut self, topic: &FetchedTopic) {
        match self.version {
            ..=11 => {
                let name = topic.name.as_bytes();
                self.tail().put_i16(i16::try_from(name.len()).unwrap_or(i16::MAX));
                self.tail().put_slice(name);
            }
            12 => put_compact_text(self.tail(), &topic.name),
            _ => self.tail().put_slice(topic.id.as_bytes()),
        }
        self.count(topic.partitions.len());
        for partition in &topic.partitions {
            self.partition(partition);
        }
        self.no_tags();
    }

    fn partition(&mut self, partition: &FetchedPartition) {
        let version = self.version;
        let tail = self.tail();
        tail.put_i32(partition.index);
        tail.put_i16(partition.error_code);
        tail.put_i64(partition.high_watermark);
        tail.put_i64(partition.last_stable_offset);
        if version >= 5 {
            tail.put_i64(partition.log_start_offset);
        }
        self.aborted(partition.aborted_transactions.as_deref());
        if version >= 11 {
            self.tail().put_i32(partition.preferred_read_replica);
        }
        self.count(partition.records_bytes());
        for batches in &partition.records {
            self.pieces.splice(batches);
        }
        if self.is_flexible() {
            self.partition_tags(partition);
        }
    }

    fn aborted(&mut self, aborted: Option<&[AbortedTransaction]>) {
        match aborted {
            None if self.is_flexible() => self.tail().put_u8(0),
            None => self.tail().put_i32(-1),
            Some(transactions) => {
                self.count(transactions.len());
                for transaction in transactions {
                    self.tail().put_i64(transaction.producer_id.0);
                    self.tail().put_i64(transaction.first_offset);
                    self.no_tags();
                }
            }
        }
    }

    /// Tags 0 (diverging_epoch) and 1 (current_leader); each structure ends in its own, empty list of tags.
    fn partition_tags(&mut self, partition: &FetchedPartition) {
        let count = u8::from(partition.diverging_epoch.is_some()) + u8::from(partition.current_leader.is_some());
        let tail = self.tail();
        tail.put_u8(count);
        if let Some((epoch, end_offset)) = partition.diverging_epoch {
            tail.put_slice(&[0, 13]);
            tail.put_i32(epoch);
            tail.put_i64(end_offset);
            tail.put_u8(0);
        }
        if let Some((leader, epoch)) = partition.current_leader {
            tail.put_slice(&[1, 9]);
            tail.put_i32(leader);
            tail.put_i32(epoch);
            tail.put_u8(0);
        }
    }

    fn node_endpoints(&mut self, endpoints: &[NodeEndpoint]) {
        if self.version < 16 || endpoints.is_empty() {
            return self.no_tags();
        }
        let mut field = BytesMut::new();
        put_unsigned_varint(&mut field, length_plus_one(endpoints.len()));
        for endpoint in endpoints {
            field.put_i32(endpoint.node_id.0);
            put_compact_text(&mut field, &endpoint.host);
            field.put_i32(endpoint.port);
            match &endpoint.rack {
                Some(rack) => put_compact_text(&mut field, rack),
                None => field.put_u8(0),
            }
            field.put_u8(0);
        }
        let bytes = u32::try_from(field.len()).unwrap_or(u32::MAX);
        let tail = self.tail();
        tail.put_slice(&[1, 0]);
        put_unsigned_varint(tail, bytes);
        tail.put_slice(&field);
    }

    /// The length of a list or of bytes.
    fn count(&mut self, count: usize) {
        if self.is_flexible() {
            put_unsigned_varint(self.tail(), length_plus_one(count));
        } else {
            self.tail().put_i32(i32::try_from(count).unwrap_or(i32::MAX));
        }
    }

    fn no_tags(&mut self) {
        if self.is_flexible() {
            self.tail().put_u8(0);
        }
    }
}

fn put_compact_text(buffer: &mut BytesMut, text: &str) {
    put_unsigned_varint(buffer, length_plus_one(text.len()));
    buffer.put_slice(text.as_bytes());
}

fn length_plus_one(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX).saturating_add(1)
}
