//! The threads of a trial: a generator for each producer, one consumer, and this one, which joins what is reported.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use logdyno_engine::record::{Clock, Nanos};

use super::progress::{Progress, SoFar};
use super::{Trial, TrialError};
use crate::load::{Bounds, Generated, Generator, Schedule, Window};
use crate::measure::{Consecutive, Distribution, Inbox, Join, JoinSettings, Joined, Recorder, digest};
use crate::proof::{Evidence, OpenFiles};
use crate::signal::Stop;
use crate::target::{Observation, Running, Sink, Source, TargetError};
use crate::usage::{Leavers, Reading, Usage};

/// How often what was reported is joined.
const JOIN_EVERY: Duration = Duration::from_millis(5);

/// How often the watcher is told.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// How long one poll of the consumer waits.
const POLL: Duration = Duration::from_millis(50);

/// Records that may be acknowledged or delivered and not settled, before the run is given up: 200 MB of ours.
const HELD_MAX: usize = 4_000_000;

/// What a drive needs.
pub(super) struct Drive<'a> {
    pub(super) trial: &'a Trial<'a>,
    pub(super) schedule: &'a Schedule,
    pub(super) bounds: Bounds,
    /// Where the measured part is cut into parts that are measured on their own.
    pub(super) cuts: &'a [Nanos],
    pub(super) settings: &'a JoinSettings,
    pub(super) recorder: &'a Recorder,
    pub(super) clock: &'a dyn Clock,
    pub(super) running: &'a dyn Running,
}

/// What a drive has found.
pub(super) struct Driven {
    pub(super) joined: Joined,
    pub(super) sent: u64,
    pub(super) begin: Nanos,
    /// When the last `send` had returned.
    pub(super) ended: Nanos,
    /// When the last record had come in, or the run was given up.
    pub(super) drained: Nanos,
    /// How late the generators were, by part.
    pub(super) lag: Vec<Distribution>,
    /// Bytes of the keys and values of the records that were sent, by part; of how many, the lag counts.
    pub(super) bytes: Vec<u64>,
    /// The target's counters and the requests so far: at the begin of each part that began, and after the drain.
    pub(super) counted: Vec<Counted>,
    /// What this process took in each of these parts.
    pub(super) usage: Vec<Usage>,
    pub(super) producers: Vec<(&'static str, u64)>,
    pub(super) files: OpenFiles,
    /// What the target itself could show.
    pub(super) evidence: Vec<Evidence>,
    /// Why the run was given up, if it was: more was under way than can be held.
    pub(super) overflow: Option<String>,
    /// What the consumer found to be corrupt.
    pub(super) corrupt: Option<String>,
}

/// Counters at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    pub(super) target: Observation,
    pub(super) requests: (u64, u64),
}

/// What the threads share.
#[derive(Default)]
struct Shared {
    window: Window,
    counted: Mutex<Vec<Counted>>,
    leavers: Leavers,
    /// The process's books when each part was seen to have begun: by the joining thread, so that reading them, which takes a
    /// good part of a millisecond, makes no record late.
    books: Mutex<Vec<Reading>>,
    consumer_shall_end: AtomicBool,
    /// Polls of the consumer that returned nothing.
    empty_polls: AtomicU64,
    consumer_error: Mutex<Option<TargetError>>,
}

