//! Power loss on the simulated disk: what was durable stays, and nothing is invented.

use std::path::Path;
use std::sync::Arc;

use logdyno_record::Offset;
use logdyno_segment_log::{Level, LogConfig, Storage};
use logdyno_storage::seam::simulated::{Crash, SimulatedDisk};
use logdyno_storage::{Backend, BackendOptions, Kind, Settings, kinds};

use crate::world::{content, fill, open, threes, unclean};

pub(crate) fn start(kind: Kind, disk: &SimulatedDisk) -> Option<(Arc<dyn Backend>, Arc<dyn Storage>)> {
    // Each deleted segment is recycled, however short.
    let settings = Settings { chunk_bytes: 64 << 10, pool_bytes: 4 << 20, recycle_bytes_min: 1, ..Settings::default() };
    let options = BackendOptions { disk: Arc::new(disk.clone()), dir: "/simulated".into(), settings };
    let backend = (kind.start)(options).inspect_err(|refused| eprintln!("SKIPPED: {refused}")).ok()?;
    let storage = backend.open(Path::new("/simulated/t-0")).expect("the folder opens");
    Some((backend, storage))
}

fn survives(kind: Kind, crash: Crash, seed: u64) -> bool {
    let config = LogConfig { segment_bytes: 4_000, index_interval_bytes: 500, ..LogConfig::default() };
    let disk = SimulatedDisk::new(seed);
    let Some((backend, storage)) = start(kind, &disk) else { return false };
    let (log, _) = open(storage, &config, unclean(0)).expect("a new log");
    fill(&log, 60);
    log.wait_for(Level::Durable, Offset(60)).expect("durable");
    fill(&log, 90 + 3 * (seed as i64 % 40));
    log.wait_for(Level::Written, Offset(90)).expect("written");
    let (durable, written, end) = (log.recovery_point(), log.level_end(Level::Written), log.end_offset());
    disk.stop();
    // The machine stands still: what the close says is of no interest.
    drop(log.close());
    drop((log, backend));
    disk.restart(crash).expect("memory for the disk");

    let (_backend, storage) = start(kind, &disk).expect("it ran before");
    let (log, report) = open(storage, &config, unclean(durable.0)).expect("what is durable is sound");
    let promised = if crash == Crash::Power { durable } else { written };
    assert!(log.end_offset() >= promised, "{}, seed {seed}: {log:?}, promised {promised}", kind.name);
    assert!(log.end_offset() <= end, "{}, seed {seed}: {log:?} is more than {end}", kind.name);
    assert_eq!(content(&log), threes(log.end_offset().0), "{}, seed {seed}, {report:?}", kind.name);
    fill(&log, 300);
    assert_eq!(content(&log), threes(300), "the log goes on");
    true
}

fn all(crash: Crash) {
    let ran = kinds().into_iter().filter(|kind| (1..=20).all(|seed| survives(*kind, crash, seed))).count();
    assert!(ran > 0, "no backend runs here");
}

#[test]
fn what_was_durable_survives_power_loss() {
    all(Crash::Power);
}

#[test]
fn what_was_written_survives_the_process() {
    all(Crash::Process);
}
