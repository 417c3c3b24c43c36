//! AlterConfigs (33) and IncrementalAlterConfigs (44), as far as topics go: brokers answer for their own settings.

use std::collections::BTreeSet;

use logdyno_wire::StrBytes;
use logdyno_wire::messages::alter_configs_response::AlterConfigsResourceResponse;
use logdyno_wire::messages::incremental_alter_configs_request::AlterableConfig;
use logdyno_wire::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResponse;
use logdyno_wire::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use super::{FAILED, OK, error_of};
use crate::active::Active;
use crate::decide::Refusal;
use crate::decide::alter_configs::{Alteration, Change};

/// The resource type of topics (Kafka's `ConfigResource.Type`).
const TOPIC: i8 = 2;

pub(super) fn answer(active: &Active, request: &AlterConfigsRequest) -> AlterConfigsResponse {
    let mut once = Once::default();
    let responses = request.resources.iter().map(|resource| {
        let (kind, name) = (resource.resource_type, resource.resource_name.clone());
        let configs = resource.configs.iter().map(|config| (config.name.to_string(), text(&config.value)));
        let alteration = once.check(kind, &name).map(|()| Alteration::All(configs.collect()));
        let (code, message) = alter(active, &name, alteration, request.validate_only);
        let response = AlterConfigsResourceResponse::default().with_resource_type(kind).with_resource_name(name);
        response.with_error_code(code).with_error_message(message)
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}

pub(super) fn answer_incremental(
    active: &Active,
    request: &IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let mut once = Once::default();
    let responses = request.resources.iter().map(|resource| {
        let (kind, name) = (resource.resource_type, resource.resource_name.clone());
        let changes = || resource.configs.iter().map(change).collect::<Result<_, _>>().map(Alteration::Some);
        let alteration = once.check(kind, &name).and_then(|()| changes());
        let (code, message) = alter(active, &name, alteration, request.validate_only);
        let response = IncrementalResponse::default().with_resource_type(kind).with_resource_name(name);
        response.with_error_code(code).with_error_message(message)
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

/// The resources seen so far in a request.
#[derive(Default)]
struct Once(BTreeSet<(i8, String)>);

impl Once {
    fn check(&mut self, kind: i8, name: &str) -> Result<(), Refusal> {
        let invalid = |reason: String| Err(Refusal::InvalidRequest { reason });
        if kind != TOPIC {
            return invalid(format!("settings of resources of type {kind} cannot be altered"));
        }
        match self.0.insert((kind, name.to_owned())) {
            true => Ok(()),
            false => invalid(format!("the request names topic '{name}' more than once")),
        }
    }
}

fn change(config: &AlterableConfig) -> Result<(String, Change), Refusal> {
    let value = text(&config.value);
    let change = match config.config_operation {
        0 => Change::Set(value),
        1 => Change::Delete,
        2 => Change::Append(value),
        3 => Change::Subtract(value),
        other => {
            let reason = format!("'{}' is to be changed by the unknown operation {other}", config.name.as_str());
            return Err(Refusal::InvalidRequest { reason });
        }
    };
    Ok((config.name.to_string(), change))
}

fn alter(
    active: &Active,
    topic: &str,
    alteration: Result<Alteration, Refusal>,
    validate_only: bool,
) -> (i16, Option<StrBytes>) {
    let altered = match alteration {
        Ok(alteration) => active.alter_configs(topic, &alteration, validate_only),
        Err(refusal) => Ok(Err(refusal)),
    };
    match altered {
        Ok(Ok(())) => (OK, None),
        Ok(Err(refusal)) => error_of(&refusal),
        Err(error) => {
            tracing::error!("{error}");
            (FAILED, None)
        }
    }
}

fn text(value: &Option<StrBytes>) -> Option<String> {
    value.as_ref().map(ToString::to_string)
}
