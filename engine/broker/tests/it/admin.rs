//! Partitions added, records deleted, topics paged through, directories described.

use logdyno_wire::Channel;
use logdyno_wire::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use logdyno_wire::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
use logdyno_wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use logdyno_wire::messages::describe_log_dirs_request::DescribableLogDirTopic;
use logdyno_wire::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use logdyno_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use logdyno_wire::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest, DescribeClusterRequest,
    DescribeLogDirsRequest, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, ListOffsetsRequest,
    MetadataRequest,
};
use tempfile::TempDir;

use crate::cluster::{Fetch, batch, channel, create, metadata, name, produce, run, single, start};

const EARLIEST: i64 = -2;

async fn delete_before(channel: &Channel, topic: &str, partition: i32, offset: i64, version: i16) -> (i64, i16) {
    let partition = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
    let topic = DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(60_000);
    let answer = channel.call(request, Some(version)).await.expect("an answer");
    let partition = &answer.topics[0].partitions[0];
    (partition.low_watermark, partition.error_code)
}

async fn earliest(channel: &Channel, topic: &str) -> i64 {
    let partition = ListOffsetsPartition::default().with_timestamp(EARLIEST);
    let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
    channel.call(request, None).await.expect("an answer").topics[0].partitions[0].offset
}

/// Error codes and low watermarks as Kafka 4.1 gave them to the same requests.
#[test]
fn records_are_deleted_from_the_start() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        for _ in 0..10 {
            assert_eq!(produce(&channel, "t", batch(&["v"]), -1).await.error_code, 0);
        }
        for (offset, version, expected) in
            [(3, 0, (3, 0)), (2, 1, (3, 0)), (99, 2, (-1, 1)), (-2, 2, (-1, 1)), (4, 2, (4, 0)), (-1, 2, (10, 0))]
        {
            assert_eq!(delete_before(&channel, "t", 0, offset, version).await, expected, "before {offset}");
            let (low, error) = expected;
            if error == 0 {
                assert_eq!(earliest(&channel, "t").await, low);
                assert_eq!(Fetch::from(low - 1).call(&channel, "t").await.error_code, 1, "gone");
            }
        }
        assert_eq!(delete_before(&channel, "t", 7, 1, 2).await, (-1, 3));
        assert_eq!(delete_before(&channel, "nope", 0, 1, 2).await, (-1, 3));
        assert_eq!(delete_before(&channel, "__consumer_offsets", 0, 1, 2).await, (-1, 17));
    });
}

/// KIP-107: the answer comes when the followers have let go, too; it survives the leader's restart.
#[test]
fn deletion_waits_for_the_followers() {
    let dirs: Vec<TempDir> = (0..2).map(|_| TempDir::new().expect("a directory")).collect();
    let first = start(1, dirs[0].path(), None, "");
    let second = start(2, dirs[1].path(), first.controller_address(), "");
    run(async {
        let channel = channel(&first).await;
        // The topic is led by the first broker.
        let topic = CreatableTopic::default()
            .with_name(name("t"))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments(vec![CreatableReplicaAssignment::default().with_broker_ids(vec![1.into(), 2.into()])]);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        assert_eq!(channel.call(request, None).await.expect("an answer").topics[0].error_code, 0);
        for _ in 0..10 {
            assert_eq!(produce(&channel, "t", batch(&["v"]), -1).await.error_code, 0);
        }
        assert_eq!(delete_before(&channel, "t", 0, 6, 2).await, (6, 0));
        assert_eq!(earliest(&channel, "t").await, 6);
    });
    second.stop().expect("a clean stop");
    first.stop().expect("a clean stop");
    for dir in &dirs {
        let starts = std::fs::read_to_string(dir.path().join("log-start-offset-checkpoint"));
        let starts = starts.unwrap_or_default();
        assert!(starts.contains("t 0 6"), "on both: {starts:?}");
    }
}

