//! Keeps to the schedule: sends each record at its moment, or as soon after as it can, and says how late it was.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use logdyno_engine::record::{Clock, Nanos};

use super::bounds::{Bounds, Limit};
use super::schedule::Schedule;
use crate::measure::{Distribution, Recorder};
use crate::records::RecordSet;
use crate::target::{Outgoing, Sink, Ticket};
use crate::workload::Waiting;

/// How long a wait of the generator is before it looks whether it shall end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The measured part of a run, as it comes to be known, and how far sending is.
#[derive(Debug)]
pub struct Window {
    /// The intended time of the first measured record; `u64::MAX` before it is known.
    begin: AtomicU64,
    /// How many parts have begun that are measured on their own.
    opened: AtomicUsize,
    sent: AtomicU64,
    ended: AtomicBool,
}

impl Default for Window {
    fn default() -> Window {
        Window {
            begin: AtomicU64::new(u64::MAX),
            opened: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        }
    }
}

impl Window {
    /// From which intended time on records are measured, once it is known: before the first of them is sent.
    pub fn begin(&self) -> Option<Nanos> {
        Some(self.begin.load(Ordering::Acquire)).filter(|begin| *begin != u64::MAX).map(Nanos)
    }

    /// How many parts that are measured on their own have begun; 1 once `begin` is known if the measured part is one.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Acquire)
    }

    /// Records sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Makes the generators end early.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// True for the one caller that is first to be in the part after `before` others.
    fn open_after(&self, before: usize) -> bool {
        self.opened.load(Ordering::Relaxed) <= before && self.opened.fetch_max(before + 1, Ordering::AcqRel) <= before
    }

    /// True for the one caller that is first.
    fn begin_at(&self, moment: Nanos) -> bool {
        self.begin.compare_exchange(u64::MAX, moment.0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// How long before its moment a generator that spins stops sleeping: longer than a sleep is late but for one in thousands.
const SPIN_BEFORE: Duration = Duration::from_micros(200);

/// What all producers of a run have in common.
pub struct Generator<'a> {
    /// When records are sent.
    pub schedule: &'a Schedule,
    /// Which are measured, and when to end.
    pub bounds: Bounds,
    /// What is sent.
    pub records: &'a RecordSet,
    /// Counts what is under way.
    pub recorder: &'a Recorder,
    /// Where measuring begins.
    pub window: &'a Window,
    /// The time.
    pub clock: &'a dyn Clock,
    /// When record 0 is due.
    pub start: Nanos,
    /// What the wall clock says then, in milliseconds since 1970.
    pub start_ms: i64,
    /// How many producers take the records in turn.
    pub producers: u32,
    /// How they wait for a record's moment.
    pub waiting: Waiting,
    /// Where the measured part is cut into parts that are measured on their own; none if it is one. Ascending.
    pub cuts: &'a [Nanos],
    /// Called right before the first measured record is sent, and right before the first of each part, with the part's number from 0.
    /// A part of which no producer was in time to send the first is left out.
    pub on_begin: &'a (dyn Fn(usize) + Sync),
}

/// What a producer's thread has to tell.
#[derive(Clone, Debug, Default)]
pub struct Generated {
    /// How late the generator itself was for measured records: from the intended time, or from the end of the `send`
    /// before if that was later, to the call of `send`; by the part that is measured on its own. Waits inside `send` are the system's, not the generator's.
    pub lag: Vec<Distribution>,
    /// Bytes of the keys and values of these records, by part.
    pub bytes: Vec<u64>,
    /// When the last `send` had returned.
    pub ended: Nanos,
}

impl Generator<'_> {
    /// Sends the records of producer `index` and waits for their receipts.
    pub fn run(&self, index: u32, sink: &mut dyn Sink) -> Generated {
        sharpen_timer();
        let parts = self.cuts.len() + 1;
        let lag = vec![Distribution::new(); parts];
        let mut generated = Generated { lag, bytes: vec![0; parts], ended: Nanos(0) };
        // The look at the clock after a `send` also says whether the next record is due. When that is sent is looked at anew: what
        // passes in between is this generator's fault.
        let (mut free_since, mut looked) = (self.start, self.clock.now());
        for number in (u64::from(index)..).step_by(self.producers as usize) {
            let Some(intended) = self.wait_for_turn(number, looked) else { break };
            self.begin_if_first(number, intended);
            let called = self.clock.now();
            let intended = intended.unwrap_or(called);
            self.recorder.sent();
            // Before: its receipt may come before `send` returns, and nobody shall see more receipts than records.
            self.window.sent.fetch_add(1, Ordering::Relaxed);
            let outgoing = self.outgoing(Ticket { number, intended, called });
            let bytes = outgoing.bytes();
            sink.send(outgoing);
            if self.window.begin().is_some_and(|begin| intended >= begin) {
                let part = part_of(self.cuts, intended);
                generated.lag[part].record(called.0.saturating_sub(intended.max(free_since).0));
                generated.bytes[part] += bytes;
            }
            looked = self.clock.now();
            free_since = looked;
        }
        generated.ended = looked;
        sink.flush();
        generated
    }

    fn outgoing(&self, ticket: Ticket) -> Outgoing {
        let record = self.records.at(ticket.number);
        let since_start_ms = (ticket.intended.0.saturating_sub(self.start.0) / 1_000_000) as i64;
        let timestamp = self.start_ms + since_start_ms;
        Outgoing { ticket, key: record.key.clone(), value: record.value.clone(), timestamp }
    }

    /// Waits until a record may be sent; its intended time in an open loop; `None` at the end of the run.
    fn wait_for_turn(&self, number: u64, looked: Nanos) -> Option<Option<Nanos>> {
        if let Limit::Number(end) = self.bounds.end
            && number >= end
        {
            return None;
        }
        match self.schedule {
            Schedule::Closed { in_flight } => {
                while !self.recorder.wait_for_fewer(*in_flight, LOOK_EVERY) {
                    if self.window.is_ended() {
                        return None;
                    }
                }
                (!self.window.is_ended() && !self.is_over()).then_some(None)
            }
            _ => {
                let intended = Nanos(self.start.0.saturating_add(self.schedule.intended_ns(number)?));
                self.wait_until(intended, looked).then_some(Some(intended))
            }
        }
    }

    /// Whether the time of a closed loop is over.
    fn is_over(&self) -> bool {
        match (self.bounds.end, self.window.begin()) {
            (Limit::Elapsed(time), Some(begin)) => self.clock.now().since(begin) >= time,
            _ => false,
        }
    }

    /// Waits for a moment, if the clock did not show it just now; false if the run was ended meanwhile.
    fn wait_until(&self, moment: Nanos, looked: Nanos) -> bool {
        let mut now = looked;
        loop {
            if self.window.is_ended() {
                return false;
            }
            let left = moment.since(now);
            if left.is_zero() {
                return true;
            }
            match self.waiting {
                Waiting::Spin if left <= SPIN_BEFORE => std::hint::spin_loop(),
                Waiting::Spin => std::thread::sleep((left - SPIN_BEFORE).min(LOOK_EVERY)),
                Waiting::Sleep => std::thread::sleep(left.min(LOOK_EVERY)),
            }
            now = self.clock.now();
        }
    }

    /// Opens the window at the first measured record, and each part of it at its first.
    fn begin_if_first(&self, number: u64, intended: Option<Nanos>) {
        if self.window.begin().is_some() {
            if let Some(part) = intended.map(|intended| part_of(self.cuts, intended)).filter(|part| *part > 0)
                && self.window.open_after(part)
            {
                (self.on_begin)(part);
            }
            return;
        }
        let moment = match (self.bounds.begin, intended) {
            // The schedule knows the moment of the first measured record, whichever producer sends it.
            (Limit::Number(first), Some(_)) if number + u64::from(self.producers) > first => {
                self.schedule.intended_ns(first).map(|ns| Nanos(self.start.0.saturating_add(ns)))
            }
            (Limit::Number(first), None) if number >= first => Some(self.clock.now()),
            (Limit::Elapsed(time), _) => Some(self.clock.now()).filter(|now| now.since(self.start) >= time),
            _ => None,
        };
        if moment.is_some_and(|moment| self.window.begin_at(moment)) {
            self.window.open_after(0);
            (self.on_begin)(0);
        }
    }
}

