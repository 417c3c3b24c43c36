//! The batches as the cluster keeps them, read with our own client: it shows their headers, librdkafka does not.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use logdyno_engine::client::{BytesFormat, ClientError, Consumer, ConsumerBuilder, ConsumerConfig};
use logdyno_engine::record::Offset;

use super::cluster::Cluster;
use crate::proof::Evidence;
use crate::topics::Topics;
use crate::workload::Plan;

/// Bytes of batches that are looked at: enough for a sample, and soon done.
const BYTES_MAX: usize = 32 << 20;

/// How often nothing may come in a row.
const EMPTY_POLLS_MAX: u32 = 20;

/// Whether the batches have the codec that was asked for; `None` where our client cannot look (it has no TLS and no SASL).
pub(super) fn evidence(cluster: &Cluster, topics: &Topics, plan: &Plan) -> Option<Evidence> {
    if !cluster.is_plain {
        return None;
    }
    let asked = plan.producer.get("compression.type").unwrap_or("none");
    let (holds, detail) = match look(&cluster.servers, topics) {
        Ok(found) => {
            let count = |codec: &str| found.get(codec).copied().unwrap_or(0);
            let (all, right) = (found.values().sum::<u64>(), count(asked));
            // librdkafka sends a batch as it is if the codec does not make it smaller.
            let plain = if asked == "none" { 0 } else { count("none") };
            let told = format!("{right} of {all} batches that were read back have codec {asked}");
            let rest = if plain == 0 {
                String::new()
            } else {
                format!(", {plain} none, as librdkafka leaves what does not shrink")
            };
            (right > 0 && right + plain == all, told + &rest)
        }
        Err(error) => (false, format!("the batches cannot be read back: {error}")),
    };
    Some(Evidence { name: "codec".to_owned(), holds, detail })
}

/// Batches by codec, of all partitions, from their start.
fn look(servers: &str, topics: &Topics) -> Result<BTreeMap<String, u64>, ClientError> {
    let settings = [
        ("bootstrap.servers", servers),
        ("client.id", "logdyno-readback"),
        // A question that arrives after the topic's deletion would create it again.
        ("allow.auto.create.topics", "false"),
    ];
    let config = ConsumerConfig::from_pairs(settings)?;
    let mut consumer: Consumer<Bytes, Bytes> = ConsumerBuilder::new(config, BytesFormat, BytesFormat).build()?;
    let partitions: Vec<_> = topics.partitions().collect();
    let mut left = consumer.end_offsets(&partitions)?;
    consumer.assign(partitions.iter().cloned());
    consumer.seek_to_beginning(&partitions)?;
    let (mut found, mut bytes, mut empty) = (BTreeMap::new(), 0, 0);
    left.retain(|_, end| *end > Offset::ZERO);
    while !left.is_empty() && bytes < BYTES_MAX && empty < EMPTY_POLLS_MAX {
        let batches = consumer.poll_batches(Duration::from_millis(500))?;
        empty = if batches.is_empty() { empty + 1 } else { 0 };
        for fetched in batches.iter() {
            let header = fetched.batch().header();
            // A batch may be handed out in parts; it counts with its first.
            if fetched.first_offset() == header.base_offset {
                let codec = header.compression().map_or_else(|_| "unknown".to_owned(), |codec| codec.name().to_owned());
                *found.entry(codec).or_default() += 1;
                bytes += header.size();
            }
            left.retain(|partition, end| partition != fetched.partition() || fetched.end_offset() < *end);
        }
    }
    Ok(found)
}
