//! Fetch sessions (KIP-227, G3) over TCP.

use logdyno_wire::Channel;
use logdyno_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use logdyno_wire::messages::{BrokerId, FetchRequest, FetchResponse};
use uuid::Uuid;

use crate::cluster::{batch, channel, create, metadata, name, produce, run, single, values};

/// Partition 0 of each topic, by name up to version 12, else by id.
fn request(session: (i32, i32), topics: &[(&str, Uuid, i64)], version: i16) -> FetchRequest {
    let topics = topics.iter().map(|(topic, id, from)| {
        let partition = FetchPartition::default().with_fetch_offset(*from).with_partition_max_bytes(1 << 20);
        let topic = if version >= 13 {
            FetchTopic::default().with_topic_id(*id)
        } else {
            FetchTopic::default().with_topic(name(topic))
        };
        topic.with_partitions(vec![partition])
    });
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(0)
        .with_min_bytes(1)
        .with_max_bytes(50 << 20)
        .with_session_id(session.0)
        .with_session_epoch(session.1)
        .with_topics(topics.collect())
}

async fn fetch(channel: &Channel, session: (i32, i32), topics: &[(&str, Uuid, i64)], version: i16) -> FetchResponse {
    channel.call(request(session, topics, version), Some(version)).await.expect("an answer")
}

#[test]
fn a_session_names_its_partitions_once_and_hears_what_is_news() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        let mut ids = Vec::new();
        for topic in ["a", "b"] {
            assert_eq!(create(&channel, topic, 1, 1).await, 0);
            ids.push(metadata(&channel, topic).await.topics[0].topic_id);
        }
        for version in [7, 11, 12, 13, 16] {
            let end = |topic: &'static str| {
                let channel = channel.clone();
                async move { produce(&channel, topic, batch(&["v"]), -1).await.base_offset + 1 }
            };
            let (a, b) = (("a", ids[0], end("a").await), ("b", ids[1], end("b").await));
            let first = fetch(&channel, (0, 0), &[a, b], version).await;
            let id = first.session_id;
            assert!(id > 0 && first.responses.len() == 2, "v{version}: all of it, and an id");
            let quiet = fetch(&channel, (id, 1), &[], version).await;
            assert_eq!((quiet.error_code, quiet.session_id, quiet.responses.len()), (0, id, 0), "v{version}");
            assert_eq!(produce(&channel, "b", batch(&["news"]), -1).await.error_code, 0);
            let news = fetch(&channel, (id, 2), &[], version).await;
            assert_eq!(news.responses.len(), 1, "v{version}");
            assert_eq!(values(news.responses[0].partitions[0].records.clone()), ["news"]);
            let moved = fetch(&channel, (id, 3), &[("b", ids[1], b.2 + 1)], version).await;
            assert_eq!(moved.responses.len(), 0, "v{version}: nothing after it");
            assert_eq!(fetch(&channel, (id, 9), &[], version).await.error_code, 71);
            assert_eq!(fetch(&channel, (id, -1), &[a], version).await.session_id, 0, "the end of it");
            assert_eq!(fetch(&channel, (id, 4), &[], version).await.error_code, 70);
        }
    });
}

#[test]
fn who_gets_no_slot_sends_full_requests() {
    let single = single("max.incremental.fetch.session.cache.slots=1\n");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        let wanted = [("t", Uuid::nil(), 0)];
        assert!(fetch(&channel, (0, 0), &wanted, 12).await.session_id > 0);
        let full = fetch(&channel, (0, 0), &wanted, 12).await;
        assert_eq!((full.session_id, full.error_code, full.responses.len()), (0, 0, 1));
    });
    assert_eq!(single.broker.counters().fetch_sessions, 1);
}