impl Drive<'_> {
    /// Runs the trial from its first record to the drain of its last.
    pub(super) fn run(&self, stop: &Stop, watch: &mut dyn FnMut(Progress)) -> Result<Driven, TrialError> {
        let plan = &self.trial.plan.run;
        let first = plan.shard.first_producer(plan.producers);
        let mut sinks = (0..plan.producers).map(|index| self.running.sink(index)).collect::<Result<Vec<_>, _>>()?;
        let mut source = Some(self.running.source()?);
        let shared = Shared::default();
        let on_begin = |part: usize| {
            let counted = self.count();
            // A part that nobody was in time for has no length.
            lock(&shared.counted).resize(part + 1, counted);
        };
        let generator = Generator {
            schedule: self.schedule,
            bounds: self.bounds,
            records: self.trial.records,
            recorder: self.recorder,
            window: &shared.window,
            clock: self.clock,
            start: self.settings.start,
            start_ms: self.settings.start_ms,
            producers: self.settings.producers,
            waiting: self.trial.plan.run.waiting,
            cuts: self.cuts,
            on_begin: &on_begin,
        };
        let mut join = Join::new(self.settings.clone()).cut_at(self.cuts);
        let (generated, overflow, drained) = std::thread::scope(|scope| {
            let generator = &generator;
            let generating: Vec<_> = (0..)
                .zip(&mut sinks)
                .map(|(index, sink)| {
                    let leavers = &shared.leavers;
                    named(scope, format!("generator-{index}"), move || {
                        let generated = generator.run(first + index, &mut **sink);
                        leavers.leave();
                        generated
                    })
                })
                .collect::<Result<_, _>>()
                .inspect_err(|_| shared.window.end())?;
            let consuming = named(scope, "checks".to_owned(), || {
                self.consume(&mut source, &shared);
                shared.leavers.leave();
            })
            .inspect_err(|_| shared.window.end())?;
            let (overflow, drained) = self.watch_over(&shared, &mut join, stop, watch, || {
                generating.iter().all(std::thread::ScopedJoinHandle::is_finished)
            });
            shared.window.end();
            let generated: Vec<Generated> = generating.into_iter().map(joined_thread).collect();
            shared.consumer_shall_end.store(true, Ordering::Relaxed);
            joined_thread(consuming);
            Ok::<_, TargetError>((generated, overflow, drained))
        })?;
        if stop.asked() {
            return Err(TrialError::Interrupted);
        }
        self.take_in(&shared, &mut join, &mut Inbox::default());
        let corrupt = match lock(&shared.consumer_error).take() {
            None => None,
            Some(TargetError::Corrupt(reason)) => Some(reason),
            Some(error) => return Err(error.into()),
        };
        let mut counted = std::mem::take(&mut *lock(&shared.counted));
        if counted.is_empty() {
            counted.push(Counted::default());
        }
        counted.push(self.count());
        let mut books = std::mem::take(&mut *lock(&shared.books));
        books.resize(counted.len() - 1, Reading::default());
        books.push(shared.leavers.read());
        let usage = books.windows(2).map(|pair| pair[1].since(&pair[0])).collect();
        let files = self.trial.backend.map(|_| self.trial.open_files(&self.settings.topics)).transpose()?;
        let evidence = self.running.evidence();
        let parts = self.cuts.len() + 1;
        let (mut lag, mut bytes) = (vec![Distribution::new(); parts], vec![0; parts]);
        for generated in &generated {
            lag.iter_mut().zip(&generated.lag).for_each(|(all, own)| all.merge(own));
            bytes.iter_mut().zip(&generated.bytes).for_each(|(all, own)| *all += own);
        }
        Ok(Driven {
            joined: if overflow.is_some() || corrupt.is_some() { join.break_off() } else { join.finish() },
            sent: shared.window.sent(),
            begin: shared.window.begin().unwrap_or(self.settings.start),
            ended: generated.iter().map(|generated| generated.ended).max().unwrap_or_default(),
            drained,
            lag,
            bytes,
            counted,
            usage,
            producers: summed(&sinks),
            files: files.unwrap_or_default(),
            evidence,
            overflow,
            corrupt,
        })
    }

    fn count(&self) -> Counted {
        Counted { target: self.running.observe(), requests: self.recorder.requests() }
    }

    /// The consumer's thread. What is broken is dropped here, so that producers that wait for a consumer see that there is none; else the
    /// source outlives the reading of the books, in which its threads stand.
    fn consume(&self, kept: &mut Option<Box<dyn Source>>, shared: &Shared) {
        let mut deliveries = Consecutive::default();
        while let Some(source) = kept
            && !shared.consumer_shall_end.load(Ordering::Relaxed)
        {
            let polled = source.poll(POLL, &mut |record| {
                let content = digest(record.key, record.value);
                let digest = self.settings.digest_delivered(content, record.timestamp);
                deliveries.push(record.partition, Some(record.offset), digest);
            });
            if deliveries.is_empty() {
                shared.empty_polls.fetch_add(1, Ordering::Relaxed);
            }
            self.recorder.delivered(&mut deliveries);
            if let Err(error) = polled {
                *lock(&shared.consumer_error) = Some(error);
                *kept = None;
            }
        }
    }

    /// Joins and tells until the run is drained, broken, or asked to stop; why it was given up, if it was, and when its last record had come in.
    fn watch_over(
        &self,
        shared: &Shared,
        join: &mut Join,
        stop: &Stop,
        watch: &mut dyn FnMut(Progress),
        have_generators_ended: impl Fn() -> bool,
    ) -> (Option<String>, Nanos) {
        let mut inbox = Inbox::default();
        let mut told = Instant::now();
        let mut drain = Drain::new(self.trial.patience);
        loop {
            // Asked first: when it is true, all receipts are in what is taken in next.
            let have_ended = have_generators_ended();
            self.take_in(shared, join, &mut inbox);
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                watch(self.progress(shared, join));
            }
            if join.held() > HELD_MAX {
                let reason = format!(
                    "more than {HELD_MAX} records were acknowledged and not yet delivered, or the other way round"
                );
                return (Some(reason), self.clock.now());
            }
            let is_broken = lock(&shared.consumer_error).is_some();
            let now = self.clock.now();
            if have_ended && drain.is_over(join, shared.empty_polls.load(Ordering::Relaxed), now) {
                return (None, drain.last_in(now));
            }
            if is_broken || stop.wait_for(JOIN_EVERY) {
                return (None, now);
            }
        }
    }

    fn take_in(&self, shared: &Shared, join: &mut Join, inbox: &mut Inbox) {
        self.recorder.empty_into(inbox);
        // After emptying: the window opened before the first measured record was sent, so before any report of it.
        if let Some(begin) = shared.window.begin() {
            join.begin(begin);
            let opened = shared.window.opened();
            let mut books = lock(&shared.books);
            if books.len() < opened {
                let reading = shared.leavers.read();
                books.resize(opened, reading);
            }
        }
        join.take_in(inbox);
    }

    fn progress(&self, shared: &Shared, join: &Join) -> Progress {
        let (acknowledged, failed, delivered) = join.progress();
        Progress {
            elapsed: self.clock.now().since(self.settings.start),
            sent: shared.window.sent(),
            acknowledged,
            failed,
            delivered,
            request_bytes: self.recorder.requests().1,
            copies: self.settings.path.copies(self.trial.plan),
            has_network: self.settings.path.has_network,
            is_measuring: shared.window.begin().is_some(),
            so_far: SoFar::of(join.parts()),
            limit: None,
        }
    }
}

