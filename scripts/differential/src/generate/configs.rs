//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, of topics.

use logdyno_wire::StrBytes;
use logdyno_wire::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use logdyno_wire::messages::describe_configs_request::DescribeConfigsResource;
use logdyno_wire::messages::incremental_alter_configs_request as incremental;
use logdyno_wire::messages::{
    AlterConfigsRequest, ApiKey, DescribeConfigsRequest, IncrementalAlterConfigsRequest, RequestKind,
};

use super::{Maker, text};

const TOPIC: i8 = 2;

/// Settings that do not change what other requests meet.
const SETTINGS: &[&str] = &[
    "retention.bytes",
    "segment.ms",
    "segment.jitter.ms",
    "file.delete.delay.ms",
    "index.interval.bytes",
    "flush.messages",
    "flush.ms",
    "min.cleanable.dirty.ratio",
    "delete.retention.ms",
    "min.compaction.lag.ms",
    "no.such.setting",
];

pub fn setting(maker: &mut Maker) -> &'static str {
    maker.random.pick(SETTINGS)
}

/// A value that the setting may have, or none that it may.
pub fn value(maker: &mut Maker, setting: &str) -> Option<StrBytes> {
    if maker.random.percent(15) {
        let wrong = maker.random.pick(&["-7", "", "x", "1e99", "99999999999999999999", " 1200000000"]);
        return Some(text(wrong));
    }
    if maker.random.percent(4) {
        return None;
    }
    Some(text(match setting {
        // By which clock a segment is rolled is a server's own, and a Fetch ends where its segment does.
        "segment.ms" => maker.random.pick(&["1000000000", "2000000", "86400000"]),
        "segment.jitter.ms" => maker.random.pick(&["0", "1000"]),
        "min.cleanable.dirty.ratio" => maker.random.pick(&["0.1", "1.0", "0", "1.5"]),
        _ => maker.random.pick(&["1000000000", "2000000", "86400000", "1000"]),
    }))
}

pub fn request(api: ApiKey, maker: &mut Maker) -> RequestKind {
    match api {
        ApiKey::DescribeConfigs => RequestKind::DescribeConfigs(describe(maker)),
        ApiKey::AlterConfigs => RequestKind::AlterConfigs(alter(maker)),
        _ => RequestKind::IncrementalAlterConfigs(alter_some(maker)),
    }
}

fn describe(maker: &mut Maker) -> DescribeConfigsRequest {
    let kind = if maker.random.percent(95) { TOPIC } else { maker.random.pick(&[0, 3, 99]) };
    let mut resource =
        DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(text(maker.topic()));
    resource = resource.with_configuration_keys(match maker.random.below(3) {
        0 => None,
        1 => Some(vec![text(setting(maker)), text(setting(maker))]),
        _ => Some(vec![text(setting(maker))]),
    });
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    request.with_include_synonyms(maker.random.percent(50))
}

fn alter(maker: &mut Maker) -> AlterConfigsRequest {
    let name = setting(maker);
    let config = AlterableConfig::default().with_name(text(name)).with_value(value(maker, name));
    let resource = AlterConfigsResource::default().with_resource_type(TOPIC).with_resource_name(text(maker.topic()));
    let request = AlterConfigsRequest::default().with_resources(vec![resource.with_configs(vec![config])]);
    request.with_validate_only(maker.random.percent(30))
}

fn alter_some(maker: &mut Maker) -> IncrementalAlterConfigsRequest {
    let several = maker.random.below(2);
    // One that does not exist comes alone: in which order Kafka finds faults is by chance.
    let operations: &[i8] = if several == 0 { &[0, 0, 0, 1, 1, 2, 3, 9] } else { &[0, 0, 0, 1, 1, 2, 3] };
    let configs = (0..=several).map(|_| {
        let name = setting(maker);
        let config = incremental::AlterableConfig::default().with_name(text(name)).with_value(value(maker, name));
        config.with_config_operation(maker.random.pick(operations))
    });
    let configs = configs.collect();
    let resource = incremental::AlterConfigsResource::default().with_resource_type(TOPIC);
    let resource = resource.with_resource_name(text(maker.topic())).with_configs(configs);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    request.with_validate_only(maker.random.percent(30))
}
