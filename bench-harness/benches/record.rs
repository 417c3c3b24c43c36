//! Batches of real records: built, checked, validated and read, with each codec.

mod stage;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use logdyno_engine::record::batch::Batch;
use logdyno_engine::record::validate::{ProduceRules, validate_for_produce};
use logdyno_engine::record::{BatchBuilder, BatchOptions, Codec, Compression, murmur2};

const CODECS: [Compression; 5] =
    [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
/// As many flights as go into a batch of the default `batch.size`.
const RECORDS: usize = 160;

fn filled(codec: Compression, values: &[Bytes]) -> BatchBuilder {
    let mut builder = BatchBuilder::new(Codec::new(codec), 20_000);
    for value in values {
        builder.append(1_700_000_000_000, None, Some(value), &[]);
    }
    builder
}

fn built(codec: Compression, values: &[Bytes]) -> Batch {
    filled(codec, values).build(&BatchOptions::default()).expect("a batch")
}

fn benches(criterion: &mut Criterion) {
    let flights = stage::flights();
    let values = &flights[..RECORDS];
    let bytes: usize = values.iter().map(Bytes::len).sum();
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("append", |bench| bench.iter(|| filled(Compression::None, values)));
    for codec in CODECS {
        group.bench_function(format!("build/{}", codec.name()), |bench| {
            let build = |mut builder: BatchBuilder| builder.build(&BatchOptions::default()).expect("a batch");
            bench.iter_batched(|| filled(codec, values), build, BatchSize::SmallInput);
        });
        let batch = built(codec, values);
        group.bench_function(format!("read/{}", codec.name()), |bench| {
            bench.iter(|| {
                batch.records().expect("sound").iter().map(|record| record.expect("sound").offset.0).sum::<i64>()
            });
        });
    }
    let batch = built(Compression::None, values);
    group.bench_function("crc", |bench| bench.iter(|| batch.verify_crc()));
    let rules = ProduceRules::default();
    group.bench_function("validate", |bench| bench.iter(|| validate_for_produce(&batch, &rules).is_ok()));
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("murmur2", |bench| {
        bench.iter(|| values.iter().fold(0, |sum: i32, value| sum.wrapping_add(murmur2(&value[..20]))));
    });
    group.finish();
}

criterion_group!(record, benches);
criterion_main!(record);
