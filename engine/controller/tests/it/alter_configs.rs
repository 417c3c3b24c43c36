//! Topic settings: what they can be, and how they change.

use logdyno_controller::decide::Refusal;
use logdyno_controller::decide::alter_configs::{Alteration, Change, alter_configs};
use logdyno_controller::decide::topic_config::{SETTINGS, check, check_all};

use crate::cluster::{Cluster, topic};

fn alter(cluster: &mut Cluster, alteration: &Alteration) -> Result<usize, Refusal> {
    let records = alter_configs(&cluster.image, "t", alteration)?;
    let count = records.len();
    cluster.apply(records);
    Ok(count)
}

fn some(changes: &[(&str, Change)]) -> Alteration {
    Alteration::Some(changes.iter().map(|(name, change)| ((*name).to_owned(), change.clone())).collect())
}

fn set(value: &str) -> Change {
    Change::Set(Some(value.to_owned()))
}

fn configs(cluster: &Cluster) -> Vec<(&str, &str)> {
    let topic = cluster.image.topic("t").expect("a topic");
    topic.configs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Values that Kafka 4.1 takes and refuses; what is stored is the shortest form of a number.
#[test]
fn values() {
    for (name, value, stored) in [
        ("segment.bytes", "1048576", Some("1048576")),
        ("segment.bytes", "1048575", None),
        ("segment.bytes", "2147483648", None),
        ("segment.ms", " 0005 ", Some("5")),
        ("segment.ms", "", None),
        ("segment.ms", "0", None),
        ("max.message.bytes", "0", Some("0")),
        ("max.message.bytes", "-1", None),
        ("min.insync.replicas", "0", None),
        ("min.insync.replicas", "9", Some("9")),
        ("message.timestamp.type", "LogAppendTime", Some("LogAppendTime")),
        ("message.timestamp.type", "logappendtime", None),
        ("message.timestamp.after.max.ms", "-1", None),
        ("compression.type", "producer", Some("producer")),
        ("compression.type", "gzip", None),
        ("unclean.leader.election.enable", "false", Some("false")),
        ("unclean.leader.election.enable", "true", None),
        ("logdyno.ack.level", "durable", Some("durable")),
        ("logdyno.ack.level", "certain", None),
        ("foo", "1", None),
    ] {
        let checked = check(name, Some(value));
        assert_eq!(checked.as_deref().ok(), stored, "{name}={value}: {checked:?}");
        if let Err(refusal) = checked {
            assert_eq!(refusal.code(), 40);
            assert!(refusal.to_string().contains(name), "{refusal}");
        }
    }
    assert_eq!(check("segment.ms", None).expect_err("no value").code(), 40);
}

/// A topic may say what it has anyway, and the list is in order.
#[test]
fn every_default_is_a_value() {
    check_all(SETTINGS.iter().map(|setting| (setting.name, Some(setting.default)))).expect("good values");
    assert!(SETTINGS.is_sorted_by_key(|setting| setting.name));
}

#[test]
fn settings_change_one_by_one() {
    let mut cluster = Cluster::of(1);
    cluster.create(&topic("t", 1, 1));
    assert_eq!(alter(&mut cluster, &some(&[("segment.ms", set("7")), ("flush.messages", set("9"))])), Ok(2));
    assert_eq!(configs(&cluster), [("flush.messages", "9"), ("segment.ms", "7")]);
    assert_eq!(alter(&mut cluster, &some(&[("segment.ms", set(" 7"))])), Ok(0), "as it is");
    assert_eq!(alter(&mut cluster, &some(&[("segment.ms", Change::Delete), ("foo", Change::Delete)])), Ok(1));
    assert_eq!(configs(&cluster), [("flush.messages", "9")]);
    let list = "leader.replication.throttled.replicas";
    assert_eq!(alter(&mut cluster, &some(&[(list, Change::Append(Some(String::new())))])), Ok(1));
    for (change, code) in [
        (("segment.ms", set("x")), 40),
        (("segment.ms", Change::Set(None)), 42),
        (("segment.ms", Change::Append(Some("1".to_owned()))), 40),
        (("segment.ms", Change::Subtract(Some("1".to_owned()))), 40),
        (("foo", Change::Append(Some("1".to_owned()))), 40),
        ((list, Change::Append(Some("0:1".to_owned()))), 40),
        ((list, Change::Append(None)), 42),
        (("foo", set("1")), 40),
    ] {
        assert_eq!(
            alter(&mut cluster, &some(std::slice::from_ref(&change))).expect_err("refused").code(),
            code,
            "{change:?}"
        );
    }
    let twice = some(&[("segment.ms", set("7")), ("segment.ms", set("8"))]);
    assert_eq!(alter(&mut cluster, &twice).expect_err("refused").code(), 42);
}

#[test]
fn all_settings_are_replaced() {
    let mut cluster = Cluster::of(1);
    cluster.create(&topic("t", 1, 1));
    let all = |configs: &[(&str, Option<&str>)]| {
        let owned = |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
        Alteration::All(configs.iter().map(owned).collect())
    };
    assert_eq!(alter(&mut cluster, &all(&[("segment.ms", Some("7")), ("flush.messages", Some("9"))])), Ok(2));
    assert_eq!(alter(&mut cluster, &all(&[("segment.ms", Some("8"))])), Ok(2), "one changes, one goes");
    assert_eq!(configs(&cluster), [("segment.ms", "8")]);
    for (configs, code) in
        [(&[("segment.ms", None)][..], 42), (&[("foo", Some("1"))], 40), (&[("a", Some("1")), ("a", Some("1"))], 42)]
    {
        assert_eq!(alter(&mut cluster, &all(configs)).expect_err("refused").code(), code, "{configs:?}");
    }
    assert_eq!(alter(&mut cluster, &all(&[])), Ok(1));
    assert!(configs(&cluster).is_empty());
}

#[test]
fn a_topic_must_exist_to_be_altered() {
    let cluster = Cluster::of(1);
    let nothing = Alteration::All(Vec::new());
    for (name, code) in [("t", 3), ("a b", 17), ("", 42), (&"x".repeat(250), 17)] {
        assert_eq!(alter_configs(&cluster.image, name, &nothing).expect_err("refused").code(), code, "{name}");
    }
}
