//! Instructions of the inner parts, counted by callgrind: the same on every run of the same build, so that one percent more is seen
//! on a busy machine, too. `scripts/instructions` runs it and compares with the committed counts.

#![allow(missing_docs, reason = "gungraun's macros make items that are public")]

mod nowhere;

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group, main};
use logdyno_engine::record::batch::Batch;
use logdyno_engine::record::{
    BatchBuilder, BatchOptions, Codec, Compression, LeaderEpoch, NoProbe, Offset, SystemClock, TopicPartition,
    partition_for_key,
};
use logdyno_engine::segment_log::{Log, LogConfig, Recovery};

/// As many flights as go into a batch of the default `batch.size`.
const RECORDS: usize = 160;
const EPOCH: LeaderEpoch = LeaderEpoch(1);
const BATCHES: usize = 400;

/// Not all flights: what a setup frees, the allocator would sort out while instructions are counted.
fn values() -> Vec<Bytes> {
    let flights = include_str!("../../../workloads/data/flights.jsonl");
    flights.lines().take(RECORDS).map(|line| Bytes::from_static(line.as_bytes())).collect()
}

fn filled(values: &[Bytes]) -> BatchBuilder {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 20_000);
    for (at, value) in values.iter().enumerate() {
        builder.append(1_700_000_000_000 + at as i64, None, Some(value), &[]);
    }
    builder
}

fn builder() -> BatchBuilder {
    filled(&values())
}

fn batch() -> Batch {
    builder().build(&BatchOptions::default()).expect("a batch")
}

/// A log whose segments are kept nowhere.
fn log() -> (Arc<Log>, Batch) {
    let partition = TopicPartition::new("t", 0);
    let storage = Arc::new(nowhere::Nowhere::default());
    let config = LogConfig { index_interval_bytes: 4096, ..LogConfig::default() };
    let opened = Log::open(storage, partition, config, Recovery::default(), Arc::new(SystemClock), Arc::new(NoProbe));
    let (log, _) = opened.expect("a log");
    log.start_epoch(EPOCH).expect("an epoch");
    (log, batch())
}

/// With an index of a few hundred entries.
fn grown() -> Arc<Log> {
    let (log, batch) = log();
    for _ in 0..BATCHES {
        log.append_as_leader(&batch, EPOCH).expect("an append");
    }
    log
}

#[library_benchmark(setup = values)]
fn append_records(values: Vec<Bytes>) -> BatchBuilder {
    filled(black_box(&values))
}

#[library_benchmark(setup = builder)]
fn seal_batch(builder: BatchBuilder) -> Batch {
    black_box(builder).build(&BatchOptions::default()).expect("a batch")
}

#[library_benchmark(setup = batch)]
fn read_records(batch: Batch) -> i64 {
    black_box(&batch).records().expect("sound").iter().map(|record| record.expect("sound").offset.0).sum()
}

#[library_benchmark(setup = batch)]
fn check_crc(batch: Batch) -> bool {
    black_box(&batch).verify_crc().is_ok()
}

#[library_benchmark(setup = values)]
fn choose_partitions(values: Vec<Bytes>) -> i32 {
    values.iter().fold(0, |sum, value| sum + partition_for_key(black_box(&value[..20]), 12))
}

#[library_benchmark(setup = log)]
fn append_batch((log, batch): (Arc<Log>, Batch)) -> Offset {
    log.append_as_leader(black_box(&batch), EPOCH).expect("an append").last
}

#[library_benchmark(setup = grown)]
fn look_up_offset(log: Arc<Log>) -> usize {
    let end = log.end_offset();
    log.read_blocking(black_box(Offset(end.0 / 2)), end, 1, true).expect("a read").size()
}

#[library_benchmark(setup = grown)]
fn look_up_time(log: Arc<Log>) -> bool {
    log.offset_for_time(black_box(1_700_000_000_100), log.end_offset()).expect("a look-up").is_some()
}

library_benchmark_group!(name = record; benchmarks = append_records, seal_batch, read_records, check_crc, choose_partitions);
library_benchmark_group!(name = segment_log; benchmarks = append_batch, look_up_offset, look_up_time);
main!(library_benchmark_groups = record, segment_log);
