//! What `send` costs the caller, up to the record's place in its batch, and what partitioners cost.

mod stage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use logdyno_engine::client::{KeyHashPartitioner, Partitioner, RoundRobinPartitioner, TopicView};
use logdyno_engine::storage::kinds;

/// Records of one round: less than a batch, so that nothing leaves while the clock runs.
const ROUND: u64 = 10_000;

fn accumulator(criterion: &mut Criterion) {
    let flights = stage::flights();
    let Some(stage) = kinds().iter().find_map(stage::Stage::on) else { return };
    stage.topic("bench", 4);
    let settings = [
        ("linger.ms", "60000"),
        ("batch.size", "16000000"),
        ("buffer.memory", "268435456"),
        ("max.request.size", "16777216"),
    ];
    let producer = stage.producer("bench", &settings);
    let topic: Arc<str> = "bench".into();
    let mut group = criterion.benchmark_group("client");
    group.throughput(Throughput::Elements(ROUND)).sample_size(10);
    group.bench_function("send", |bench| {
        bench.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let records: Vec<_> =
                    flights.iter().take(ROUND as usize).map(|value| stage::record(&topic, value)).collect();
                let begun = Instant::now();
                records.into_iter().for_each(|record| drop(producer.send(record)));
                spent += begun.elapsed();
                producer.flush();
            }
            spent
        });
    });
    group.finish();
    producer.close(Duration::from_secs(10));
}

fn partitioners(criterion: &mut Criterion) {
    let available: Vec<i32> = (0..12).collect();
    let view = TopicView { topic: "bench", partitions: 12, available: &available };
    let round_robin = RoundRobinPartitioner::default();
    let mut group = criterion.benchmark_group("partitioner");
    group.bench_function("key-hash", |bench| {
        bench.iter(|| KeyHashPartitioner::default().partition(view, Some(std::hint::black_box(b"origin-DTW")), None));
    });
    group.bench_function("round-robin", |bench| bench.iter(|| round_robin.partition(view, None, None)));
    group.finish();
}

criterion_group!(client, accumulator, partitioners);
criterion_main!(client);
