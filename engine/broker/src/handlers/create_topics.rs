//! CreateTopics (19): the controller decides.

use std::collections::HashMap;
use std::time::Duration;

use logdyno_controller::decide::topic_config;
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::create_topics_request::CreatableTopic;
use logdyno_wire::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use logdyno_wire::messages::{CreateTopicsRequest, CreateTopicsResponse};
use logdyno_wire::request::Request;

use super::metadata::text;
use super::{Answer, Desk, Unanswerable, code, encode};

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: CreateTopicsRequest = request.decode()?;
    let names: Vec<_> = asked.topics.iter().map(|topic| topic.name.clone()).collect();
    let patience = Duration::from_millis(u64::try_from(asked.timeout_ms).unwrap_or(0));
    let validate_only = asked.validate_only;
    let configs: HashMap<_, _> = asked.topics.iter().map(|topic| (topic.name.clone(), settings(desk, topic))).collect();
    let mut response = match desk.controller.create_topics(asked).await {
        Ok(response) => response,
        Err(error) => {
            let failed = names.into_iter().map(|name| {
                CreatableTopicResult::default()
                    .with_name(name)
                    .with_error_code(code(ErrorCode::RequestTimedOut))
                    .with_error_message(Some(text(&error.to_string())))
            });
            CreateTopicsResponse::default().with_topics(failed.collect())
        }
    };
    if !validate_only {
        wait_for(desk, &response, patience).await;
    }
    for created in response.topics.iter_mut().filter(|topic| topic.error_code == 0) {
        created.configs = configs.get(&created.name).cloned();
    }
    encode(request, &response)
}

/// The settings that a topic has, or would have, if the controller takes it.
fn settings(desk: &Desk, topic: &CreatableTopic) -> Vec<CreatableTopicConfigs> {
    let given = topic.configs.iter().map(|config| (config.name.as_str(), config.value.as_deref()));
    let entries = desk.config.topic_entries(&topic_config::check_all(given).unwrap_or_default());
    let told = entries.into_iter().map(|entry| {
        CreatableTopicConfigs::default()
            .with_name(text(entry.name))
            .with_value(Some(text(&entry.value)))
            .with_read_only(entry.read_only)
            .with_config_source(entry.source as i8)
    });
    told.collect()
}

/// What was created is known here too when the client is told, if that takes no longer than it wants to wait.
async fn wait_for(desk: &Desk, response: &CreateTopicsResponse, patience: Duration) {
    let created: Vec<_> = response.topics.iter().filter(|topic| topic.error_code == 0).collect();
    let mut metadata = desk.metadata.clone();
    let known = metadata.wait_for(|image| created.iter().all(|topic| image.topic_by_id(topic.topic_id).is_some()));
    // It exists in either case; a client that looks too early looks again.
    drop(tokio::time::timeout(patience, known).await);
}
