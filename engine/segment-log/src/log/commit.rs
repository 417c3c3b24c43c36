//! Group commit, and how far the log is at each level.
//!
//! Whoever wants a level asks by [`Log::when`]. If fewer than `commits_in_flight` syncs of the level run, and those have written what they
//! cover and only wait for the device's cache, one starts at once and takes everything appended so far; else the next one takes all that has
//! piled up. There is no timer.
//! Syncs end in any order; a level's end rises over the contiguous front of those that have ended.
//!
//! What of a sync blocks is done by a thread that waits for it, where there is one ([`Log::wait_for`]): the one that started it, or, if
//! the end of another sync did, one that it covers, which is woken first of all. A thread for it alone would have to be woken, and wake in turn.

use std::ops::Range;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, MutexGuard, PoisonError, TryLockError};

use logdyno_record::{Offset, Stage};
use logdyno_storage::{Level, PendingSync};

use super::parking::{Duty, Parking};
use super::progress::{Commit, Progress, Waiting};
use super::{Log, Result, Writing, WritingGuard};
use crate::error::LogError;

/// Called once, when the log has reached what was waited for, or never will. May run inside another thread's append:
/// it hands on and returns, and does not call the log.
pub type Waiter = Box<dyn FnOnce(Result<()>) + Send>;

/// Told each time the ack end rises, under the rules of [`Waiter`].
pub type AckEndListener = Arc<dyn Fn(Offset) + Send + Sync>;

/// Everything before `end` has reached a level, and who waited for that.
struct Reached {
    waiters: Vec<Waiting>,
    ack_end: Option<Offset>,
}

pub(super) struct Commits {
    written: Progress,
    durable: Progress,
    ack_level: Level,
    listener: Option<AckEndListener>,
    ticket: u64,
    /// Grows with each truncation: what was started before means nothing any more.
    generation: u64,
    failed: Option<LogError>,
}

/// A sync that was started.
pub(super) struct Started {
    sync: PendingSync,
    level: Level,
    /// Who waits for one of these offsets waits for this sync, and for no earlier one.
    newly_covered: Range<Offset>,
}

impl Commits {
    pub(super) fn new(end: Offset, ack_level: Level) -> Commits {
        Commits {
            written: Progress::new(end),
            durable: Progress::new(end),
            ack_level,
            listener: None,
            ticket: 0,
            generation: 0,
            failed: None,
        }
    }

    fn of(&mut self, level: Level) -> &mut Progress {
        if level == Level::Durable { &mut self.durable } else { &mut self.written }
    }

    fn ack_end(&mut self) -> Offset {
        self.of(self.ack_level).end
    }

    /// What is durable is written, too.
    fn raise(&mut self, level: Level, end: Offset) -> Reached {
        let before = self.ack_end();
        let mut waiters = self.written.raise(end);
        if level == Level::Durable {
            waiters.extend(self.durable.raise(end));
        }
        let after = self.ack_end();
        Reached { waiters, ack_end: (after > before).then_some(after) }
    }
}

impl Log {
    /// The first offset that has not reached a level.
    pub fn level_end(&self, level: Level) -> Offset {
        match level {
            Level::Visible => self.end_offset(),
            _ => self.commits().of(level).end,
        }
    }

    /// The first offset that has not reached the ack level: what the high watermark and fetch offsets are made of.
    pub fn ack_end(&self) -> Offset {
        self.level_end(self.ack_level())
    }

    /// Tells a listener whenever the ack end rises.
    pub fn on_ack_end(&self, listener: AckEndListener) {
        self.commits().listener = Some(listener);
    }

    /// Calls `waiter` once everything before `offset` has reached `level`: at once if it has. Starts a sync if none
    /// that is under way covers it.
    pub fn when(&self, level: Level, offset: Offset, waiter: Waiter) {
        if self.stand_in_line(level, offset, Waiting::Callback(waiter)) {
            self.start_and_hand_on();
        }
    }

    /// True if the waiter stands in line now, and not if it has been told.
    fn stand_in_line(&self, level: Level, offset: Offset, waiting: Waiting) -> bool {
        let offset = offset.min(self.end_offset());
        let mut commits = self.commits();
        let known = match commits.failed.clone() {
            _ if level == Level::Visible || commits.of(level).end >= offset => Some(Ok(())),
            Some(failed) => Some(Err(failed)),
            None => None,
        };
        if let Some(known) = known {
            drop(commits);
            waiting.tell(known);
            return false;
        }
        commits.ticket += 1;
        let ticket = commits.ticket;
        commits.of(level).waiters.insert((offset, ticket), waiting);
        true
    }