/// Error codes as Kafka 4.1 gave them to the same requests.
#[test]
fn a_topic_gets_more_partitions_while_it_is_used() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 2, 1).await, 0);
        let more = async |topic: &str, count: i32, brokers: Option<&[i32]>, validate: bool, version: i16| {
            let assignment = brokers.map(|ids| {
                vec![CreatePartitionsAssignment::default().with_broker_ids(ids.iter().map(|id| (*id).into()).collect())]
            });
            let topic =
                CreatePartitionsTopic::default().with_name(name(topic)).with_count(count).with_assignments(assignment);
            let request = CreatePartitionsRequest::default()
                .with_topics(vec![topic])
                .with_timeout_ms(30_000)
                .with_validate_only(validate);
            channel.call(request, Some(version)).await.expect("an answer").results[0].error_code
        };
        for (topic, count, brokers, code) in [
            ("t", 2, None, 37),
            ("t", 1, None, 37),
            ("t", 0, None, 37),
            ("t", 3, Some(&[9][..]), 39),
            ("t", 3, Some(&[1, 1]), 39),
            ("t", 4, Some(&[1]), 39),
            ("nope", 5, None, 3),
        ] {
            assert_eq!(more(topic, count, brokers, false, 3).await, code, "{topic} {count} {brokers:?}");
        }
        assert_eq!(more("t", 9, None, true, 3).await, 0);
        assert_eq!(metadata(&channel, "t").await.topics[0].partitions.len(), 2, "only validated");
        for version in 0..=3 {
            assert_eq!(more("t", 3 + i32::from(version), None, false, version).await, 0);
            let described = metadata(&channel, "t").await.topics[0].clone();
            assert_eq!(described.partitions.len(), 3 + version as usize);
            assert!(described.partitions.iter().all(|partition| partition.leader_id.0 == 1));
        }
        assert_eq!(more("t", 7, Some(&[1]), false, 3).await, 0);
    });
}

/// KIP-966: pages in the order of the names, each of at most as many partitions as asked for.
#[test]
fn topics_are_paged_through() {
    let single = single("max.request.partition.size.limit=4\n");
    run(async {
        let channel = channel(&single.broker).await;
        for (topic, partitions) in [("b", 5), ("a", 2), ("c", 1)] {
            assert_eq!(create(&channel, topic, partitions, 1).await, 0);
        }
        let page = async |names: &[&str], limit: i32, cursor: Option<(&str, i32)>| {
            let cursor = cursor.map(|(topic, partition)| {
                Cursor::default().with_topic_name(name(topic)).with_partition_index(partition)
            });
            let request = DescribeTopicPartitionsRequest::default()
                .with_topics(names.iter().map(|topic| TopicRequest::default().with_name(name(topic))).collect())
                .with_response_partition_limit(limit)
                .with_cursor(cursor);
            shown(&channel.call(request, None).await.expect("an answer"))
        };
        assert_eq!(page(&[], 2000, None).await, "a 0[0, 1] b 0[0, 1] next b 2", "the broker's limit is 4");
        assert_eq!(page(&[], 3, Some(("b", 2))).await, "b 0[2, 3, 4] next c 0");
        assert_eq!(page(&[], 3, Some(("c", 0))).await, "c 0[0]");
        assert_eq!(page(&["c", "a"], 4, None).await, "a 0[0, 1] c 0[0]");
        assert_eq!(page(&["c", "nope", "a b"], 4, None).await, "a b 17[] c 0[0] nope 3[]");
        assert_eq!(page(&["a"], 0, None).await, "a 0[0] next a 1", "at least one");
        assert_eq!(page(&["a"], 4, Some(("b", 0))).await, "a 42[]", "the cursor's topic was not asked for");
        assert_eq!(page(&[], 4, Some(("bb", 1))).await, "c 0[0]", "the cursor's topic is gone");
        assert_eq!(page(&["a"], 4, Some(("a", -1))).await, "a 42[]");
        assert_eq!(page(&["a"], 4, Some(("a", 9))).await, "a 0[]");
    });
}

