//! One run from nothing: records are sent as fast as the path takes them, until all have come out.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use logdyno_engine::record::{Clock, Nanos, NoProbe, Probe, SystemClock};
use logdyno_engine::storage::seam::real::RealDisk;

use super::bare::Counting;
use super::{Sample, Side, Subject};
use crate::measure::{Consecutive, Distribution, Inbox, Join, JoinSettings, Recorder, digest};
use crate::signal::Stop;
use crate::target::{Outgoing, Receipts, Running, Setup, Sink, Source, TargetError, Ticket};
use crate::usage::Process;

/// How often what was reported is taken in, as in a trial.
const LOOK_EVERY: Duration = Duration::from_millis(5);

const POLL: Duration = Duration::from_millis(50);

/// So long nothing may come in.
const PATIENCE: Duration = Duration::from_secs(40);

/// What the threads of a run share.
struct Run<'a> {
    subject: &'a Subject<'a>,
    side: Side,
    records: u64,
    settings: JoinSettings,
    recorder: Arc<Recorder>,
    counting: Arc<Counting>,
    clock: &'a dyn Clock,
    /// When the warm-up was over, and what had been taken by then.
    begun: Mutex<Option<(Instant, u64)>>,
    delivered: AtomicU64,
    /// When the last record came out.
    ended: Mutex<Option<Instant>>,
    error: Mutex<Option<TargetError>>,
    shall_end: AtomicBool,
}

/// Runs it; `None` if it was interrupted.
pub(super) fn run(
    subject: &Subject<'_>,
    side: Side,
    records: u64,
    dir: &Path,
    stop: &Stop,
) -> anyhow::Result<Option<Sample>> {
    let dir = tempfile::tempdir_in(dir).with_context(|| dir.display().to_string())?;
    let topics = Arc::new(subject.records.topics(&subject.plan));
    let recorder = Arc::new(Recorder::new(Arc::clone(&topics)));
    let counting = Arc::new(Counting::default());
    let clock = Arc::new(SystemClock);
    let (probe, receipts): (Arc<dyn Probe>, Arc<dyn Receipts>) = match side {
        Side::Watched => (recorder.clone(), recorder.clone()),
        Side::Bare => (Arc::new(NoProbe), counting.clone()),
    };
    let setup = Setup {
        plan: Arc::clone(&subject.plan),
        topics: Arc::clone(&topics),
        backend: subject.backend,
        dir: dir.path().to_owned(),
        finds_topic: false,
        disk: Arc::new(RealDisk),
        clock: clock.clone(),
        probe,
        receipts,
    };
    let running = subject.target.start(setup)?;
    let run = Run {
        settings: JoinSettings::of(
            &subject.plan,
            subject.records,
            topics,
            running.path(),
            clock.now(),
            clock.wall_ms(),
            1,
        ),
        subject,
        side,
        records,
        recorder,
        counting,
        clock: &*clock,
        begun: Mutex::default(),
        delivered: AtomicU64::new(0),
        ended: Mutex::default(),
        error: Mutex::default(),
        shall_end: AtomicBool::new(false),
    };
    let sample = run.drive(&*running, stop);
    running.stop()?;
    sample
}

