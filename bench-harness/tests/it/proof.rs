//! A backend that is not what it says is found out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logdyno::target::{EmbeddedTarget, LogTarget};
use logdyno_engine::storage::seam::{Disk, DiskFile, Open, Ring};
use logdyno_engine::storage::{Backend, BackendOptions, Kind, Refused, kinds};

use crate::scene::{Scene, verdicts};

const SHORT: &str = "
[records]
size = 200
entropy = 4
count = 300
[producer]
[load]
rate = 2000
";

/// The real disk, but that nothing is opened past the page cache.
struct Cached(Arc<dyn Disk>);

impl Disk for Cached {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        self.0.open(path, Open { direct: false, ..how })
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.0.create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.0.list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }

    fn ring(&self, entries: u32) -> io::Result<Box<dyn Ring>> {
        self.0.ring(entries)
    }
}

fn start(name: &str, options: BackendOptions) -> Result<Arc<dyn Backend>, Refused> {
    let kind = kinds().into_iter().find(|kind| kind.name == name).unwrap();
    (kind.start)(options)
}

fn uring_through_the_cache(options: BackendOptions) -> Result<Arc<dyn Backend>, Refused> {
    let disk = Arc::new(Cached(Arc::clone(&options.disk)));
    start("uring", BackendOptions { disk, ..options })
}

fn buffered_under_another_name(options: BackendOptions) -> Result<Arc<dyn Backend>, Refused> {
    start("buffered", options)
}

fn refusing(options: BackendOptions) -> Result<Arc<dyn Backend>, Refused> {
    Err(Refused { backend: "uring", dir: options.dir, reason: "this machine has no ring".to_owned() })
}

fn run(kind: Kind) -> Vec<String> {
    verdicts(&Scene::new(SHORT).measure(EmbeddedTarget, &[kind]))
}

/// Only where the machine can run uring at all: elsewhere it is refused before.
#[test]
fn uring_without_direct_io_is_invalid() {
    let real = kinds().into_iter().find(|kind| kind.name == "uring").unwrap();
    if let Err(refused) = real.start_on(&Scene::new("").path()) {
        assert!(!refused.reason.is_empty());
        return;
    }
    let found = run(Kind { name: "uring", start: uring_through_the_cache });
    assert!(found.iter().any(|text| text.starts_with("INVALID: no proof of effect: O_DIRECT: 0 of ")), "{found:?}");
}

#[test]
fn a_backend_that_fell_back_is_invalid() {
    for name in ["mmap", "uring"] {
        let found = run(Kind { name, start: buffered_under_another_name });
        assert!(found.iter().any(|text| text.starts_with("INVALID: no proof of effect")), "{name}: {found:?}");
    }
}

/// `flush.ms` syncs what nothing else would have synced, on both targets that have a log.
#[test]
fn what_waits_for_flush_ms_is_synced() {
    let buffered = kinds()[0];
    let syncs = |target: &str, topic: &str| {
        let scene = Scene::new(&format!("{SHORT}[run]\ntarget = \"{target}\"\n[topic]\n{topic}"));
        let measured = match target {
            "log" => scene.measure(LogTarget, &[buffered]),
            _ => scene.measure(EmbeddedTarget, &[buffered]),
        };
        assert!(verdicts(&measured).iter().all(|text| !text.starts_with("INVALID")), "{:?}", verdicts(&measured));
        measured.storage["syncs"]
    };
    assert_eq!(syncs("log", ""), 0);
    assert!(syncs("log", "flush.ms = 5") > 0);
    assert!(syncs("embedded", "flush.ms = 5") > 0);
    assert!(syncs("log", "flush.messages = 10") > 0);
}

fn telling_its_settings(options: BackendOptions) -> Result<Arc<dyn Backend>, Refused> {
    let (pool, files) = (options.settings.pool_bytes, options.settings.open_files_max);
    Err(Refused { backend: "uring", dir: options.dir, reason: format!("told {pool} bytes and {files} files") })
}

/// A broker's settings of the storage reach the backend, also where the target has no broker.
#[test]
fn a_backend_obeys_the_workloads_settings() {
    let broker = "[broker]\nlogdyno.uring.pool.bytes = 2097152\nlogdyno.open.files.max = 17\n";
    let kind = Kind { name: "uring", start: telling_its_settings };
    for (target, ended) in [
        ("embedded", Scene::new(&format!("{SHORT}{broker}")).run(EmbeddedTarget, &[kind])),
        ("log", Scene::new(&format!("{SHORT}{broker}[run]\ntarget = \"log\"\n")).run(LogTarget, &[kind])),
    ] {
        let text = logdyno::report::render(&ended.result);
        assert!(text.contains("uring: REFUSED: told 2097152 bytes and 17 files"), "{target}: {text}");
    }
}

/// It fails the run only if it was asked for by name, or if nothing else is left.
#[test]
fn a_refused_backend_says_why() {
    let buffered = kinds().into_iter().find(|kind| kind.name == "buffered").unwrap();
    let refused = Kind { name: "uring", start: refusing };
    let ended = Scene::new(SHORT).run(EmbeddedTarget, &[buffered, refused]);
    assert!(!ended.has_failed());
    let text = logdyno::report::render(&ended.result);
    assert!(text.contains("uring: REFUSED: this machine has no ring"), "{text}");
    assert!(Scene::new(SHORT).run(EmbeddedTarget, &[refused]).has_failed());
}
