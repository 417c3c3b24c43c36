//! Idempotent producers over the wire: ids, sequences, and what is sent again.

use bytes::Bytes;
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression};
use logdyno_wire::Channel;
use logdyno_wire::StrBytes;
use logdyno_wire::messages::describe_producers_request::TopicRequest;
use logdyno_wire::messages::{
    DescribeProducersRequest, InitProducerIdRequest, InitProducerIdResponse, TransactionalId,
};
use tempfile::TempDir;

use crate::cluster::{Fetch, channel, create, name, produce, run, single, start, values};

async fn init(channel: &Channel, transactional: Option<&str>) -> InitProducerIdResponse {
    let id = transactional.map(|id| TransactionalId(StrBytes::from_string(id.to_owned())));
    channel.call(InitProducerIdRequest::default().with_transactional_id(id), None).await.expect("an answer")
}

/// One record from a producer.
fn stamped(producer: i64, epoch: i16, sequence: i32) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 64);
    builder.append(1, None, Some(sequence.to_string().as_bytes()), &[]);
    let options = BatchOptions::default().with_producer(producer, epoch, sequence);
    builder.build(&options).expect("a batch").bytes().clone()
}

/// Row 71. Also after the broker has restarted: its producers are remembered, and no id is given twice.
#[test]
fn what_is_sent_again_is_answered_with_its_first_offset() {
    let dir = TempDir::new().expect("a directory");
    let more = "broker.session.timeout.ms=2000\n";
    let broker = start(1, dir.path(), None, more);
    let (first, second) = run(async {
        let channel = channel(&broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        let (first, second) = (init(&channel, None).await, init(&channel, None).await);
        assert_eq!((first.error_code, first.producer_epoch), (0, 0));
        assert_ne!(first.producer_id, second.producer_id);
        let id = first.producer_id.0;
        for (sequence, error, offset) in [(0, 0, 0), (1, 0, 1), (0, 0, 0), (3, 45, -1), (2, 0, 2), (1, 0, 1)] {
            let answer = produce(&channel, "t", stamped(id, 0, sequence), -1).await;
            assert_eq!((answer.error_code, answer.base_offset), (error, offset), "sequence {sequence}");
        }
        assert_eq!(produce(&channel, "t", stamped(id, 1, 0), -1).await.base_offset, 3);
        assert_eq!(produce(&channel, "t", stamped(id, 0, 3), -1).await.error_code, 47, "an old epoch is fenced");
        let asked = TopicRequest::default().with_name(name("t")).with_partition_indexes(vec![0, 9]);
        let request = DescribeProducersRequest::default().with_topics(vec![asked]);
        let told = channel.call(request, None).await.expect("an answer").topics.remove(0).partitions;
        let active = &told[0].active_producers[0];
        assert_eq!((active.producer_id.0, active.producer_epoch, active.last_sequence), (id, 1, 0));
        assert_eq!((told[0].active_producers.len(), told[1].error_code), (1, 3));
        (first, second)
    });
    broker.stop().expect("a clean stop");

    let broker = start(1, dir.path(), None, more);
    run(async {
        let channel = channel(&broker).await;
        let third = init(&channel, None).await;
        assert!(third.producer_id.0 > first.producer_id.0.max(second.producer_id.0), "{third:?}");
        let again = produce(&channel, "t", stamped(first.producer_id.0, 1, 0), -1).await;
        assert_eq!((again.error_code, again.base_offset), (0, 3));
        let fetched = Fetch::from(0).call(&channel, "t").await;
        assert_eq!(values(fetched.records), ["0", "1", "2", "0"]);
    });
    broker.stop().expect("a clean stop");
}

#[test]
fn transactions_are_refused() {
    let single = single("");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        let refused = init(&channel, Some("a")).await;
        assert_eq!((refused.error_code, refused.producer_id.0, refused.producer_epoch), (42, -1, -1));
        let mut builder = BatchBuilder::new(Codec::new(Compression::None), 64);
        builder.append(1, None, Some(b"x"), &[]);
        let options = BatchOptions { transactional: true, ..BatchOptions::default().with_producer(7, 0, 0) };
        let batch = builder.build(&options).expect("a batch").bytes().clone();
        assert_eq!(produce(&channel, "t", batch, 1).await.error_code, 43);
    });
}
