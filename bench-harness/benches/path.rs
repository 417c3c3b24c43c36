//! The whole path: 20,000 flights from `send` to a broker's log, acknowledged, and back to a consumer, on each backend.

mod stage;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use logdyno_engine::client::{BytesFormat, Consumer, ConsumerConfig};
use logdyno_engine::record::TopicPartition;
use logdyno_engine::storage::kinds;

fn produce_and_consume(criterion: &mut Criterion) {
    let flights = stage::flights();
    let mut group = criterion.benchmark_group("path");
    group.throughput(Throughput::Elements(flights.len() as u64)).sample_size(10);
    for kind in kinds() {
        let Some(stage) = stage::Stage::on(&kind) else { continue };
        stage.topic("bench", 1);
        let producer = stage.producer("bench", &[("acks", "all"), ("batch.size", "65536")]);
        let address = stage.address();
        let settings = [("bootstrap.servers", address.as_str()), ("auto.offset.reset", "earliest")];
        let config = ConsumerConfig::from_pairs(settings).expect("good settings");
        let mut consumer: Consumer<Bytes, Bytes> = Consumer::new(config, BytesFormat, BytesFormat).expect("a consumer");
        consumer.assign([TopicPartition::new("bench", 0)]);
        let topic: Arc<str> = "bench".into();
        group.bench_function(kind.name, |bench| {
            bench.iter(|| {
                for value in &flights {
                    drop(producer.send(stage::record(&topic, value)));
                }
                producer.flush();
                let mut delivered = 0;
                while delivered < flights.len() {
                    let batches = consumer.poll_batches(Duration::from_secs(10)).expect("records");
                    delivered += batches.iter().map(|batch| batch.records().expect("sound").count()).sum::<usize>();
                }
            });
        });
        consumer.close();
        producer.close(Duration::from_secs(10));
    }
    group.finish();
}

criterion_group!(path, produce_and_consume);
criterion_main!(path);
