//! `__consumer_offsets` is made when somebody first asks who coordinates a group.

use logdyno_controller::client::{Client, ClientError};
use logdyno_controller::image::MetadataImage;
use logdyno_coordinator::OFFSETS_TOPIC;
use logdyno_wire::StrBytes;
use logdyno_wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use logdyno_wire::messages::{CreateTopicsRequest, TopicName};

use crate::config::BrokerConfig;

/// Has the controller make the topic. That it exists already is no error.
///
/// In a cluster that has fewer brokers than `offsets.topic.replication.factor` each gets a replica: Kafka would refuse, and
/// so refuse groups to everybody who tries a single broker with the default settings.
pub(crate) async fn create_offsets_topic(
    controller: &Client,
    config: &BrokerConfig,
    image: &MetadataImage,
) -> Result<(), ClientError> {
    let brokers = i16::try_from(image.brokers().len()).unwrap_or(i16::MAX).max(1);
    let wanted = config.offsets_topic_replication_factor;
    if brokers < wanted && image.topic(OFFSETS_TOPIC).is_none() {
        tracing::warn!(
            "{OFFSETS_TOPIC} is made with {brokers} of offsets.topic.replication.factor={wanted} replicas, because no more brokers have registered: \
             in a larger cluster, start all of them before the first group"
        );
    }
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let setting =
        |name: &str, value: &str| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)));
    let topic = CreatableTopic::default()
        .with_name(TopicName(text(OFFSETS_TOPIC)))
        .with_num_partitions(config.offsets_topic_num_partitions)
        .with_replication_factor(wanted.min(brokers))
        .with_configs(vec![
            setting("cleanup.policy", "compact"),
            setting("compression.type", "producer"),
            setting("segment.bytes", &config.offsets_topic_segment_bytes.to_string()),
        ]);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
    let answer = controller.create_topics(request).await?;
    for refused in answer.topics.iter().filter(|topic| topic.error_code != 0) {
        tracing::debug!(code = refused.error_code, "the topic of the groups was not made: {:?}", refused.error_message);
    }
    Ok(())
}
