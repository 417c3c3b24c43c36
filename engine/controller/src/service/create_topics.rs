//! CreateTopics (19).

use std::collections::BTreeMap;

use logdyno_record::BrokerId;
use logdyno_wire::messages::create_topics_request::CreatableTopic;
use logdyno_wire::messages::create_topics_response::CreatableTopicResult;
use logdyno_wire::messages::{CreateTopicsRequest, CreateTopicsResponse};

use super::{FAILED, error_of};
use crate::active::Active;
use crate::decide::Refusal;
use crate::decide::create_topics::{CreatedTopic, NewTopic};

pub(super) fn answer(active: &Active, request: &CreateTopicsRequest) -> CreateTopicsResponse {
    let mut named = BTreeMap::new();
    for topic in &request.topics {
        *named.entry(topic.name.as_str()).or_insert(0) += 1;
    }
    let results = request.topics.iter().map(|topic| {
        let result = CreatableTopicResult::default().with_name(topic.name.clone());
        if named[topic.name.as_str()] > 1 {
            let reason = format!("the request names topic '{}' more than once", topic.name.as_str());
            return refused(result, &Refusal::InvalidRequest { reason });
        }
        match active.create_topic(&new_topic(topic), request.validate_only) {
            Ok(Ok(topic)) => created(result, &topic),
            Ok(Err(refusal)) => refused(result, &refusal),
            Err(error) => {
                tracing::error!("{error}");
                result.with_error_code(FAILED)
            }
        }
    });
    CreateTopicsResponse::default().with_topics(results.collect())
}

fn new_topic(topic: &CreatableTopic) -> NewTopic {
    let brokers = |ids: &[logdyno_wire::messages::BrokerId]| ids.iter().map(|id| BrokerId(id.0)).collect();
    NewTopic {
        name: topic.name.to_string(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignment: topic.assignments.iter().map(|a| (a.partition_index, brokers(&a.broker_ids))).collect(),
        configs: topic
            .configs
            .iter()
            .map(|config| (config.name.to_string(), config.value.as_ref().map(ToString::to_string)))
            .collect(),
    }
}

fn created(result: CreatableTopicResult, topic: &CreatedTopic) -> CreatableTopicResult {
    result
        .with_topic_id(topic.id)
        .with_num_partitions(topic.partitions)
        .with_replication_factor(topic.replication_factor)
        .with_configs(Some(Vec::new()))
}

fn refused(result: CreatableTopicResult, refusal: &Refusal) -> CreatableTopicResult {
    let (code, message) = error_of(refusal);
    result.with_error_code(code).with_error_message(message)
}