/// The number of the part that a moment falls into, from 0.
pub(crate) fn part_of(cuts: &[Nanos], moment: Nanos) -> usize {
    cuts.partition_point(|cut| *cut <= moment)
}

/// Lets sleeps of this thread end within microseconds of their time: Linux rounds them by 50 µs otherwise.
pub(crate) fn sharpen_timer() {
    // SAFETY: PR_SET_TIMERSLACK takes a number and touches no memory of ours. If it fails, sleeps end later and the
    // lag that is measured says so.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64, 0_u64, 0_u64, 0_u64);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use logdyno_engine::record::SystemClock;

    use super::*;
    use crate::target::Receipts;
    use crate::topics::Topics;

    struct Collecting {
        recorder: Arc<Recorder>,
        tickets: Vec<Ticket>,
    }

    impl Sink for Collecting {
        fn send(&mut self, record: Outgoing) {
            self.tickets.push(record.ticket);
            self.recorder.acknowledged(record.ticket, 0, None);
        }

        fn flush(&mut self) {}

        fn counters(&self) -> Vec<(&'static str, u64)> {
            Vec::new()
        }
    }

    fn run(schedule: &Schedule, bounds: Bounds, producers: u32) -> (Vec<Ticket>, Nanos, usize) {
        run_waiting(schedule, bounds, producers, Waiting::Sleep)
    }

    fn run_waiting(
        schedule: &Schedule,
        bounds: Bounds,
        producers: u32,
        waiting: Waiting,
    ) -> (Vec<Ticket>, Nanos, usize) {
        let plan = crate::workload::parse(
            std::path::Path::new("w.toml"),
            "[records]\nsize=8\nentropy=0\ndistinct=3\n[load]\nrate=1",
            &crate::workload::Overrides::default(),
        );
        let records = RecordSet::load(&plan.unwrap()).unwrap();
        let recorder = Arc::new(Recorder::new(Arc::new(Topics::one("t", 1))));
        let window = Window::default();
        let begun = std::sync::Mutex::new(0);
        let generator = Generator {
            schedule,
            bounds,
            records: &records,
            recorder: &recorder,
            window: &window,
            clock: &SystemClock,
            start: SystemClock.now(),
            start_ms: 0,
            producers,
            waiting,
            cuts: &[],
            on_begin: &|_| *begun.lock().unwrap() += 1,
        };
        let mut tickets = Vec::new();
        for index in 0..producers {
            let mut sink = Collecting { recorder: Arc::clone(&recorder), tickets: Vec::new() };
            generator.run(index, &mut sink);
            tickets.extend(sink.tickets);
        }
        (tickets, window.begin().unwrap(), begun.into_inner().unwrap())
    }

    #[test]
    fn no_record_is_sent_before_its_time_and_the_window_opens_once_at_the_first_measured_one() {
        let schedule = Schedule::Rate("5000".parse().unwrap());
        let bounds = Bounds { begin: Limit::Number(10), end: Limit::Number(40) };
        for waiting in [Waiting::Sleep, Waiting::Spin] {
            let (tickets, begin, begun) = run_waiting(&schedule, bounds, 3, waiting);
            assert_eq!(tickets.len(), 40);
            assert!(tickets.iter().all(|ticket| ticket.called >= ticket.intended));
            let measured = tickets.iter().filter(|ticket| ticket.intended >= begin).count();
            assert_eq!((measured, begun), (30, 1));
        }
    }

    #[test]
    fn a_closed_loop_ends_after_its_time() {
        let schedule = Schedule::Closed { in_flight: 1 };
        let bounds = Bounds { begin: Limit::Number(5), end: Limit::Elapsed(Duration::from_millis(20)) };
        let (tickets, begin, begun) = run(&schedule, bounds, 1);
        assert_eq!(begun, 1);
        assert_eq!(tickets.iter().filter(|ticket| ticket.intended < begin).count(), 5);
        // The last one may have been held up between the look at the clock and its `send`.
        let before_last = &tickets[..tickets.len() - 1];
        assert!(before_last.iter().all(|ticket| ticket.called.since(begin) < Duration::from_millis(20)));
    }
}
