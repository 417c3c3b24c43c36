//! Crashes at every operation of a scenario that touches all promises: what was promised is there afterwards,
//! and nothing is there that was not appended.
//!
//! A first run counts the scenario's operations by kind. Then, for each kind and each count, the scenario runs
//! on a fresh disk that stops in the middle of that operation. Threads of a backend interleave differently from
//! run to run, so an operation may be another one, or never come; then the machine stops at the end. Every
//! run is checked all the same.

use std::sync::Arc;

use super::{Subject, append, assert_reads, assert_samples, sample, sync};
use crate::contract::{Level, Result, Storage, Writer};
use crate::error::Refused;
use crate::marks::Marks;
use crate::registry::Kind;
use crate::seam::simulated::{Crash, Point};

const CAPACITY: u64 = 4 << 20;

/// How many crashes were checked, by kind of operation.
pub type Checked = Vec<(Point, u64)>;

/// Crashes the scenario at every operation of it. Panics, naming the crash, where a promise was broken.
pub fn crash_everywhere(kind: Kind, crash: Crash, seed: u64) -> std::result::Result<Checked, Refused> {
    let (subject, disk) = Subject::on_simulated_disk(kind, seed)?;
    run(&subject);
    let counts: Checked = Point::ALL.into_iter().map(|point| (point, disk.count(point))).collect();
    for (point, count) in &counts {
        for nth in 1..=*count {
            crash_at(kind, crash, seed + nth, *point, nth)?;
        }
    }
    Ok(counts)
}

/// Crashes the scenario in the `nth` operation of one kind, and checks what is left.
pub fn crash_at(kind: Kind, crash: Crash, seed: u64, point: Point, nth: u64) -> std::result::Result<(), Refused> {
    let (subject, disk) = Subject::on_simulated_disk(kind, seed)?;
    let told = OnPanic(format!("{} backend, {crash:?} crash at {point:?} {nth}, seed {seed}", kind.name));
    disk.stop_at(point, disk.count(point) + nth);
    let promised = run(&subject);
    disk.stop();
    disk.restart(crash).expect("the host has memory for the disk");
    promised.check(&subject, crash);
    drop(told);
    Ok(())
}

/// Says which crash it was when a check panics.
struct OnPanic(String);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("broken promise: {}", self.0);
        }
    }
}

/// What a run was promised before the machine stopped.
#[derive(Default)]
struct Promised {
    files: Vec<PromisedFile>,
    /// Contents of the small file: the last one whose `replace` returned, and those that may be there.
    checkpoint: Option<u8>,
    checkpoints_tried: u8,
    removed: bool,
}

struct PromisedFile {
    name: &'static str,
    marks: Arc<Marks>,
    /// Bytes below are of salt 0, above of salt 1.
    cut: u64,
    /// Bytes behind the cut may also be the old ones: the cut was under way.
    cutting: bool,
}

/// Runs the scenario until it ends or the machine stops. Everything of the process is gone on return.
fn run(subject: &Subject) -> Promised {
    let mut promised = Promised::default();
    let backend = subject.start_for_crash();
    if let Some(backend) = backend {
        // The error is the stopped machine; what it had promised before is in `promised`.
        drop(scenario(subject, &*backend, &mut promised));
    }
    promised
}

impl Subject {
    /// `None` if the machine stops while the backend starts.
    fn start_for_crash(&self) -> Option<Arc<dyn crate::contract::Backend>> {
        (self.kind.start)(self.options()).ok()
    }
}

fn scenario(subject: &Subject, backend: &dyn crate::contract::Backend, promised: &mut Promised) -> Result<()> {
    let storage = backend.open(&subject.dir.join("topic-0"))?;
    let mut doomed = promised.create(&*storage, "doomed")?;
    // From here on it may be there or not; once `remove` returns, not. Later files may begin with its blocks, never with its bytes.
    promised.files.pop();
    append(&mut *doomed, 3, 200_000)?;
    doomed.close()?;
    storage.remove("doomed")?;
    promised.removed = true;
    let mut writer = promised.create(&*storage, "first")?;
    promised.replace(&*storage)?;
    for size in [100, 3_000, 5_000] {
        append(&mut *writer, 0, size)?;
        sync(&mut *writer, Level::Durable)?;
    }
    append(&mut *writer, 0, 61)?;
    sync(&mut *writer, Level::Written)?;
    append(&mut *writer, 0, 150_000)?;
    writer.kick();
    append(&mut *writer, 0, 700)?;
    writer.begin_sync(Level::Durable)?.elsewhere();
    append(&mut *writer, 0, 20_000)?;
    sync(&mut *writer, Level::Written)?;
    writer.close()?;
    promised.replace(&*storage)?;
    cut_while_lent(&*storage, promised)?;
    after_a_removed_one(&*storage, promised)?;
    promised.replace(&*storage)
}

/// One more file, late enough for a removed one's blocks.
fn after_a_removed_one(storage: &dyn Storage, promised: &mut Promised) -> Result<()> {
    let mut writer = promised.create(storage, "third")?;
    promised.files.last_mut().expect("it has been created").cut = 0;
    append(&mut *writer, 1, 9_000)?;
    sync(&mut *writer, Level::Durable)?;
    append(&mut *writer, 1, 30_000)?;
    sync(&mut *writer, Level::Written)?;
    append(&mut *writer, 1, 2_000).map(drop)
}

