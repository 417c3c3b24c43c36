//! DeleteTopics (20).

use logdyno_wire::StrBytes;
use logdyno_wire::messages::delete_topics_response::DeletableTopicResult;
use logdyno_wire::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};

use super::{FAILED, error_of};
use crate::active::Active;
use crate::decide::delete_topics::TopicRef;

pub(super) fn answer(active: &Active, request: &DeleteTopicsRequest, version: i16) -> DeleteTopicsResponse {
    let asked: Vec<TopicRef> = if version >= 6 {
        let by_name_or_id = |topic: &Option<TopicName>, id| match topic {
            Some(name) => TopicRef::Name(name.to_string()),
            None => TopicRef::Id(id),
        };
        request.topics.iter().map(|topic| by_name_or_id(&topic.name, topic.topic_id)).collect()
    } else {
        request.topic_names.iter().map(|name| TopicRef::Name(name.to_string())).collect()
    };
    let responses = asked.iter().map(|topic| result(active, topic)).collect();
    DeleteTopicsResponse::default().with_responses(responses)
}

fn result(active: &Active, topic: &TopicRef) -> DeletableTopicResult {
    let named = match topic {
        TopicRef::Name(name) => DeletableTopicResult::default().with_name(Some(topic_name(name))),
        TopicRef::Id(id) => DeletableTopicResult::default().with_name(None).with_topic_id(*id),
    };
    match active.delete_topic(topic) {
        Ok(Ok(deleted)) => named.with_name(Some(topic_name(&deleted.name))).with_topic_id(deleted.id),
        Ok(Err(refusal)) => {
            let (code, message) = error_of(&refusal);
            named.with_error_code(code).with_error_message(message)
        }
        Err(error) => {
            tracing::error!("{error}");
            named.with_error_code(FAILED)
        }
    }
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}
