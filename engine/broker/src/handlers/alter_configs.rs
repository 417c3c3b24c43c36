//! AlterConfigs (33) and IncrementalAlterConfigs (44): the controller decides about topics; a broker's own settings are
//! those of its properties file.

use std::collections::VecDeque;

use logdyno_wire::messages::alter_configs_response::AlterConfigsResourceResponse;
use logdyno_wire::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResponse;
use logdyno_wire::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use logdyno_wire::request::Request;
use logdyno_wire::{ErrorCode, StrBytes};

use super::metadata::text;
use super::{Answer, Desk, Refused, Unanswerable, code, encode, resource};

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: AlterConfigsRequest = request.decode()?;
    let (validate_only, all) = (asked.validate_only, asked.resources.clone());
    let forwarded = all.iter().filter(|resource| resource.resource_type == resource::TOPIC).cloned().collect();
    let answered = desk.controller.alter_configs(asked.with_resources(forwarded)).await;
    let mut answered = match answered {
        Ok(response) => Ok(response.responses.into_iter().map(|one| (one.error_code, one.error_message)).collect()),
        Err(error) => Err(error.to_string()),
    };
    let responses = all.iter().map(|asked| {
        let keys = asked.configs.iter().map(|config| config.name.as_str());
        let (code, message) = outcome(desk, asked.resource_type, &asked.resource_name, keys, &mut answered);
        AlterConfigsResourceResponse::default()
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name.clone())
            .with_error_code(code)
            .with_error_message(message)
    });
    let response = AlterConfigsResponse::default().with_responses(responses.collect());
    if !validate_only {
        desk.catch_up().await;
    }
    encode(request, &response)
}

pub(super) async fn answer_incremental(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: IncrementalAlterConfigsRequest = request.decode()?;
    let (validate_only, all) = (asked.validate_only, asked.resources.clone());
    let forwarded = all.iter().filter(|resource| resource.resource_type == resource::TOPIC).cloned().collect();
    let answered = desk.controller.incremental_alter_configs(asked.with_resources(forwarded)).await;
    let mut answered = match answered {
        Ok(response) => Ok(response.responses.into_iter().map(|one| (one.error_code, one.error_message)).collect()),
        Err(error) => Err(error.to_string()),
    };
    let responses = all.iter().map(|asked| {
        let keys = asked.configs.iter().map(|config| config.name.as_str());
        let (code, message) = outcome(desk, asked.resource_type, &asked.resource_name, keys, &mut answered);
        IncrementalResponse::default()
            .with_resource_type(asked.resource_type)
            .with_resource_name(asked.resource_name.clone())
            .with_error_code(code)
            .with_error_message(message)
    });
    let response = IncrementalAlterConfigsResponse::default().with_responses(responses.collect());
    if !validate_only {
        desk.catch_up().await;
    }
    encode(request, &response)
}

/// A resource's part of the answer: the controller's next one for a topic, or the reason why it was not asked.
fn outcome<'a>(
    desk: &Desk,
    kind: i8,
    name: &str,
    keys: impl Iterator<Item = &'a str>,
    answered: &mut Result<VecDeque<(i16, Option<StrBytes>)>, String>,
) -> (i16, Option<StrBytes>) {
    let failed = |error: ErrorCode, why: &str| (code(error), Some(text(why)));
    match (kind, answered) {
        (resource::TOPIC, Ok(answers)) => {
            answers.pop_front().unwrap_or_else(|| failed(ErrorCode::UnknownServerError, "the controller left it out"))
        }
        (resource::TOPIC, Err(why)) => failed(ErrorCode::RequestTimedOut, why),
        _ => {
            let Refused { code, message } = refused(desk, kind, name, keys);
            (code, message.as_deref().map(text))
        }
    }
}

fn refused<'a>(desk: &Desk, kind: i8, name: &str, keys: impl Iterator<Item = &'a str>) -> Refused {
    if kind != resource::BROKER {
        return resource::unsupported(kind);
    }
    if !name.is_empty()
        && let Err(refused) = resource::check_broker(desk, name)
    {
        return refused;
    }
    let keys: Vec<&str> = keys.collect();
    resource::invalid(format!(
        "a broker's settings stand in its properties file and cannot be altered while it runs ({})",
        keys.join(", ")
    ))
}
