//! A storage backend of one's own: `paced` is `buffered` on a volume that takes so many bytes a second and no more, as rented
//! ones do. The program around it is `logdyno` with one backend more:
//!
//! ```text
//! PACED_BYTES_PER_SECOND=20000000 cargo run --release --example paced_backend -- run workloads/flights.toml --backend buffered,paced
//! ```
//!
//! What a backend must keep is said in `logdyno_engine::storage`; `cargo test --example paced_backend` holds this one to it.

use std::io::IoSlice;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use logdyno_engine::storage::{
    Append, Backend, BackendOptions, Counts, Kind, Level, Marks, PendingSync, Reader, Refused, Result, Storage, Writer,
    kinds,
};

const PACED: Kind = Kind { name: "paced", start };
const RATE: &str = "PACED_BYTES_PER_SECOND";
const DEFAULT_BYTES_PER_SECOND: f64 = 50e6;
/// So much may come at once after a pause.
const BURST: f64 = 0.1;

fn main() -> ExitCode {
    logdyno::main_with(&[kinds(), vec![PACED]].concat())
}

fn start(options: BackendOptions) -> std::result::Result<Arc<dyn Backend>, Refused> {
    let rate = std::env::var(RATE).map_or(Ok(DEFAULT_BYTES_PER_SECOND), |text| text.parse::<f64>());
    // Never another rate, never another backend: who asked for this one is told.
    let refused = |error| Refused { backend: PACED.name, dir: options.dir.clone(), reason: format!("{RATE}: {error}") };
    let rate = rate.map_err(refused)?;
    let budget = Arc::new(Budget { rate, state: Mutex::new((Instant::now(), rate * BURST)) });
    let buffered = kinds().into_iter().find(|kind| kind.name == "buffered").expect("the engine's own");
    Ok(Arc::new(Paced { inner: (buffered.start)(options)?, budget }))
}

/// Bytes that may be appended now, over all files.
struct Budget {
    rate: f64,
    state: Mutex<(Instant, f64)>,
}

impl Budget {
    /// Takes `bytes` out, or says how long to wait. What is larger than a burst goes once there is a whole one, on credit.
    fn take(&self, bytes: usize) -> std::result::Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, most) = (Instant::now(), self.rate * BURST);
        let there = (state.1 + now.duration_since(state.0).as_secs_f64() * self.rate).min(most);
        let wanted = (bytes as f64).min(most);
        *state = (now, if there >= wanted { there - bytes as f64 } else { there });
        if there >= wanted { Ok(()) } else { Err(Duration::from_secs_f64((wanted - there) / self.rate)) }
    }
}

struct Paced {
    inner: Arc<dyn Backend>,
    budget: Arc<Budget>,
}

impl Backend for Paced {
    fn name(&self) -> &'static str {
        PACED.name
    }
    fn open(&self, dir: &Path) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(PacedStorage { inner: self.inner.open(dir)?, budget: Arc::clone(&self.budget) }))
    }
    fn counters(&self) -> Counts {
        self.inner.counters()
    }
}

struct PacedStorage {
    inner: Arc<dyn Storage>,
    budget: Arc<Budget>,
}

/// Segment files are what is paced; all else goes through.
impl Storage for PacedStorage {
    fn create(&self, name: &str, capacity: u64) -> Result<Box<dyn Writer>> {
        let inner = self.inner.create(name, capacity)?;
        Ok(Box::new(PacedWriter { inner, budget: Arc::clone(&self.budget), wait: None }))
    }
    fn reopen(&self, name: &str, valid_len: u64, capacity: u64) -> Result<Box<dyn Writer>> {
        let inner = self.inner.reopen(name, valid_len, capacity)?;
        Ok(Box::new(PacedWriter { inner, budget: Arc::clone(&self.budget), wait: None }))
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

struct PacedWriter {
    inner: Box<dyn Writer>,
    budget: Arc<Budget>,
    /// How long the last append was told to wait, if it was the budget that refused it.
    wait: Option<Duration>,
}

impl Writer for PacedWriter {
    fn append(&mut self, parts: &[IoSlice<'_>]) -> Result<Append> {
        // An append never waits: who has no budget is told so.
        self.wait = self.budget.take(parts.iter().map(|part| part.len()).sum()).err();
        if self.wait.is_some() { Ok(Append::Full) } else { self.inner.append(parts) }
    }
    fn when_room(&mut self, waker: Box<dyn FnOnce() + Send>) {
        match self.wait.take() {
            None => self.inner.when_room(waker),
            Some(wait) => drop(std::thread::spawn(move || (std::thread::sleep(wait), waker()))),
        }
    }
    fn kick(&mut self) {
        self.inner.kick();
    }
    fn begin_sync(&mut self, level: Level) -> Result<PendingSync> {
        self.inner.begin_sync(level)
    }
    fn marks(&self) -> Arc<Marks> {
        self.inner.marks()
    }
    fn close(self: Box<Self>) -> Result<()> {
        self.inner.close()
    }
}

#[cfg(test)]
mod tests {
    use logdyno_engine::storage::suite::{Subject, conformance, faults};

    /// The engine's own suite, from outside: all that a log relies on, on the real disk and on the simulated one.
    #[test]
    fn it_keeps_the_contract() {
        for (name, check) in conformance::CHECKS {
            eprintln!("{name}");
            let dir = tempfile::tempdir().expect("a folder");
            check(&Subject::on_real_disk(super::PACED, dir.path()).expect("it runs here"));
            check(&Subject::on_simulated_disk(super::PACED, 7).expect("it runs everywhere").0);
        }
        assert!(!conformance::CHECKS.is_empty() && !faults::CHECKS.is_empty());
        for (name, check) in faults::CHECKS {
            eprintln!("{name}");
            let (subject, disk) = Subject::on_simulated_disk(super::PACED, 7).expect("it runs everywhere");
            check(&subject, &disk);
        }
    }
}
