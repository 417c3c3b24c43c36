//! Any sequence of operations against the plainest model of a file: a vector.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logdyno_storage::seam::simulated::SimulatedDisk;
use logdyno_storage::{Append, BackendOptions, Level, Settings, Storage, Writer, read_blocking};
use proptest::prelude::*;

const CAPACITY: u64 = 4 << 20;

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<usize>),
    Kick,
    Sync(Level),
    /// Read from this share of the file, so many bytes.
    Read(f64, usize),
    /// Cut to this share of the file and go on.
    Reopen(f64),
    CloseAndReopen,
    Cool,
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![0..100_usize, 4000..4200_usize, 65_400..65_700_usize, 0..150_000_usize];
    prop_oneof![
        6 => prop::collection::vec(size, 1..4).prop_map(Step::Append),
        1 => Just(Step::Kick),
        2 => prop_oneof![Just(Level::Visible), Just(Level::Written), Just(Level::Durable)].prop_map(Step::Sync),
        4 => (0.0..1.0, 0..200_000_usize).prop_map(|(at, len)| Step::Read(at, len)),
        1 => (0.0..1.0).prop_map(Step::Reopen),
        1 => Just(Step::CloseAndReopen),
        1 => Just(Step::Cool),
    ]
}

struct Run {
    storage: Arc<dyn Storage>,
    disk: SimulatedDisk,
    writer: Option<Box<dyn Writer>>,
    model: Vec<u8>,
    counter: u8,
}

impl Run {
    fn writer(&mut self) -> &mut dyn Writer {
        &mut **self.writer.as_mut().expect("there is one between steps")
    }

    fn append(&mut self, sizes: &[usize]) {
        let parts: Vec<Vec<u8>> = sizes.iter().map(|size| vec![self.counter.wrapping_add(1).max(1); *size]).collect();
        self.counter = self.counter.wrapping_add(1);
        if self.model.len() + sizes.iter().sum::<usize>() > CAPACITY as usize {
            return;
        }
        let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        loop {
            match self.writer().append(&slices).unwrap() {
                Append::At(at) => break assert_eq!(at, self.model.len() as u64),
                Append::Full => self.wait_for_room(),
            }
        }
        self.model.extend(parts.concat());
    }

    fn wait_for_room(&mut self) {
        let (sender, room) = std::sync::mpsc::channel();
        self.writer().when_room(Box::new(move || sender.send(()).expect("it is waited for")));
        room.recv_timeout(Duration::from_secs(120)).expect("there is room again");
    }

    fn sync(&mut self, level: Level) {
        let sync = self.writer().begin_sync(level).unwrap();
        let position = if sync.position().is_multiple_of(2) { sync.here() } else { sync.elsewhere() };
        assert!(self.writer().marks().wait(level, position, Duration::from_secs(120)).unwrap());
    }

    fn reopen(&mut self, len: usize) {
        self.sync(Level::Written);
        self.writer = None;
        self.writer = Some(self.storage.reopen("a", len as u64, CAPACITY).unwrap());
        self.model.truncate(len);
    }

    fn read(&self, position: usize, len: usize) {
        let read = read_blocking(&*self.storage.reader("a").unwrap(), position as u64, len).unwrap();
        assert!(read == self.model[position..self.model.len().min(position + len)], "{len} bytes at {position}");
    }

    fn take(&mut self, step: &Step) {
        let share = |share: &f64, len: usize| (share * len as f64) as usize;
        match step {
            Step::Append(sizes) => self.append(sizes),
            Step::Kick => self.writer().kick(),
            Step::Sync(level) => self.sync(*level),
            Step::Read(at, len) => self.read(share(at, self.model.len()), *len),
            Step::Reopen(at) => self.reopen(share(at, self.model.len())),
            Step::CloseAndReopen => {
                self.writer.take().expect("there is one between steps").close().unwrap();
                assert_eq!(self.storage.load("a").unwrap().unwrap(), self.model);
                let writer = self.storage.reopen("a", self.model.len() as u64, CAPACITY).unwrap();
                self.writer = Some(writer);
            }
            Step::Cool => self.disk.cool(),
        }
    }
}

fn run(backend: &str, seed: u64, steps: &[Step]) {
    let disk = SimulatedDisk::new(seed);
    let settings = Settings { write_back_bytes: 64 << 10, write_back_bytes_max: 256 << 10, ..Settings::default() };
    let settings = Settings { allocation_step_max: 1 << 20, pool_bytes: 4 << 20, ..settings };
    let options = BackendOptions { disk: Arc::new(disk.clone()), dir: "/model".into(), settings };
    let backend = (crate::kind(backend).start)(options).unwrap();
    let storage = backend.open(Path::new("/model")).unwrap();
    disk.short_every(3 + seed % 5);
    disk.disturb_every(5 + seed % 7);
    let writer = Some(storage.create("a", CAPACITY).unwrap());
    let mut run = Run { storage, disk, writer, model: Vec::new(), counter: 0 };
    for step in steps {
        run.take(step);
    }
    run.read(0, usize::MAX / 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn buffered(seed in any::<u64>(), steps in prop::collection::vec(step(), 1..40)) {
        run("buffered", seed, &steps);
    }

    #[test]
    fn mmap(seed in any::<u64>(), steps in prop::collection::vec(step(), 1..40)) {
        run("mmap", seed, &steps);
    }

    #[test]
    fn uring(seed in any::<u64>(), steps in prop::collection::vec(step(), 1..40)) {
        run("uring", seed, &steps);
    }
}
