//! Each backend on the real disk: appends, the way to written and to durable, reads of what is at hand.

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use logdyno_engine::storage::{Append, Kind, Level, Storage, Writer, kinds, read_blocking};

/// A request's worth of batches.
const LARGE: usize = 256 << 10;
/// A producer's batch.
const BATCH: usize = 16 << 10;
const CAPACITY: u64 = 256 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// A file that is made anew when it is full.
struct File {
    storage: Arc<dyn Storage>,
    writer: Option<Box<dyn Writer>>,
    written: u64,
    number: u64,
}

impl File {
    fn new(storage: &Arc<dyn Storage>) -> File {
        let mut file = File { storage: Arc::clone(storage), writer: None, written: 0, number: 0 };
        file.renew();
        file
    }

    fn name(&self) -> String {
        format!("{:020}.log", self.number)
    }

    fn renew(&mut self) {
        if let Some(full) = self.writer.take() {
            full.close().expect("a file that closes");
            self.storage.remove(&self.name()).expect("a file that is there");
        }
        self.number += 1;
        self.written = 0;
        self.writer = Some(self.storage.create(&self.name(), CAPACITY).expect("space for a file"));
    }

    /// Appends, waiting where the device does not keep up.
    fn append(&mut self, bytes: &[u8]) {
        if self.written + bytes.len() as u64 > CAPACITY {
            self.renew();
        }
        let Some(writer) = &mut self.writer else { return };
        while writer.append(&[IoSlice::new(bytes)]).expect("an append") == Append::Full {
            let (room, wait) = std::sync::mpsc::sync_channel(1);
            writer.when_room(Box::new(move || room.try_send(()).unwrap_or_default()));
            wait.recv_timeout(PATIENCE).expect("a device that goes on");
        }
        self.written += bytes.len() as u64;
    }

    fn sync(&mut self, level: Level) {
        let Some(writer) = &mut self.writer else { return };
        let position = writer.begin_sync(level).expect("a sync").here();
        assert!(writer.marks().wait(level, position, PATIENCE).expect("a sync"), "in time");
    }
}

fn open(kind: &Kind) -> Option<(tempfile::TempDir, Arc<dyn Storage>)> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let backend = kind.start_on(dir.path()).inspect_err(|refused| eprintln!("SKIPPED: {refused}")).ok()?;
    let storage = backend.open(&dir.path().join("t-0")).expect("a folder");
    Some((dir, storage))
}

fn benches(criterion: &mut Criterion) {
    let (large, batch) = (vec![7; LARGE], vec![7; BATCH]);
    for kind in kinds() {
        let Some((_dir, storage)) = open(&kind) else { continue };
        let mut group = criterion.benchmark_group(format!("storage/{}", kind.name));
        group.sample_size(20).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
        let mut file = File::new(&storage);
        group.throughput(Throughput::Bytes(LARGE as u64));
        group.bench_function("append", |bench| bench.iter(|| file.append(&large)));
        group.throughput(Throughput::Bytes(BATCH as u64));
        for (name, level) in [("written", Level::Written), ("durable", Level::Durable)] {
            let append = |file: &mut File| {
                file.append(&batch);
                file.sync(level);
            };
            group.bench_function(format!("append until {name}"), |bench| bench.iter(|| append(&mut file)));
        }
        file.renew();
        (0..64).for_each(|_| file.append(&large));
        file.sync(Level::Written);
        let reader = storage.reader(&file.name()).expect("a reader");
        group.throughput(Throughput::Bytes(LARGE as u64));
        let mut position = 0;
        group.bench_function("read", |bench| {
            let next = || {
                position = (position + LARGE as u64) % (64 * LARGE as u64);
                position
            };
            let read = |from| read_blocking(&*reader, from, LARGE).expect("a read").len();
            bench.iter_batched(next, read, BatchSize::SmallInput);
        });
        group.finish();
    }
}

criterion_group!(storage, benches);
criterion_main!(storage);
