//! Settings of topics and brokers: described, altered, obeyed.

use bytes::Bytes;
use logdyno_wire::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig as Replaced};
use logdyno_wire::messages::describe_configs_request::DescribeConfigsResource;
use logdyno_wire::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use logdyno_wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource as Altered, AlterableConfig as Change,
};
use logdyno_wire::messages::{AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest};
use logdyno_wire::{Channel, StrBytes};

use crate::cluster::{Fetch, batch, channel, create, produce, run, single, start};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) async fn describe(channel: &Channel, kind: i8, name: &str, version: i16) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource])
        .with_include_synonyms(true)
        .with_include_documentation(version >= 3);
    channel.call(request, Some(version)).await.expect("an answer").results[0].clone()
}

async fn setting(channel: &Channel, topic: &str, key: &str) -> DescribeConfigsResourceResult {
    let described = describe(channel, TOPIC, topic, 4).await;
    described.configs.into_iter().find(|config| config.name.as_str() == key).expect("a setting")
}

async fn value(channel: &Channel, topic: &str, key: &str) -> (String, i8) {
    let setting = setting(channel, topic, key).await;
    (setting.value.expect("a value").to_string(), setting.config_source)
}

/// Alters one resource; gives the error code.
async fn alter(channel: &Channel, kind: i8, name: &str, changes: &[(&str, i8, Option<&str>)], validate: bool) -> i16 {
    let change = |(key, operation, value): &(&str, i8, Option<&str>)| {
        Change::default().with_name(text(key)).with_config_operation(*operation).with_value(value.map(text))
    };
    let resource = Altered::default().with_resource_type(kind).with_resource_name(text(name));
    let resource = resource.with_configs(changes.iter().map(change).collect());
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]).with_validate_only(validate);
    let answer = channel.call(request, None).await.expect("an answer").responses[0].clone();
    assert_eq!((answer.resource_type, answer.resource_name.as_str()), (kind, name));
    assert_eq!(answer.error_message.is_some(), answer.error_code != 0, "a refusal says why");
    answer.error_code
}

/// Sets one setting of a topic.
pub(crate) async fn set(channel: &Channel, topic: &str, name: &str, value: &str) {
    assert_eq!(alter(channel, TOPIC, topic, &[(name, SET, Some(value))], false).await, 0, "{name}={value}");
}

/// Error codes as Kafka 4.1 gave them to the same requests.
#[test]
fn alterations_and_their_refusals() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        for (case, topic, changes, code) in [
            ("a value", "t", &[("max.message.bytes", SET, Some("5000"))][..], 0),
            ("no number", "t", &[("max.message.bytes", SET, Some("abc"))], 40),
            ("below its bounds", "t", &[("segment.bytes", SET, Some("1048575"))], 40),
            ("unknown", "t", &[("foo", SET, Some("1"))], 40),
            ("an unknown one's default", "t", &[("foo", DELETE, None)], 0),
            ("one that nothing obeys", "t", &[("compression.type", SET, Some("gzip"))], 40),
            ("its default", "t", &[("compression.type", SET, Some("producer"))], 0),
            ("no value", "t", &[("max.message.bytes", SET, None)], 42),
            ("twice", "t", &[("segment.ms", SET, Some("1")), ("segment.ms", SET, Some("2"))], 42),
            ("appended to a number", "t", &[("segment.ms", APPEND, Some("1"))], 40),
            ("an unknown operation", "t", &[("segment.ms", 9, Some("1"))], 42),
            ("one bad of two", "t", &[("segment.ms", SET, Some("7")), ("segment.bytes", SET, Some("1"))], 40),
            ("no such topic", "nope", &[("segment.ms", SET, Some("7"))], 3),
            ("no such name", "a b", &[("segment.ms", SET, Some("7"))], 17),
        ] {
            assert_eq!(alter(&channel, TOPIC, topic, changes, false).await, code, "{case}");
        }
        assert_eq!(value(&channel, "t", "max.message.bytes").await, ("5000".to_owned(), 1));
        assert_eq!(
            value(&channel, "t", "segment.ms").await,
            ("604800000".to_owned(), 5),
            "all of a request or nothing"
        );
        for (name, code) in [("1", 42), ("", 42), ("9", 42), ("abc", 42)] {
            assert_eq!(alter(&channel, BROKER, name, &[("node.id", SET, Some("7"))], false).await, code, "{name:?}");
        }
        assert_eq!(alter(&channel, 32, "group", &[("x", SET, Some("7"))], false).await, 42);
        assert_eq!(alter(&channel, TOPIC, "t", &[("segment.ms", SET, Some("7"))], true).await, 0);
        assert_eq!(value(&channel, "t", "segment.ms").await.1, 5, "only validated");
        assert_eq!(alter(&channel, TOPIC, "t", &[("max.message.bytes", DELETE, None)], false).await, 0);
        assert_eq!(value(&channel, "t", "max.message.bytes").await, ("1048588".to_owned(), 5));
    });
}

