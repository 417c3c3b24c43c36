//! The admin client.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use logdyno_client::{Admin, AdminConfig, ClientError, NewTopic, OffsetSpec};
use logdyno_record::{Offset, TopicPartition};
use logdyno_wire::ErrorCode;

use crate::cluster::Cluster;

fn admin(cluster: &Cluster) -> Admin {
    let bootstrap = cluster.bootstrap();
    Admin::new(AdminConfig::from_pairs([("bootstrap.servers", bootstrap.as_str())]).unwrap()).unwrap()
}

#[test]
fn topics_are_created_described_and_deleted() {
    let cluster = Cluster::start(1, &[1]);
    let admin = admin(&cluster);
    let topic =
        |name: &str| NewTopic { name: name.to_owned(), partitions: 3, replication_factor: 1, configs: Vec::new() };
    let created = admin.create_topics(&[topic("new"), topic("t")]).unwrap();
    assert!(created[0].1.is_ok());
    let exists = created[1].1.as_ref().unwrap_err();
    assert!(matches!(exists, ClientError::Refused { code: ErrorCode::TopicAlreadyExists, .. }), "{exists}");
    assert_eq!(admin.list_topics().unwrap(), ["new", "t"]);
    let described = admin.describe_topics(&["new", "nowhere"]).unwrap();
    assert_eq!(described[0].1.as_ref().unwrap().partitions[2].leader, Some(1));
    assert!(described[1].1.is_err());
    assert!(admin.delete_topics(&["new"]).unwrap()[0].1.is_ok());
    assert_eq!(admin.list_topics().unwrap(), ["t"]);
}

#[test]
fn the_cluster_and_offsets_can_be_asked_for() {
    let cluster = Cluster::start(3, &[2]);
    let admin = admin(&cluster);
    let described = admin.describe_cluster().unwrap();
    assert_eq!(
        (described.id.as_deref(), described.controller, described.brokers.len()),
        (Some("scripted"), Some(1), 3)
    );
    let zero = TopicPartition::new("t", 0);
    let listed = admin.list_offsets([(zero.clone(), OffsetSpec::Latest)]).unwrap();
    assert_eq!(listed[&zero].offset, Offset(0));
}

/// A broker that answers nothing holds up a call no longer than default.api.timeout.ms.
#[test]
fn a_call_ends_in_its_time() {
    let frozen = TcpListener::bind("127.0.0.1:0").unwrap();
    let bootstrap = frozen.local_addr().unwrap().to_string();
    let pairs =
        [("bootstrap.servers", bootstrap.as_str()), ("default.api.timeout.ms", "200"), ("request.timeout.ms", "20000")];
    let admin = Admin::new(AdminConfig::from_pairs(pairs).unwrap()).unwrap();
    let begun = Instant::now();
    let error = admin.list_topics().unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20), "request.timeout.ms was waited for");
}
