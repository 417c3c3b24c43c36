//! Who does what of a sync blocks: a thread that waits for it, where there is one.

use std::io::IoSlice;
use std::sync::{Arc, Mutex};

use logdyno_segment_log::{Level, LogConfig, Storage};
use logdyno_storage::seam::simulated::SimulatedDisk;
use logdyno_storage::{Append, BlockingSync, Marks, PendingSync, Reader, Result, Writer, kinds};

use crate::power_loss::start;
use crate::world::{append, batch, open, unclean};

/// What of each sync blocks was done: by a caller (`here`), or left to the backend.
type Heard = Arc<Mutex<Vec<&'static str>>>;

/// Storage whose syncs say who carries them out.
struct Overheard {
    inner: Arc<dyn Storage>,
    heard: Heard,
}

struct OverheardWriter {
    inner: Box<dyn Writer>,
    heard: Heard,
}

struct OverheardSync {
    inner: PendingSync,
    heard: Heard,
}

impl Overheard {
    fn writer(&self, inner: Result<Box<dyn Writer>>) -> Result<Box<dyn Writer>> {
        Ok(Box::new(OverheardWriter { inner: inner?, heard: Arc::clone(&self.heard) }))
    }
}

impl OverheardSync {
    fn note(&self, by: &'static str) {
        self.heard.lock().expect("no panic").push(by);
    }
}

impl BlockingSync for OverheardSync {
    fn here(self: Box<Self>) {
        self.note("here");
        self.inner.here();
    }

    fn elsewhere(self: Box<Self>) {
        self.note("elsewhere");
        self.inner.elsewhere();
    }
}

impl Storage for Overheard {
    fn create(&self, name: &str, capacity: u64) -> Result<Box<dyn Writer>> {
        self.writer(self.inner.create(name, capacity))
    }

    fn reopen(&self, name: &str, valid_len: u64, capacity: u64) -> Result<Box<dyn Writer>> {
        self.writer(self.inner.reopen(name, valid_len, capacity))
    }

    fn reader(&self, name: &str) -> Result<Arc<dyn Reader>> {
        self.inner.reader(name)
    }

    fn list(&self) -> Result<Vec<String>> {
        self.inner.list()
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.inner.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.inner.rename(from, to)
    }

    fn replace(&self, name: &str, content: &[u8]) -> Result<()> {
        self.inner.replace(name, content)
    }

    fn write_rebuildable(&self, name: &str, content: &[u8]) -> Result<()> {
        self.inner.write_rebuildable(name, content)
    }

    fn load(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.inner.load(name)
    }

    fn sync_all(&self) -> Result<()> {
        self.inner.sync_all()
    }
}

impl Writer for OverheardWriter {
    fn append(&mut self, parts: &[IoSlice<'_>]) -> Result<Append> {
        self.inner.append(parts)
    }

    fn when_room(&mut self, waker: Box<dyn FnOnce() + Send>) {
        self.inner.when_room(waker);
    }

    fn kick(&mut self) {
        self.inner.kick();
    }

    fn begin_sync(&mut self, level: Level) -> Result<PendingSync> {
        let inner = self.inner.begin_sync(level)?;
        Ok(PendingSync::new(inner.position(), OverheardSync { inner, heard: Arc::clone(&self.heard) }))
    }

    fn marks(&self) -> Arc<Marks> {
        self.inner.marks()
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.inner.close()
    }
}

/// Threads append and wait while the device stands still: one leads the first commit, and when that ends it gives the next to one of the
/// others. The backend is left none, whichever thread comes when. Those that do not wait on a thread are served by it.
#[test]
fn a_sync_is_carried_out_by_who_waits_for_it() {
    let mut ran = 0;
    for kind in kinds() {
        let disk = SimulatedDisk::new(1);
        let Some((_backend, inner)) = start(kind, &disk) else { continue };
        ran += 1;
        let heard = Heard::default();
        let storage = Arc::new(Overheard { inner, heard: Arc::clone(&heard) });
        let config = LogConfig { commits_in_flight: 1, ..LogConfig::default() };
        let (log, _) = open(storage, &config, unclean(0)).expect("a new log");
        // The epoch's first batch waits for its checkpoint.
        append(&log, &batch(1, 100));
        for round in 1..=20 {
            disk.hold_device();
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        let appended = append(&log, &batch(1, 100));
                        log.wait_for(Level::Durable, appended.last.next()).expect("durable");
                    });
                }
                while log.end_offset().0 < 1 + 3 * round || heard.lock().expect("no panic").is_empty() {
                    std::thread::yield_now();
                }
                disk.release_device();
            });
        }
        let led = std::mem::take(&mut *heard.lock().expect("no panic"));
        assert!(led.len() >= 20 && led.iter().all(|by| *by == "here"), "{}: {led:?}", kind.name);
        let appended = append(&log, &batch(1, 100));
        let (told, hears) = std::sync::mpsc::channel();
        log.when(Level::Durable, appended.last.next(), Box::new(move |reached| told.send(reached).expect("it hears")));
        hears.recv().expect("it is told").expect("durable");
        assert_eq!(*heard.lock().expect("no panic"), ["elsewhere"], "{}", kind.name);
    }
    assert!(ran > 0, "no backend runs here");
}