impl Run<'_> {
    fn drive(&self, running: &dyn Running, stop: &Stop) -> anyhow::Result<Option<Sample>> {
        let (mut sink, mut source) = (running.sink(0)?, running.source()?);
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| self.generate(&mut *sink));
            scope.spawn(|| self.consume(&mut *source));
            let outcome = self.wait(stop);
            self.shall_end.store(true, Ordering::Relaxed);
            outcome
        });
        if !outcome? {
            return Ok(None);
        }
        let (Some((begun, cpu_ns)), Some(ended)) = (*lock(&self.begun), *lock(&self.ended)) else {
            bail!("the run has no measured part");
        };
        let measured = (self.records - self.warm_up()) as f64;
        Ok(Some(Sample {
            records_per_second: measured / ended.duration_since(begun).as_secs_f64().max(1e-9),
            cpu_ns_per_record: (Process::read().cpu_ns() - cpu_ns) as f64 / measured,
        }))
    }

    fn warm_up(&self) -> u64 {
        self.records / 10
    }

    fn generate(&self, sink: &mut dyn Sink) {
        let mut lag = Distribution::new();
        let mut ticket = Ticket { number: 0, intended: self.settings.start, called: self.settings.start };
        for number in 0..self.records {
            if self.shall_end.load(Ordering::Relaxed) {
                break;
            }
            if number == self.warm_up() {
                self.begin_when_warm(sink);
            }
            // The same moments on both sides, so that the same bytes are sent.
            (ticket.number, ticket.intended) = (number, Nanos(self.settings.start.0 + number * 1_000));
            if self.side == Side::Watched {
                ticket.called = self.clock.now();
                self.recorder.sent();
            }
            let record = self.subject.records.at(number);
            let timestamp = self.settings.timestamp(ticket.intended);
            sink.send(Outgoing { ticket, key: record.key.clone(), value: record.value.clone(), timestamp });
            if self.side == Side::Watched {
                lag.record(self.clock.now().0.saturating_sub(ticket.called.0));
            }
        }
        sink.flush();
    }

    /// Connections, metadata and first fetches are over when what was sent so far has come out.
    fn begin_when_warm(&self, sink: &mut dyn Sink) {
        sink.flush();
        while self.delivered.load(Ordering::Relaxed) < self.warm_up() && !self.shall_end.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        *lock(&self.begun) = Some((Instant::now(), Process::read().cpu_ns()));
    }

    fn consume(&self, source: &mut dyn Source) {
        let mut deliveries = Consecutive::default();
        while !self.shall_end.load(Ordering::Relaxed) {
            let mut count = 0;
            let polled = source.poll(POLL, &mut |record| {
                count += 1;
                if self.side == Side::Watched {
                    let content = digest(record.key, record.value);
                    let digest = self.settings.digest_delivered(content, record.timestamp);
                    deliveries.push(record.partition, Some(record.offset), digest);
                }
            });
            self.recorder.delivered(&mut deliveries);
            if self.delivered.fetch_add(count, Ordering::Relaxed) + count >= self.records {
                lock(&self.ended).get_or_insert_with(Instant::now);
            }
            if let Err(error) = polled {
                *lock(&self.error) = Some(error);
                return;
            }
        }
    }

    /// Until all records have come out; false if it was interrupted.
    fn wait(&self, stop: &Stop) -> anyhow::Result<bool> {
        let mut join = Join::new(self.settings.clone());
        join.begin(self.settings.start);
        let (mut inbox, mut seen, mut since) = (Inbox::default(), 0, Instant::now());
        loop {
            self.recorder.empty_into(&mut inbox);
            join.take_in(&mut inbox);
            if let Some(error) = lock(&self.error).take() {
                return Err(error.into());
            }
            let (acknowledged, failed) = match self.side {
                Side::Watched => (join.progress().0, (join.progress().1 > 0).then(|| "a record failed".to_owned())),
                Side::Bare => (self.counting.acknowledged(), self.counting.failed()),
            };
            if let Some(reason) = failed {
                bail!("records must not fail while costs are compared: {reason}");
            }
            let delivered = self.delivered.load(Ordering::Relaxed);
            if acknowledged >= self.records && delivered >= self.records {
                return self.sound(join).map(|()| true);
            }
            if acknowledged + delivered != seen {
                (seen, since) = (acknowledged + delivered, Instant::now());
            } else if since.elapsed() > PATIENCE {
                bail!(
                    "nothing came in for {} s: {acknowledged} acknowledged, {delivered} delivered",
                    PATIENCE.as_secs()
                );
            }
            if stop.wait_for(LOOK_EVERY) {
                return Ok(false);
            }
        }
    }

    /// A watched run says whether it was sound: a fast one that was not shall not count.
    fn sound(&self, mut join: Join) -> anyhow::Result<()> {
        if self.side == Side::Bare {
            return Ok(());
        }
        let mut inbox = Inbox::default();
        self.recorder.empty_into(&mut inbox);
        join.take_in(&mut inbox);
        let joined = join.finish();
        match joined.violations.sentences(&self.settings.topics).first() {
            Some(first) => bail!("a run was not sound: {first}"),
            None => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
