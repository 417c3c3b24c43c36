//! Where the brokers of a test keep their logs: a folder each, on the buffered backend.

use std::collections::BTreeMap;
use std::sync::Arc;

use logdyno_record::{NoProbe, SystemClock, TopicPartition};
use logdyno_segment_log::{Log, LogConfig, Recovery};
use logdyno_storage::{Backend, Level, kinds};

pub(crate) struct Disk {
    dir: tempfile::TempDir,
    backend: Arc<dyn Backend>,
    logs: BTreeMap<i32, Arc<Log>>,
}

impl Disk {
    pub(crate) fn new() -> Disk {
        let dir = tempfile::tempdir().expect("a directory");
        let buffered = kinds().into_iter().find(|kind| kind.name == "buffered").expect("it runs everywhere");
        let backend = buffered.start_on(dir.path()).expect("it runs here");
        Disk { dir, backend, logs: BTreeMap::new() }
    }

    /// The broker's log of partition t-0, recovered as after a crash.
    pub(crate) fn open(&mut self, broker: i32) -> Arc<Log> {
        let folder = self.dir.path().join(format!("broker-{broker}")).join("t-0");
        let storage = self.backend.open(&folder).expect("a folder");
        let config = LogConfig { ack_level: Level::Written, ..LogConfig::default() };
        let recovery = Recovery::default();
        let (clock, probe) = (Arc::new(SystemClock), Arc::new(NoProbe));
        let opened = Log::open(storage, TopicPartition::new("t", 0), config, recovery, clock, probe);
        let (log, _) = opened.expect("a log");
        self.logs.insert(broker, Arc::clone(&log));
        log
    }

    /// The broker's process ends without a word.
    pub(crate) fn close(&mut self, broker: i32) {
        self.logs.remove(&broker);
    }
}