/// Decides when nothing more will come.
struct Drain {
    patience: Duration,
    /// What had come in when something last did, and when that was.
    seen: Option<((u64, u64, u64), Nanos)>,
    /// Empty polls when everything had come in: one that began after it must come back empty too.
    settled_at: Option<u64>,
}

impl Drain {
    fn new(patience: Duration) -> Drain {
        Drain { patience, seen: None, settled_at: None }
    }

    fn is_over(&mut self, join: &Join, empty_polls: u64, now: Nanos) -> bool {
        let progress = join.progress();
        match self.seen {
            Some((seen, since)) if seen == progress => {
                if now.since(since) >= self.patience {
                    return true;
                }
            }
            _ => self.seen = Some((progress, now)),
        }
        if join.held() > 0 || progress.2 < progress.0 {
            self.settled_at = None;
            return false;
        }
        // The poll under way may have begun before; the second empty one has not.
        empty_polls >= *self.settled_at.get_or_insert(empty_polls) + 2
    }

    /// When something last came in, as far as it was seen by `now`.
    fn last_in(&self, now: Nanos) -> Nanos {
        self.seen.map_or(now, |(_, since)| since)
    }
}

fn summed(sinks: &[Box<dyn Sink>]) -> Vec<(&'static str, u64)> {
    let mut sums: Vec<(&'static str, u64)> = Vec::new();
    for (name, value) in sinks.iter().flat_map(|sink| sink.counters()) {
        match sums.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += value,
            None => sums.push((name, value)),
        }
    }
    sums
}

/// A thread of this name, by which its processor time is found.
fn named<'scope, T: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    name: String,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<std::thread::ScopedJoinHandle<'scope, T>, TargetError> {
    let failed = |error: std::io::Error| TargetError::Failed(format!("no thread can be started: {error}"));
    std::thread::Builder::new().name(name).spawn_scoped(scope, work).map_err(failed)
}

fn joined_thread<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