/// A file that is cut and goes on, while a reader holds bytes from behind the cut; then once more without one.
fn cut_while_lent(storage: &dyn Storage, promised: &mut Promised) -> Result<()> {
    let mut writer = promised.create(storage, "second")?;
    append(&mut *writer, 0, 60_000)?;
    sync(&mut *writer, Level::Durable)?;
    let lent = storage.reader("second")?.read_cached(0, 60_000)?;
    let mut writer = promised.reopen(storage, writer, 30_001)?;
    append(&mut *writer, 1, 8_000)?;
    sync(&mut *writer, Level::Durable)?;
    drop(lent);
    append(&mut *writer, 1, 9_000)?;
    sync(&mut *writer, Level::Written)?;
    let mut writer = promised.reopen(storage, writer, 30_001)?;
    append(&mut *writer, 1, 3_000)?;
    sync(&mut *writer, Level::Durable)?;
    // Dropped without a close, as a process that ends does.
    append(&mut *writer, 1, 2_000).map(drop)
}

impl Promised {
    fn create(&mut self, storage: &dyn Storage, name: &'static str) -> Result<Box<dyn Writer>> {
        let writer = storage.create(name, CAPACITY)?;
        self.files.push(PromisedFile { name, marks: writer.marks(), cut: u64::MAX, cutting: false });
        Ok(writer)
    }

    fn reopen(&mut self, storage: &dyn Storage, writer: Box<dyn Writer>, valid_len: u64) -> Result<Box<dyn Writer>> {
        drop(writer);
        let file = self.files.last_mut().expect("it has been created");
        // Until reopen returns, only what is to be kept is promised.
        file.cutting = true;
        file.marks = Arc::new(Marks::new(valid_len.min(file.marks.reached(Level::Durable))));
        let writer = storage.reopen(file.name, valid_len, CAPACITY)?;
        (file.marks, file.cut, file.cutting) = (writer.marks(), valid_len, false);
        Ok(writer)
    }

    fn replace(&mut self, storage: &dyn Storage) -> Result<()> {
        self.checkpoints_tried += 1;
        let version = self.checkpoints_tried;
        storage.replace("checkpoint", &[version; 700])?;
        self.checkpoint = Some(version);
        Ok(())
    }

    /// Checks what the next process finds.
    fn check(&self, subject: &Subject, crash: Crash) {
        let backend = subject.start();
        let storage = subject.open(&*backend);
        storage.sync_all().expect("recovery syncs what it is about to trust");
        for file in &self.files {
            file.check(&*storage, crash);
        }
        self.check_checkpoint(&*storage);
        if self.removed {
            let names = storage.list().expect("the directory can be listed");
            assert!(names.iter().all(|name| name != "doomed"), "a removed file came back");
        }
    }

    fn check_checkpoint(&self, storage: &dyn Storage) {
        match (self.checkpoint, storage.load("checkpoint").expect("it can be read")) {
            (None, None) => {}
            (Some(version), None) => panic!("checkpoint {version} was replaced, now there is none"),
            (oldest, Some(content)) => {
                let version = content.first().copied().unwrap_or(0);
                assert!(content == [version; 700], "a replaced file is whole");
                assert!((oldest.unwrap_or(1)..=self.checkpoints_tried).contains(&version), "checkpoint {version}");
            }
        }
    }
}

impl PromisedFile {
    fn check(&self, storage: &dyn Storage, crash: Crash) {
        let level = if crash == Crash::Power { Level::Durable } else { Level::Written };
        let kept = self.marks.reached(level);
        let Some(content) = storage.load(self.name).expect("it can be read") else {
            // A name is promised as its first byte is.
            assert!(crash == Crash::Power && kept == 0, "{} had {kept} bytes, now it is gone", self.name);
            return go_on(self.name, storage.create(self.name, CAPACITY), storage, 0);
        };
        assert!(content.len() as u64 >= kept, "{} has {} of {kept} bytes", self.name, content.len());
        for (position, byte) in (0..).zip(&content) {
            self.check_byte(position, *byte, kept, content.len());
        }
        go_on(self.name, storage.reopen(self.name, kept, CAPACITY), storage, kept);
    }

    fn check_byte(&self, position: u64, byte: u8, kept: u64, len: usize) {
        let salt = u64::from(position >= self.cut);
        let is_old = self.cutting && position >= kept && (byte == sample(0, position) || byte == sample(1, position));
        let is_right = byte == sample(salt, position);
        let allowed = if position < kept { is_right } else { is_right || byte == 0 || is_old };
        assert!(allowed, "byte {byte} at {position} of {} ({kept} promised, {len} found)", self.name);
    }
}

/// The file takes appends again from where its promises end.
fn go_on(name: &str, writer: Result<Box<dyn Writer>>, storage: &dyn Storage, kept: u64) {
    let mut writer = writer.expect("it can be opened");
    append(&mut *writer, 2, 10_000).expect("it takes appends");
    assert_reads(&*storage.reader(name).expect("it can be read"), 2, kept..kept + 10_000);
    writer.close().expect("it can be closed");
    let content = storage.load(name).expect("it can be read").expect("it exists");
    assert_samples(&content[kept as usize..], 2, kept..kept + 10_000);
}
