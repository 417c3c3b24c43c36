//! DescribeConfigs (32): the settings of topics and of this broker.

use logdyno_wire::ErrorCode;
use logdyno_wire::messages::describe_configs_request::DescribeConfigsResource;
use logdyno_wire::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use logdyno_wire::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use logdyno_wire::request::Request;

use super::metadata::text;
use super::{Answer, Desk, Refused, Unanswerable, code, encode, resource};
use crate::config::Entry;

pub(super) fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: DescribeConfigsRequest = request.decode()?;
    let results = asked.resources.iter().map(|resource| {
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match entries(desk, resource) {
            Ok(entries) => {
                let wanted = entries.into_iter().filter(|entry| is_asked_for(resource, entry.name));
                result.with_configs(wanted.map(|entry| described(&asked, request.version, entry)).collect())
            }
            Err(refused) => {
                result.with_error_code(refused.code).with_error_message(refused.message.as_deref().map(text))
            }
        }
    });
    encode(request, &DescribeConfigsResponse::default().with_results(results.collect()))
}

fn entries(desk: &Desk, asked: &DescribeConfigsResource) -> Result<Vec<Entry>, Refused> {
    let name = asked.resource_name.as_str();
    match asked.resource_type {
        resource::TOPIC => {
            resource::check_topic_name(name)?;
            let image = desk.image();
            let topic = image.topic(name).ok_or_else(|| Refused::of(ErrorCode::UnknownTopicOrPartition))?;
            Ok(desk.config.topic_entries(&topic.configs))
        }
        // All brokers' common dynamic settings, of which there are none.
        resource::BROKER if name.is_empty() => Ok(Vec::new()),
        resource::BROKER => {
            resource::check_broker(desk, name)?;
            Ok(desk.config.broker_entries())
        }
        other => Err(resource::unsupported(other)),
    }
}

/// No list of keys asks for all.
fn is_asked_for(resource: &DescribeConfigsResource, name: &str) -> bool {
    resource.configuration_keys.as_ref().is_none_or(|keys| keys.iter().any(|key| key.as_str() == name))
}

fn described(asked: &DescribeConfigsRequest, version: i16, entry: Entry) -> DescribeConfigsResourceResult {
    let synonyms = entry.synonyms.iter().filter(|_| asked.include_synonyms).map(|synonym| {
        DescribeConfigsSynonym::default()
            .with_name(text(synonym.name))
            .with_value(Some(text(&synonym.value)))
            .with_source(synonym.source as i8)
    });
    let result = DescribeConfigsResourceResult::default()
        .with_name(text(entry.name))
        .with_value(Some(text(&entry.value)))
        .with_read_only(entry.read_only)
        .with_config_source(entry.source as i8)
        .with_synonyms(synonyms.collect());
    if version < 3 {
        return result;
    }
    let documentation = asked.include_documentation.then(|| text(entry.documentation.trim()));
    result.with_config_type(entry.value_type as i8).with_documentation(documentation)
}

/// What a refusal looks like to who asks.
impl Refused {
    fn of(error: ErrorCode) -> Refused {
        Refused { code: code(error), message: None }
    }
}