fn shown(page: &DescribeTopicPartitionsResponse) -> String {
    // Java's admin client fails on null.
    let mut partitions = page.topics.iter().flat_map(|topic| &topic.partitions);
    assert!(
        partitions.all(|partition| partition.eligible_leader_replicas.is_some() && partition.last_known_elr.is_some())
    );
    let topics = page.topics.iter().map(|topic| {
        let partitions: Vec<_> = topic.partitions.iter().map(|partition| partition.partition_index).collect();
        format!("{} {}{partitions:?}", topic.name.as_ref().expect("a name").as_str(), topic.error_code)
    });
    let next = page.next_cursor.as_ref();
    let next = next.map(|next| format!("next {} {}", next.topic_name.as_str(), next.partition_index));
    topics.chain(next).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_data_directory_is_described() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        for topic in ["a", "b"] {
            assert_eq!(create(&channel, topic, 2, 1).await, 0);
        }
        assert_eq!(produce(&channel, "a", batch(&["v"]), -1).await.error_code, 0);
        let describe = async |topics: Option<&[(&str, &[i32])]>, version: i16| {
            let wanted = topics.map(|topics| {
                let topic = |(topic, partitions): &(&str, &[i32])| {
                    DescribableLogDirTopic::default().with_topic(name(topic)).with_partitions(partitions.to_vec())
                };
                topics.iter().map(topic).collect()
            });
            let request = DescribeLogDirsRequest::default().with_topics(wanted);
            channel.call(request, Some(version)).await.expect("an answer").results
        };
        for version in 1..=4 {
            let dirs = describe(None, version).await;
            assert_eq!((dirs.len(), dirs[0].error_code, dirs[0].topics.len()), (1, 0, 2));
            assert!(dirs[0].log_dir.starts_with('/'));
            let sizes: Vec<_> = dirs[0].topics[0].partitions.iter().map(|partition| partition.partition_size).collect();
            assert!(sizes[0] > 61 && sizes[1] == 0, "{sizes:?}");
            if version >= 4 {
                assert!(dirs[0].total_bytes >= dirs[0].usable_bytes && dirs[0].usable_bytes > 0);
            }
        }
        let some = describe(Some(&[("b", &[1, 9]), ("nope", &[0])]), 4).await;
        assert_eq!((some[0].topics.len(), some[0].topics[0].partitions.len()), (1, 1));
        assert!(describe(Some(&[]), 4).await[0].topics.is_empty());
    });
}

/// KIP-430, without an authorizer: the bits that Kafka 4.1 gave.
#[test]
fn what_may_be_done_is_told_where_it_is_asked_for() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        for (asked, bits) in [(true, 8096), (false, i32::MIN)] {
            let request = DescribeClusterRequest::default().with_include_cluster_authorized_operations(asked);
            let request = request.with_endpoint_type(1);
            let answer = channel.call(request, None).await.expect("an answer");
            assert_eq!(answer.cluster_authorized_operations, bits);
        }
        for (asked, bits) in [(true, 3576), (false, i32::MIN)] {
            let request = MetadataRequest::default().with_topics(None).with_include_topic_authorized_operations(asked);
            let answer = channel.call(request, None).await.expect("an answer");
            assert_eq!(answer.topics[0].topic_authorized_operations, bits);
        }
    });
}

/// Part 4: a deleted topic's files go, and its name can be used anew at once.
#[test]
fn a_deleted_topic_makes_room_for_a_namesake() {
    let single = single("auto.create.topics.enable=false\n");
    run(async {
        let channel = channel(&single.broker).await;
        for round in 0..3 {
            assert_eq!(create(&channel, "t", 1, 1).await, 0, "round {round}");
            assert_eq!(produce(&channel, "t", batch(&["v"]), -1).await.base_offset, 0, "it starts empty");
            let request = DeleteTopicsRequest::default().with_topic_names(vec![name("t")]).with_timeout_ms(30_000);
            let answer = channel.call(request, Some(5)).await.expect("an answer");
            assert_eq!(answer.responses[0].error_code, 0);
            assert_eq!(metadata(&channel, "t").await.topics[0].error_code, 3, "gone when it is said to be");
        }
        assert_eq!(metadata(&channel, "a b").await.topics[0].error_code, 17);
    });
}
