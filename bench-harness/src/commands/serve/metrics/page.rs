//! What is told of a broker.

use logdyno_engine::broker::{Broker, BrokerFigures, ReplicaFigures};

use super::process;
use super::text::{Kind, Page};

/// The page as it is now.
pub(super) fn of(broker: &Broker) -> String {
    let mut page = Page::default();
    let counts = broker.counters();
    for (name, help, value) in counts.described() {
        page.one(&format!("logdyno_broker_{name}_total"), help.trim(), Kind::Counter, value);
    }
    for (name, value) in counts.storage.named() {
        page.one(&format!("logdyno_storage_{name}_total"), "", Kind::Counter, value);
    }
    let figures = broker.figures();
    load(&mut page, &figures);
    replicas(&mut page, &figures.replicas);
    process::write(&mut page);
    page.finish()
}

fn load(page: &mut Page, figures: &BrokerFigures) {
    let mut gauge = |name: &str, help: &str, value: u64| page.one(name, help, Kind::Gauge, value);
    gauge("logdyno_broker_open_connections", "Connections that are open.", figures.connections as u64);
    gauge(
        "logdyno_broker_request_bytes_in_flight",
        "Bytes of requests that are read or being read, and not answered.",
        figures.request_bytes_in_flight,
    );
    gauge(
        "logdyno_broker_fetch_bytes_in_flight",
        "Bytes of records in answers that have not been taken yet.",
        figures.fetch_bytes_in_flight,
    );
    gauge("logdyno_broker_open_fetch_sessions", "Fetch sessions (KIP-227).", figures.fetch_sessions as u64);
    let leading = figures.replicas.iter().filter(|replica| replica.is_leader).count();
    gauge("logdyno_broker_replicas", "Partitions that have a replica here.", figures.replicas.len() as u64);
    gauge("logdyno_broker_leaders", "Partitions that this broker leads.", leading as u64);
}

/// One family after the other, as the format demands.
fn replicas(page: &mut Page, replicas: &[ReplicaFigures]) {
    type Figure = (&'static str, &'static str, fn(&ReplicaFigures) -> i64);
    let figures: [Figure; 7] = [
        ("logdyno_partition_is_leader", "1 where this broker leads.", |replica| i64::from(replica.is_leader)),
        ("logdyno_partition_in_sync_replicas", "In-sync replicas as the leader knows them, 0 elsewhere.", |replica| {
            count(replica.in_sync as u64)
        }),
        ("logdyno_log_start_offset", "The log start offset.", |replica| replica.log_start),
        ("logdyno_log_high_watermark", "The high watermark.", |replica| replica.high_watermark),
        ("logdyno_log_end_offset", "The log end offset.", |replica| replica.log_end),
        ("logdyno_log_size_bytes", "Bytes of all segments.", |replica| count(replica.size_bytes)),
        ("logdyno_log_segments", "Segments.", |replica| count(replica.segments as u64)),
    ];
    for (name, help, figure) in figures {
        page.family(name, help, Kind::Gauge);
        for replica in replicas {
            let partition = replica.partition.to_string();
            page.sample(name, &[("topic", &replica.topic), ("partition", &partition)], figure(replica));
        }
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
