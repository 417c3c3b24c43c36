//! Metadata, topics, ApiVersions.

use logdyno_wire::kafka_protocol::messages::api_versions_response::ApiVersionsResponse;
use logdyno_wire::kafka_protocol::protocol::Decodable;
use logdyno_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use logdyno_wire::messages::{ListOffsetsRequest, MetadataRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::cluster::{batch, channel, create, metadata, name, produce, run, single, start};

/// Rows 1, 7, 26; §7 no. 28.
#[test]
fn topics_are_created_and_described_in_every_version() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 2, 1).await, 0);
        assert_eq!(create(&channel, "t", 2, 1).await, 36, "it exists");
        assert_eq!(create(&channel, "t4", 1, 4).await, 38, "more replicas than brokers");
        assert_eq!(create(&channel, "t0", 1, 0).await, 38);
        assert_eq!(create(&channel, "a/b", 1, 1).await, 17);
        for version in 0..=13 {
            let all = MetadataRequest::default().with_topics(if version == 0 { Some(vec![]) } else { None });
            let answer = channel.call(all, Some(version)).await.expect("an answer");
            assert_eq!(answer.topics.len(), 1, "version {version}");
            let topic = &answer.topics[0];
            assert_eq!((topic.name.clone(), topic.partitions.len()), (Some(name("t")), 2));
            assert!(topic.partitions.iter().all(|partition| partition.leader_id.0 == 1 && partition.error_code == 0));
            assert_eq!(answer.brokers[0].port, i32::from(single.broker.address().port()));
            if version >= 1 {
                assert_eq!(answer.controller_id.0, 1);
            }
            if version >= 7 {
                assert!(topic.partitions.iter().all(|partition| partition.leader_epoch >= 0));
            }
            if version >= 10 {
                assert!(!topic.topic_id.is_nil());
            }
        }
    });
}

/// G8: asking for a topic creates it, if the broker's configuration says so.
#[test]
fn asking_creates_topics_only_where_that_is_allowed() {
    for (setting, allowed) in [("true", true), ("false", false)] {
        let single = single(&format!("auto.create.topics.enable={setting}\n"));
        run(async {
            let channel = channel(&single.broker).await;
            let mut error = metadata(&channel, "wanted").await.topics[0].error_code;
            assert_eq!(error, 3, "not yet, or not at all");
            while allowed && error != 0 {
                error = metadata(&channel, "wanted").await.topics[0].error_code;
                assert!([0, 3, 5].contains(&error));
            }
        });
    }
}

/// G7.
#[test]
fn offsets_are_listed_from_both_ends() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        assert_eq!(produce(&channel, "t", batch(&["a", "b", "c"]), -1).await.error_code, 0);
        for version in 1..=9 {
            for (timestamp, offset) in [(-1, 3), (-2, 0), (1, 0), (1_700_000_000_001, -1)] {
                let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
                let topic = ListOffsetsTopic::default().with_name(name("t")).with_partitions(vec![partition]);
                let request = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic]);
                let answer = channel.call(request, Some(version)).await.expect("an answer");
                let partition = &answer.topics[0].partitions[0];
                assert_eq!((partition.error_code, partition.offset), (0, offset), "v{version} at {timestamp}");
            }
        }
    });
}

/// §2.2: a client that is too new is told in version 0, with a header that is the correlation id alone.
#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let single = single("");
    run(async {
        let mut stream = tokio::net::TcpStream::connect(single.broker.address()).await.expect("connected");
        let request = [0, 18, 0, 99, 0, 0, 0, 7, 1, 2, 3];
        stream.write_u32(11).await.expect("written");
        stream.write_all(&request).await.expect("written");
        let length = stream.read_u32().await.expect("a length") as usize;
        assert_eq!(stream.read_u32().await.expect("a correlation id"), 7);
        let mut body = vec![0; length - 4];
        stream.read_exact(&mut body).await.expect("a body");
        let answer = ApiVersionsResponse::decode(&mut bytes::Bytes::from(body), 0).expect("version 0");
        assert_eq!(answer.error_code, 35);
        let produce = answer.api_keys.iter().find(|api| api.api_key == 0).expect("Produce is served");
        assert_eq!((produce.min_version, produce.max_version), (0, 12), "G1: version 0 is named");
    });
}

/// What an older broker may have left without the cluster's id is the cluster's that it joins, from then on.
#[test]
fn a_directory_without_a_clusters_id_gets_that_of_its_cluster() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let meta = dir.path().join("meta.properties");
    std::fs::write(&meta, "version=1\ncluster.id=\nnode.id=1\n").expect("written");
    let broker = start(1, dir.path(), None, "");
    let id = run(async { metadata(&channel(&broker).await, "t").await.cluster_id.expect("an id") });
    broker.stop().expect("stopped");
    let written = std::fs::read_to_string(&meta).expect("read");
    assert!(!id.is_empty() && written.contains(&format!("cluster.id={}\n", id.as_str())), "{written}");
}
