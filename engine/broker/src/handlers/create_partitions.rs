//! CreatePartitions (37): the controller decides.

use logdyno_wire::ErrorCode;
use logdyno_wire::messages::create_partitions_response::CreatePartitionsTopicResult;
use logdyno_wire::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use logdyno_wire::request::Request;

use super::metadata::text;
use super::{Answer, Desk, Unanswerable, code, encode};

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: CreatePartitionsRequest = request.decode()?;
    let names: Vec<_> = asked.topics.iter().map(|topic| topic.name.clone()).collect();
    let validate_only = asked.validate_only;
    let response = match desk.controller.create_partitions(asked).await {
        Ok(response) => response,
        Err(error) => {
            let failed = names.into_iter().map(|name| {
                CreatePartitionsTopicResult::default()
                    .with_name(name)
                    .with_error_code(code(ErrorCode::RequestTimedOut))
                    .with_error_message(Some(text(&error.to_string())))
            });
            CreatePartitionsResponse::default().with_results(failed.collect())
        }
    };
    if !validate_only {
        desk.catch_up().await;
    }
    encode(request, &response)
}
