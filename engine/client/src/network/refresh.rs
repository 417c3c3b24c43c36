//! The task that keeps the cluster's picture fresh.

use std::sync::Arc;
use std::time::Duration;

use logdyno_wire::kafka_protocol::protocol::StrBytes;
use logdyno_wire::messages::metadata_request::MetadataRequestTopic;
use logdyno_wire::messages::{MetadataRequest, MetadataResponse, TopicName};

use super::connections::{Connections, Purpose};
use super::{Metadata, Network};
use crate::backoff::Backoff;
use crate::error::ClientError;

/// Asks for metadata when somebody wants it or it is older than `metadata.max.age.ms`; never returns.
pub(crate) async fn keep_fresh(network: Arc<Network>, auto_create: bool) {
    let Network { metadata, connections, random, .. } = &*network;
    let config = connections.config().clone();
    let backoff = Backoff { first: config.retry_backoff, most: config.retry_backoff_max };
    let mut attempts = 0;
    let mut turn = 0;
    let mut overdue = false;
    loop {
        if let Some(topics) = metadata.take_request(overdue) {
            let unfinished = match ask(metadata, connections, &topics, auto_create, &mut turn).await {
                Ok(answer) => metadata.apply(&answer),
                Err(error) => {
                    metadata.note_failure(error.to_string());
                    true
                }
            };
            attempts = if unfinished { attempts + 1 } else { 0 };
            // Nobody may make brokers busy by asking in a circle; a topic asked for the first time need not wait.
            let pause = backoff.pause(attempts.max(1), random());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = metadata.new_topic.notified() => {}
            }
            if unfinished {
                metadata.request_update();
            }
        }
        overdue = tokio::time::timeout(wait(config.metadata_max_age), metadata.asked.notified()).await.is_err();
    }
}

/// Timers take no more than some years.
fn wait(age: Duration) -> Duration {
    age.min(Duration::from_secs(365 * 24 * 3600))
}

async fn ask(
    metadata: &Metadata,
    connections: &Arc<Connections>,
    topics: &[Arc<str>],
    auto_create: bool,
    turn: &mut usize,
) -> Result<MetadataResponse, ClientError> {
    let cluster = metadata.cluster();
    let known = cluster.nodes.values().map(|node| &node.address);
    let addresses: Vec<&String> = known.chain(&connections.config().bootstrap_servers).collect();
    let mut last_error = None;
    for step in 0..addresses.len() {
        let address = addresses[(*turn + step) % addresses.len()];
        let result = async {
            let channel = connections.open(address, Purpose::Control).await?;
            channel.call(request(topics, auto_create), None).await.map_err(|error| ClientError::Disconnected {
                doing: format!("asking {address} for metadata"),
                reason: error.to_string(),
            })
        };
        match result.await {
            Ok(answer) => {
                *turn += step;
                return Ok(answer);
            }
            Err(error) => last_error = Some(error),
        }
    }
    *turn += 1;
    Err(last_error.unwrap_or(ClientError::Disconnected {
        doing: "asking for metadata".to_owned(),
        reason: "no broker is known".to_owned(),
    }))
}

fn request(topics: &[Arc<str>], auto_create: bool) -> MetadataRequest {
    let topic = |name: &Arc<str>| {
        MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.to_string()))))
    };
    MetadataRequest::default()
        .with_topics(Some(topics.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(auto_create)
}
