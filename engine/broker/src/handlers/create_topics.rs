//! CreateTopics (19): the controller decides.

use std::time::Duration;

use logdyno_wire::ErrorCode;
use logdyno_wire::messages::create_topics_response::CreatableTopicResult;
use logdyno_wire::messages::{CreateTopicsRequest, CreateTopicsResponse};
use logdyno_wire::request::Request;

use super::metadata::text;
use super::{Answer, Desk, Unanswerable, code, encode};

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: CreateTopicsRequest = request.decode()?;
    let names: Vec<_> = asked.topics.iter().map(|topic| topic.name.clone()).collect();
    let patience = Duration::from_millis(u64::try_from(asked.timeout_ms).unwrap_or(0));
    let validate_only = asked.validate_only;
    let response = match desk.controller.create_topics(asked).await {
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
    encode(request, &response)
}

/// What was created is known here too when the client is told, if that takes no longer than it wants to wait.
async fn wait_for(desk: &Desk, response: &CreateTopicsResponse, patience: Duration) {
    let created: Vec<_> = response.topics.iter().filter(|topic| topic.error_code == 0).collect();
    let mut metadata = desk.metadata.clone();
    let known = metadata.wait_for(|image| created.iter().all(|topic| image.topic_by_id(topic.topic_id).is_some()));
    // It exists in either case; a client that looks too early looks again.
    drop(tokio::time::timeout(patience, known).await);
}
