//! `server.properties`.

use std::sync::Arc;

use logdyno_broker::{Broker, BrokerConfig, StartError};
use logdyno_record::{NoProbe, SystemClock};

use crate::cluster::single;

fn refusal(text: &str) -> String {
    BrokerConfig::from_server_properties(text).expect_err("refused").to_string()
}

/// What Kafka 4.1 brings in config/server.properties.
const STOCK: &str = "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
";

#[test]
fn kafkas_own_properties_are_read_and_what_is_not_obeyed_is_told() {
    let (config, passed_over) = BrokerConfig::from_server_properties(STOCK).expect("a good configuration");
    assert_eq!(config.offsets_topic_replication_factor, 1);
    let told: Vec<String> = passed_over.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "line 11: socket.send.buffer.bytes is not obeyed, it is about sizes of socket queues and buffers, which the system chooses",
            "line 12: socket.receive.buffer.bytes is not obeyed, it is about sizes of socket queues and buffers, which the system chooses",
            "line 18: share.coordinator.state.topic.replication.factor is not obeyed, it is about share groups",
            "line 19: share.coordinator.state.topic.min.isr is not obeyed, it is about share groups",
            "line 20: transaction.state.log.replication.factor is not obeyed, it is about transactions",
            "line 21: transaction.state.log.min.isr is not obeyed, it is about transactions",
        ]
    );
}

/// What would be other than whoever set it expects is not passed over.
#[test]
fn settings_that_promise_something_are_not_passed_over() {
    let passed = |text: &str| BrokerConfig::from_server_properties(text).expect("a good configuration").1.len();
    assert_eq!(passed("delete.topic.enable=true\ncompression.type=producer\nunclean.leader.election.enable=false"), 3);
    assert_eq!(
        refusal("delete.topic.enable=false"),
        "line 1: delete.topic.enable cannot be 'false': another value than true is not built in LogDyno"
    );
    for name in ["authorizer.class.name", "sasl.enabled.mechanisms", "ssl.client.auth", "replica.selector.class"] {
        assert!(refusal(&format!("{name}=x")).contains(&format!("Kafka's setting '{name}' is not built")), "{name}");
    }
    assert!(refusal("metadata.log.dir=/elsewhere").contains("is not built"), "the longest beginning counts");
    let secured =
        "listeners=SECURE://h:1,CONTROLLER://h:2\nlistener.security.protocol.map=SECURE:SSL,CONTROLLER:PLAINTEXT";
    assert!(refusal(secured).contains("listener SECURE is to speak SSL"));
    assert!(refusal("listeners=SASL_SSL://h:1,CONTROLLER://h:2").contains("only PLAINTEXT is built"));
    assert!(refusal("inter.broker.listener.name=INSIDE").contains("inter.broker.listener.name must be PLAINTEXT"));
}

/// `broker.id` and `log.dir` are what they are in Kafka.
#[test]
fn older_names_are_understood() {
    let config = BrokerConfig::from_properties("broker.id=7\nlog.dir=/data/7").expect("a good configuration");
    assert_eq!((config.node_id, config.log_dirs.to_str()), (7, Some("/data/7")));
    assert_eq!(refusal("log.dir=/a\nlog.dirs=/b"), "line 2: 'log.dirs' is set a second time");
}

#[test]
fn mistakes_are_named_by_line() {
    assert_eq!(
        refusal("# a comment\n\nnode.idd=1\n"),
        "line 3: there is no broker setting 'node.idd'; did you mean 'node.id'?"
    );
    assert_eq!(
        BrokerConfig::from_properties("transaction.state.log.min.isr=1").expect_err("refused").to_string(),
        "line 1: Kafka's setting 'transaction.state.log.min.isr' is not built in LogDyno: leave it out"
    );
    assert_eq!(
        refusal("num.partitions=0"),
        "line 1: num.partitions cannot be '0': it is a number from 1 to 2147483647"
    );
    assert_eq!(refusal("node.id=1\nnode.id=2"), "line 2: 'node.id' is set a second time");
    assert_eq!(refusal("node.id"), "line 1: 'node.id' is not of the form name=value");
    assert!(refusal("process.roles=broker").contains("controller.quorum.voters"));
}

#[test]
fn a_configuration_survives_being_written_and_read() {
    let text = "node.id=7\nlog.dirs=/data/7\nprocess.roles=broker\nlisteners=PLAINTEXT://h:1\ncontroller.quorum.voters=1@c:9093\nlogdyno.ack.level=durable\n";
    let config = BrokerConfig::from_properties(text).expect("a good configuration");
    assert_eq!(BrokerConfig::from_properties(&config.to_properties()).expect("as good"), config);
}

/// Kafka's stock server.properties has log.retention.hours; a finer unit counts before a coarser one, in any order.
#[test]
fn hours_and_minutes_stand_for_milliseconds() {
    let retention = |text: &str| BrokerConfig::from_properties(text).expect("a good configuration").log_retention_ms;
    for (text, ms) in [
        ("", 604_800_000),
        ("log.retention.hours=2", 7_200_000),
        ("log.retention.hours=-1", -1),
        ("log.retention.minutes=3\nlog.retention.hours=2", 180_000),
        ("log.retention.hours=2\nlog.retention.minutes=3", 180_000),
        ("log.retention.ms=5\nlog.retention.minutes=3\nlog.retention.hours=2", 5),
    ] {
        assert_eq!(retention(text), ms, "{text:?}");
    }
    assert!(refusal("log.retention.hours=x").starts_with("line 1: log.retention.hours cannot be 'x'"));
    assert!(refusal("log.roll.hours=0").contains("log.roll.ms"));
}

#[test]
fn a_port_in_use_is_said_so() {
    let first = single("");
    let dir = tempfile::TempDir::new().expect("a directory");
    let text = format!(
        "log.dirs={}\nlisteners=PLAINTEXT://{},CONTROLLER://127.0.0.1:0\n",
        dir.path().display(),
        first.broker.address()
    );
    let config = BrokerConfig::from_properties(&text).expect("a good configuration");
    let error = Broker::start(config, &logdyno_storage::kinds(), Arc::new(SystemClock), Arc::new(NoProbe)).err();
    assert!(matches!(error, Some(StartError::Listen { .. })), "{error:?}");
}
