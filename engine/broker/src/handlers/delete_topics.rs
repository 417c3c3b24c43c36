//! DeleteTopics (20): the controller decides.

use logdyno_wire::ErrorCode;
use logdyno_wire::messages::delete_topics_request::DeleteTopicState;
use logdyno_wire::messages::delete_topics_response::DeletableTopicResult;
use logdyno_wire::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use logdyno_wire::request::Request;

use super::metadata::text;
use super::{Answer, Desk, Unanswerable, code, encode};

/// The first version that names topics by id as well; the controller is asked in it.
const BY_ID: i16 = 6;

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let mut asked: DeleteTopicsRequest = request.decode()?;
    if request.version < BY_ID {
        let names = std::mem::take(&mut asked.topic_names).into_iter();
        asked.topics = names.map(|name| DeleteTopicState::default().with_name(Some(name))).collect();
    }
    let topics = asked.topics.clone();
    let response = match desk.controller.delete_topics(asked).await {
        Ok(response) => response,
        Err(error) => {
            let failed = topics.into_iter().map(|topic| {
                DeletableTopicResult::default()
                    .with_name(topic.name)
                    .with_topic_id(topic.topic_id)
                    .with_error_code(code(ErrorCode::RequestTimedOut))
                    .with_error_message(Some(text(&error.to_string())))
            });
            DeleteTopicsResponse::default().with_responses(failed.collect())
        }
    };
    desk.catch_up().await;
    encode(request, &response)
}
