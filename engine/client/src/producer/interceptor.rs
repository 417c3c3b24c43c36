//! Hooks of an application around `send`.

use super::record::{ProducerRecord, RecordMetadata};
use crate::error::ClientError;

/// Sees each record before it is serialized and each result after; Kafka's `ProducerInterceptor`.
///
/// Interceptors are called in the order in which they were given.
pub trait Interceptor<K, V>: Send + Sync + 'static {
    /// On the caller's thread, before metadata, serializers and partitioner: may change the record.
    fn on_send(&self, record: ProducerRecord<K, V>) -> ProducerRecord<K, V>;

    /// On the sender's thread before the callback, or on the caller's if `send` failed at once. Must not block.
    fn on_acknowledgement(&self, result: &Result<RecordMetadata, ClientError>);
}
