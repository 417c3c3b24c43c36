//! `server.properties`.

use std::sync::Arc;

use logdyno_broker::{Broker, BrokerConfig, StartError};
use logdyno_record::{NoProbe, SystemClock};

use crate::cluster::single;

fn refusal(text: &str) -> String {
    BrokerConfig::from_properties(text).expect_err("refused").to_string()
}

#[test]
fn mistakes_are_named_by_line() {
    assert_eq!(
        refusal("# a comment\n\nnode.idd=1\n"),
        "line 3: there is no broker setting 'node.idd'; did you mean 'node.id'?"
    );
    assert_eq!(
        refusal("transaction.state.log.min.isr=1"),
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
