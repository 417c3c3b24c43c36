//! The next start: the target on what a crash has left, read from the beginning to the end.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logdyno_engine::record::{NoProbe, Offset, SystemClock};
use logdyno_engine::storage::seam::real::RealDisk;

use super::judge::Judge;
use crate::measure::digest;
use crate::overhead::Subject;
use crate::target::{Receipts, Setup, TargetError, Ticket};
use crate::topics::Topics;

/// What has not come so long after the last thing that came is lost: replicas agree in a fraction of this.
const SILENCE: Duration = Duration::from_secs(10);

/// One poll of the consumer.
const POLL: Duration = Duration::from_millis(100);

/// Empty polls after which nothing more is expected although all that was acknowledged is there: what else is there shall be seen, too.
const EMPTY_POLLS: u32 = 5;

/// Starts the target on `dir` and lets the judge see every record in it.
pub(super) fn read(
    subject: &Subject<'_>,
    topics: Arc<Topics>,
    dir: &Path,
    judge: &mut Judge,
) -> Result<(), TargetError> {
    let running = subject.target.start(Setup {
        plan: Arc::clone(&subject.plan),
        topics,
        backend: subject.backend,
        dir: dir.to_owned(),
        finds_topic: true,
        disk: Arc::new(RealDisk),
        clock: Arc::new(SystemClock),
        probe: Arc::new(NoProbe),
        receipts: Arc::new(Nobody),
    })?;
    let mut source = running.source()?;
    let (mut last, mut empty) = (Instant::now(), 0);
    while (judge.missing() > 0 && last.elapsed() < SILENCE) || (judge.missing() == 0 && empty < EMPTY_POLLS) {
        let mut count = 0_u64;
        source.poll(POLL, &mut |record| {
            count += 1;
            judge.take(record.partition, record.offset, digest(record.key, record.value));
        })?;
        match count {
            0 => empty += 1,
            _ => (last, empty) = (Instant::now(), 0),
        }
    }
    drop(source);
    running.stop()
}

/// Nothing is sent after a crash.
struct Nobody;

impl Receipts for Nobody {
    fn acknowledged(&self, _: Ticket, _: i32, _: Option<Offset>) {}

    fn failed(&self, _: Ticket, _: &str) {}
}
