//! A partition's log on each backend: appends as leader, look-ups by offset and by time, reads, and what a start costs.

mod stage;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use logdyno_engine::record::{
    Batch, BatchBuilder, BatchOptions, Codec, Compression, LeaderEpoch, NoProbe, Offset, SystemClock, TopicPartition,
};
use logdyno_engine::segment_log::{Level, Log, LogConfig, Recovery};
use logdyno_engine::storage::{Backend, Kind, kinds};

/// As many flights as go into a batch of the default `batch.size`.
const RECORDS: usize = 160;
const BATCHES: i64 = 4_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn batch() -> Batch {
    let flights: Vec<Bytes> = stage::flights();
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 20_000);
    for (at, value) in flights[..RECORDS].iter().enumerate() {
        builder.append(1_700_000_000_000 + at as i64, None, Some(value), &[]);
    }
    builder.build(&BatchOptions::default()).expect("a batch")
}

/// A log whose oldest segments go, so that a bench of any length fits on the disk.
fn open(kind: &Kind) -> Option<(tempfile::TempDir, Arc<dyn Backend>)> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let backend = kind.start_on(dir.path()).inspect_err(|refused| eprintln!("SKIPPED: {refused}")).ok()?;
    Some((dir, backend))
}

fn log(backend: &dyn Backend, dir: &std::path::Path, recovery: Recovery) -> Arc<Log> {
    let storage = backend.open(dir).expect("a folder");
    let config = LogConfig {
        segment_bytes: 64 << 20,
        retention_bytes: Some(256 << 20),
        retention_ms: None,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    };
    let partition = TopicPartition::new("t", 0);
    let opened = Log::open(storage, partition, config, recovery, Arc::new(SystemClock), Arc::new(NoProbe));
    opened.expect("a log").0
}

fn benches(criterion: &mut Criterion) {
    let batch = batch();
    for kind in kinds() {
        let Some((dir, backend)) = open(&kind) else { continue };
        let mut group = criterion.benchmark_group(format!("segment-log/{}", kind.name));
        group.sample_size(20).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
        let growing = log(&*backend, &dir.path().join("t-0"), Recovery::default());
        let mut appended = 0_u64;
        group.throughput(Throughput::Elements(RECORDS as u64));
        group.bench_function("append", |bench| {
            bench.iter(|| {
                growing.append_with_patience(&batch, LeaderEpoch(1), PATIENCE).expect("an append");
                appended += 1;
                if appended.is_multiple_of(4_096) {
                    growing.enforce_retention(growing.end_offset()).expect("retention");
                    growing.remove_deleted().expect("removal");
                }
            });
        });
        drop(growing);

        let still_at = dir.path().join("t-1");
        let still = log(&*backend, &still_at, Recovery::default());
        for _ in 0..BATCHES {
            still.append_with_patience(&batch, LeaderEpoch(1), PATIENCE).expect("an append");
        }
        still.wait_for(Level::Written, still.end_offset()).expect("written");
        let end = still.end_offset();
        let mut at = 0;
        let mut next = || {
            at = (at + 104_729) % end.0;
            Offset(at)
        };
        group.bench_function("read a batch by offset", |bench| {
            bench.iter(|| still.read_blocking(next(), end, 1, true).expect("a read").size());
        });
        group.bench_function("offset of a time", |bench| {
            bench.iter(|| still.offset_for_time(1_700_000_000_100, end).expect("a look-up"));
        });
        still.close().expect("a clean end");
        drop(still);
        let clean = Recovery { clean_shutdown: true, recovery_point: end, log_start: Offset::ZERO };
        group.bench_function("open after a clean stop", |bench| {
            bench.iter(|| log(&*backend, &still_at, clean).end_offset())
        });
        group.finish();
    }
}

criterion_group!(segment_log, benches);
criterion_main!(segment_log);
