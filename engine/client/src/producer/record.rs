//! What goes into `send`, and what comes back.

use std::sync::Arc;

use logdyno_record::{Header, Offset, TopicPartition};

/// A record to be sent.
#[derive(Clone, Debug)]
pub struct ProducerRecord<K, V> {
    /// Where it goes.
    pub topic: Arc<str>,
    /// The partition, if the application chooses it; else the partitioner does.
    pub partition: Option<i32>,
    /// Milliseconds since 1970; `None` for the time of `send`.
    pub timestamp: Option<i64>,
    /// `None` is Kafka's null.
    pub key: Option<K>,
    /// `None` is Kafka's null: a tombstone on a compacted topic.
    pub value: Option<V>,
    /// In order; keys may repeat.
    pub headers: Vec<Header>,
}

impl<K, V> ProducerRecord<K, V> {
    /// A record with a value and no key.
    pub fn new(topic: impl Into<Arc<str>>, value: V) -> ProducerRecord<K, V> {
        ProducerRecord {
            topic: topic.into(),
            partition: None,
            timestamp: None,
            key: None,
            value: Some(value),
            headers: Vec::new(),
        }
    }

    /// With this key.
    #[must_use]
    pub fn key(mut self, key: K) -> Self {
        self.key = Some(key);
        self
    }

    /// To this partition, past the partitioner.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// With this time, in milliseconds since 1970.
    #[must_use]
    pub fn timestamp(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, header: Header) -> Self {
        self.headers.push(header);
        self
    }
}

/// Where a record went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    /// Its topic and partition.
    pub partition: TopicPartition,
    /// Its offset; −1 with `acks=0`, where nobody tells.
    pub offset: Offset,
    /// Its time: the record's own, or the broker's if the topic says LogAppendTime.
    pub timestamp: i64,
    /// Bytes of the serialized key; −1 for null.
    pub key_size: i32,
    /// Bytes of the serialized value; −1 for null.
    pub value_size: i32,
}