/// AlterConfigs replaces: what it does not name has its default again.
#[test]
fn all_settings_of_a_topic_are_replaced_at_once() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        for version in 0..=2 {
            let replace = async |configs: &[(&str, &str)]| {
                let configs = configs
                    .iter()
                    .map(|(name, value)| Replaced::default().with_name(text(name)).with_value(Some(text(value))));
                let resource = AlterConfigsResource::default().with_resource_type(TOPIC).with_resource_name(text("t"));
                let request =
                    AlterConfigsRequest::default().with_resources(vec![resource.with_configs(configs.collect())]);
                channel.call(request, Some(version)).await.expect("an answer").responses[0].error_code
            };
            assert_eq!(replace(&[("segment.ms", "7"), ("max.message.bytes", "5000")]).await, 0);
            assert_eq!(replace(&[("segment.ms", "8")]).await, 0);
            assert_eq!(value(&channel, "t", "segment.ms").await, ("8".to_owned(), 1));
            assert_eq!(value(&channel, "t", "max.message.bytes").await.1, 5);
            assert_eq!(replace(&[("segment.ms", "x")]).await, 40);
            assert_eq!(value(&channel, "t", "segment.ms").await, ("8".to_owned(), 1));
        }
    });
}

#[test]
fn settings_are_described_in_every_version() {
    let single = single("log.segment.bytes=2000000\n");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        for version in 1..=4 {
            let topic = describe(&channel, TOPIC, "t", version).await;
            assert_eq!((topic.error_code, topic.configs.len()), (0, 34), "v{version}");
            let segment =
                topic.configs.iter().find(|config| config.name.as_str() == "segment.bytes").expect("is there");
            assert_eq!(
                (segment.value.as_deref(), segment.config_source, segment.read_only),
                (Some("2000000"), 4, false)
            );
            let synonyms: Vec<_> = segment.synonyms.iter().map(|synonym| synonym.source).collect();
            assert_eq!(synonyms, [4, 5]);
            if version >= 3 {
                assert_eq!((segment.config_type, segment.documentation.is_some()), (3, true));
            }
            let broker = describe(&channel, BROKER, "1", version).await;
            assert!(broker.error_code == 0 && broker.configs.iter().all(|config| config.read_only));
            let listeners = broker.configs.iter().find(|config| config.name.as_str() == "listeners").expect("is there");
            assert_eq!(listeners.config_source, 4);
            for (kind, name, code) in [
                (TOPIC, "nope", 3),
                (TOPIC, "a b", 17),
                (BROKER, "9", 42),
                (BROKER, "abc", 42),
                (BROKER, "", 0),
                (8, "1", 42),
            ] {
                assert_eq!(describe(&channel, kind, name, version).await.error_code, code, "{kind} {name:?}");
            }
        }
        let some = DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text("t"))
            .with_configuration_keys(Some(vec![text("segment.ms"), text("foo")]));
        let request = DescribeConfigsRequest::default().with_resources(vec![some]);
        let answer = channel.call(request, None).await.expect("an answer");
        assert_eq!(answer.results[0].configs.len(), 1, "only what is asked for, and known");
        assert!(answer.results[0].configs[0].synonyms.is_empty(), "not asked for");
    });
}

/// Produce obeys the next setting from the next request on; the restart keeps it.
#[test]
fn altered_settings_are_obeyed_at_once_and_kept() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let broker = start(1, dir.path(), None, "");
    run(async {
        let channel = channel(&broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        let send = async |records: Bytes| produce(&channel, "t", records, -1).await;
        let set = async |key: &str, value: &str| {
            assert_eq!(alter(&channel, TOPIC, "t", &[(key, SET, Some(value))], false).await, 0, "{key}={value}");
        };
        let large = "x".repeat(3000);
        assert_eq!(send(batch(&[&large])).await.error_code, 0);
        set("max.message.bytes", "2000").await;
        assert_eq!(send(batch(&[&large])).await.error_code, 10);
        assert_eq!(send(batch(&["a"])).await.log_append_time_ms, -1);
        set("message.timestamp.type", "LogAppendTime").await;
        assert!(send(batch(&["a"])).await.log_append_time_ms > 0);
        set("message.timestamp.type", "CreateTime").await;
        // The batches' time is in 2023.
        set("message.timestamp.before.max.ms", "1000").await;
        assert_eq!(send(batch(&["a"])).await.error_code, 32);
        set("message.timestamp.before.max.ms", "9223372036854775807").await;
        assert_eq!(send(batch(&["a"])).await.error_code, 0);
        set("logdyno.ack.level", "durable").await;
        assert_eq!(send(batch(&["durable"])).await.error_code, 0);
        assert!(Fetch::from(0).call(&channel, "t").await.high_watermark > 0);
        // One replica is all that there is: min.insync.replicas counts as 1.
        set("min.insync.replicas", "2").await;
        assert_eq!(send(batch(&["a"])).await.error_code, 0);
    });
    broker.stop().expect("a clean stop");
    let broker = start(1, dir.path(), None, "");
    run(async {
        let channel = channel(&broker).await;
        assert_eq!(value(&channel, "t", "max.message.bytes").await, ("2000".to_owned(), 1));
        assert_eq!(produce(&channel, "t", batch(&[&"x".repeat(3000)]), -1).await.error_code, 10);
    });
}
