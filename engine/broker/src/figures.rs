//! How a broker is at a moment: for those who watch it.

use std::sync::{Arc, PoisonError};

use crate::handlers::Desk;

/// A broker's figures that go up and down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerFigures {
    /// Connections that are open.
    pub connections: usize,
    /// Bytes of requests that have been read, or are being read, and are not begun.
    pub request_bytes_in_flight: u64,
    /// Bytes of records in answers that have not been taken yet.
    pub fetch_bytes_in_flight: u64,
    /// Fetch sessions (KIP-227).
    pub fetch_sessions: usize,
    /// The replicas here, ordered by topic and partition.
    pub replicas: Vec<ReplicaFigures>,
}

/// One replica's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaFigures {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Whether it leads.
    pub is_leader: bool,
    /// How many replicas are in sync, as the leader knows it; 0 elsewhere.
    pub in_sync: usize,
    /// The log start offset.
    pub log_start: i64,
    /// The high watermark.
    pub high_watermark: i64,
    /// The log end offset.
    pub log_end: i64,
    /// Bytes of all segments.
    pub size_bytes: u64,
    /// How many segments.
    pub segments: usize,
}

impl BrokerFigures {
    pub(crate) fn of(desk: &Desk) -> BrokerFigures {
        let mut replicas: Vec<ReplicaFigures> = desk
            .partitions
            .all()
            .iter()
            .map(|hosted| {
                let replica = &hosted.replica;
                let (partition, log) = (replica.partition(), replica.log());
                ReplicaFigures {
                    topic: Arc::clone(&partition.topic),
                    partition: partition.partition,
                    is_leader: replica.is_leader(),
                    in_sync: replica.isr().map_or(0, |isr| isr.len()),
                    log_start: log.start_offset().0,
                    high_watermark: replica.high_watermark().0,
                    log_end: log.end_offset().0,
                    size_bytes: log.size(),
                    segments: log.segment_bases().len(),
                }
            })
            .collect();
        replicas.sort_by(|one, other| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)));
        BrokerFigures {
            connections: desk.load.connections(),
            request_bytes_in_flight: desk.load.request_bytes(),
            fetch_bytes_in_flight: desk.lending.bytes() as u64,
            fetch_sessions: desk.fetch_sessions.lock().unwrap_or_else(PoisonError::into_inner).len(),
            replicas,
        }
    }
}