    /// Waits until everything before `offset` has reached `level`. If that takes a sync that this thread starts, or is given to carry
    /// out, it does what of it blocks: where nobody else is at work, nobody has to be woken.
    pub fn wait_for(&self, level: Level, offset: Offset) -> Result<()> {
        let parking = Arc::new(Parking::default());
        if self.stand_in_line(level, offset, Waiting::Thread(Duty::towards(&parking))) {
            for started in self.start_syncs() {
                started.sync.here();
            }
        }
        parking.wait().unwrap_or_else(|| Err(LogError::Gone { partition: self.partition.clone(), offset }))
    }

    /// Starts the syncs that may run now; waiting threads carry them out, or the backend.
    pub(super) fn start_and_hand_on(&self) {
        for Started { sync, level, newly_covered } in self.start_syncs() {
            let thread = self.commits().of(level).thread_in(&newly_covered).cloned();
            if let Some(thread) = thread {
                thread.lead(sync);
            }
        }
    }

    /// Starts the syncs that waiters want and that may run now. The caller says where they go on; dropped, the backend does them.
    ///
    /// A completion may come on a thread that holds the lock already, inside a call into the backend: then whoever
    /// gives the lock back does it (the flag is set before the lock is tried, and looked at after it is free).
    fn start_syncs(&self) -> Vec<Started> {
        self.syncs_wanted.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let held = match self.writing.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Vec::new(),
        };
        let mut started = Vec::new();
        let mut writing = WritingGuard { log: self, held: Some(held) };
        self.syncs_wanted.store(false, Ordering::SeqCst);
        for level in [Level::Written, Level::Durable] {
            let wanted = {
                let mut commits = self.commits();
                let in_flight_max = self.config().commits_in_flight.max(1);
                let progress = commits.of(level);
                let is_free = progress.running.back().is_none_or(Commit::is_written);
                is_free && progress.running.len() < in_flight_max && progress.wanted().is_some()
            };
            match if wanted { self.begin_sync(&mut writing, level) } else { Ok(None) } {
                Ok(sync) => started.extend(sync),
                Err(error) => self.fail(error),
            }
        }
        started
    }

    /// Starts a sync of everything appended so far.
    pub(super) fn begin_sync(&self, writing: &mut Writing, level: Level) -> Result<Option<Started>> {
        let Some(writer) = writing.writer.as_mut() else { return Ok(None) };
        let end = self.end_offset();
        let sync = writer.begin_sync(level).map_err(|source| self.storage_error(source))?;
        let (position, marks) = (sync.position(), writer.marks());
        let (ticket, generation, newly_covered) = {
            let mut commits = self.commits();
            commits.ticket += 1;
            let (ticket, generation) = (commits.ticket, commits.generation);
            let progress = commits.of(level);
            let covered = progress.requested;
            progress.requested = covered.max(end);
            progress.running.push_back(Commit { ticket, end, done: false, position, marks: Arc::clone(&marks) });
            (ticket, generation, covered..progress.requested)
        };
        if level == Level::Durable && marks.reached(Level::Written) < position {
            let log = self.itself.clone();
            let next = move |_| log.upgrade().into_iter().for_each(|log| log.start_if_wanted());
            marks.when(Level::Written, position, Box::new(next));
        }
        let log = self.itself.clone();
        marks.when(
            level,
            position,
            Box::new(move |reached| {
                if let Some(log) = log.upgrade() {
                    match reached {
                        Ok(()) => log.synced(level, ticket, generation),
                        Err(source) => log.fail_for_good(log.storage_error(source)),
                    }
                }
            }),
        );
        Ok(Some(Started { sync, level, newly_covered }))
    }

    /// The next sync may start, if one is wanted.
    fn start_if_wanted(&self) {
        let is_wanted = {
            let commits = self.commits();
            commits.written.wanted().is_some() || commits.durable.wanted().is_some()
        };
        if is_wanted {
            self.start_and_hand_on();
        }
    }

    fn synced(&self, level: Level, ticket: u64, generation: u64) {
        let mut commits = self.commits();
        if commits.generation != generation {
            return;
        }
        let Some(end) = commits.of(level).complete(ticket) else { return };
        let reached = commits.raise(level, end);
        let listener = commits.listener.clone();
        drop(commits);
        // Before those who waited for this one are woken: the device does not wait for that.
        self.start_if_wanted();
        self.tell(reached, listener);
    }

    pub(super) fn raise_to(&self, level: Level, end: Offset) {
        let mut commits = self.commits();
        let reached = commits.raise(level, end);
        let listener = commits.listener.clone();
        drop(commits);
        self.tell(reached, listener);
    }

    fn tell(&self, reached: Reached, listener: Option<AckEndListener>) {
        if let Some(end) = reached.ack_end {
            if self.leading.load(Ordering::Acquire) {
                self.probe.passed(Stage::Written, &self.partition, self.start_offset()..end, self.clock.now());
            }
            if let Some(listener) = listener {
                listener(end);
            }
        }
        reached.waiters.into_iter().for_each(|waiting| waiting.tell(Ok(())));
    }

    /// Storage has failed: nobody who waits will be served. A full disk is no failure of what comes later.
    fn fail(&self, error: LogError) {
        if !matches!(&error, LogError::Storage { source: logdyno_storage::StorageError::NoSpace { .. }, .. }) {
            return self.fail_for_good(error);
        }
        self.fail_all(error);
    }

    /// Nobody who waits will be served, and nobody who comes to wait.
    pub(super) fn fail_for_good(&self, error: LogError) {
        self.commits().failed.get_or_insert_with(|| error.clone());
        self.fail_all(error);
    }

    fn fail_all(&self, error: LogError) {
        let mut commits = self.commits();
        let mut failed = Vec::new();
        for level in [Level::Written, Level::Durable] {
            failed.extend(std::mem::take(&mut commits.of(level).waiters).into_values());
        }
        drop(commits);
        failed.into_iter().for_each(|waiting| waiting.tell(Err(error.clone())));
    }

    /// The log was closed: who still waits has been served if the close was good.
    pub(super) fn fail_waiters(&self) {
        let offset = self.end_offset();
        self.fail(LogError::Gone { partition: self.partition.clone(), offset });
    }

    /// A truncation to `end` begins: nothing beyond counts as durable any more, whatever completes meanwhile. What was asked for is asked for
    /// anew, in case the truncation fails before it has cut anything.
    pub(super) fn lower_durable(&self, end: Offset) {
        let mut commits = self.commits();
        commits.generation += 1;
        commits.durable.end = commits.durable.end.min(end);
        for level in [Level::Written, Level::Durable] {
            let progress = commits.of(level);
            progress.running.clear();
            progress.requested = progress.end;
        }
    }

    /// The log ends at `end` now, and that is durable: earlier syncs mean nothing, waiters beyond it are told.
    pub(super) fn reset_commits(&self, end: Offset) {
        let mut commits = self.commits();
        commits.generation += 1;
        let before = commits.ack_end();
        let listener = commits.listener.clone();
        let mut gone = Vec::new();
        for level in [Level::Written, Level::Durable] {
            let progress = commits.of(level);
            gone.extend(progress.waiters.split_off(&(end.next(), 0)));
            gone.extend(std::mem::take(&mut progress.waiters));
            *progress = Progress::new(end);
        }
        drop(commits);
        let ack_end = (end > before).then_some(end);
        self.tell(Reached { waiters: Vec::new(), ack_end }, listener);
        for ((offset, _), waiting) in gone {
            let partition = self.partition.clone();
            waiting.tell(if offset <= end { Ok(()) } else { Err(LogError::Gone { partition, offset }) });
        }
    }

    /// Acknowledgements promise another level from here on. What was acknowledged stays so; what has been appended gets to
    /// the new level without waiting for another append.
    pub(super) fn set_ack_level(&self, level: Level) {
        let mut commits = self.commits();
        if commits.ack_level == level {
            return;
        }
        let before = commits.ack_end();
        commits.ack_level = level;
        let after = if level == Level::Visible { self.end_offset() } else { commits.ack_end() };
        let listener = commits.listener.clone();
        drop(commits);
        self.tell(Reached { waiters: Vec::new(), ack_end: (after > before).then_some(after) }, listener);
        let partition = self.partition.clone();
        self.when(
            level,
            self.end_offset(),
            Box::new(move |reached| {
                if let Err(error) = reached {
                    tracing::error!(%partition, "what was appended does not get to the new logdyno.ack.level: {error}");
                }
            }),
        );
    }

    fn commits(&self) -> MutexGuard<'_, Commits> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
