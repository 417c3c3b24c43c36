//! The whole log on a disk that stops: a random workload is stopped at every operation of each kind, by the death of
//! the process and by power loss, and so is the recovery after it. What was promised must be there, and nothing else.
//!
//! * [`workload`] makes steps of a seed, as data.
//! * [`machine`] does them: a data directory with one log, a real backend's own code, the simulated disk.
//! * [`promises`] keeps what the log was told and has promised, without looking at the log, and judges.
//! * [`found`] is what the next start finds.
//!
//! A run is made once to count its operations by kind; then once for each kind and count, on a fresh disk that stops in
//! the middle of that operation. Unsynced blocks are then kept, dropped, torn at sectors or left as they were in
//! between, unsynced names and lengths kept up to some point. Of the recoveries after it, up to two are stopped, too. Then a
//! recovery runs to its end and is judged; one more crash and recovery must find the very same; and the log must go on.
//!
//! `LOGDYNO_CRASH_POINTS` makes it longer (for each backend and kind of crash), `LOGDYNO_CRASH_SEED` starts elsewhere:
//! `scripts/long/crash` uses both.

mod found;
mod machine;
mod promises;
mod workload;

use std::path::Path;

use logdyno_storage::Kind;
use logdyno_storage::kinds;
use logdyno_storage::seam::simulated::{Crash, Point, SimulatedDisk};

use found::{Decided, Found};
use machine::{Machine, Running};
use promises::{Cut, Promises};
use workload::{Chance, Plan, Step, Wish, plan};

/// For each of three backends and two kinds of crash: 10,200 in all.
const CRASH_POINTS: u64 = 1_700;

/// How much was tried.
#[derive(Default, Debug)]
struct Tally {
    seeds: u64,
    /// Runs that were stopped in the middle of an operation.
    crash_points: u64,
    /// Recoveries that were.
    recoveries_stopped: u64,
    power_losses: u64,
    process_crashes: u64,
    checked: u64,
}

/// One way to fail.
#[derive(Clone, Copy)]
struct Case<'a> {
    kind: Kind,
    crash: Crash,
    seed: u64,
    plan: &'a Plan,
    point: Point,
    nth: u64,
    root: &'a Path,
}

fn run(backend: &str, crash: Crash) {
    let kind = kinds().into_iter().find(|kind| kind.name == backend).expect("a backend of this name");
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    if let Err(refused) = Case::machine(kind, SimulatedDisk::new(0), &plan(0), root.path()).start() {
        eprintln!("SKIPPED: {refused}");
        return;
    }
    let (points, mut seed) = (number("LOGDYNO_CRASH_POINTS", CRASH_POINTS), number("LOGDYNO_CRASH_SEED", 1));
    let mut tally = Tally::default();
    while tally.crash_points < points {
        crash_everywhere(kind, crash, seed, root.path(), points, &mut tally);
        seed += 1;
        if tally.seeds.is_multiple_of(100) {
            println!("{backend}, {crash:?}, so far: {tally:?}");
        }
    }
    println!("{backend}, {crash:?}: {tally:?}, 0 violations");
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Stops one workload at each of its operations.
fn crash_everywhere(kind: Kind, crash: Crash, seed: u64, root: &Path, points: u64, tally: &mut Tally) {
    let plan = plan(seed);
    let machine = Case::machine(kind, SimulatedDisk::new(seed), &plan, root);
    machine.run(&plan);
    let counts = Point::ALL.map(|point| (point, machine.disk.count(point)));
    tally.seeds += 1;
    for (point, count) in counts {
        for nth in 1..=count {
            if tally.crash_points >= points {
                return;
            }
            Case { kind, crash, seed, plan: &plan, point, nth, root }.try_it(tally);
        }
    }
}

impl Case<'_> {
    fn machine(kind: Kind, disk: SimulatedDisk, plan: &Plan, root: &Path) -> Machine {
        Machine { kind, disk, config: plan.config.clone(), root: root.to_owned() }
    }

    fn name(&self) -> String {
        let Case { kind, crash, seed, point, nth, .. } = self;
        format!("{}, {crash:?} at {point:?} {nth}, seed {seed}", kind.name)
    }

    fn try_it(self, tally: &mut Tally) {
        let told = Told(self.name());
        let mut chance = Chance::new(self.seed ^ (self.nth << 20) ^ ((self.point as u64) << 50));
        let machine = Case::machine(self.kind, SimulatedDisk::new(chance.next()), self.plan, self.root);
        machine.disk.stop_at(self.point, self.nth);
        let promises = machine.run(self.plan);
        tally.crash_points += 1;
        let worst = self.crash_again(&machine, &mut chance, tally);
        self.judge(&machine, promises, worst, &mut chance);
        tally.checked += 1;
        drop(told);
    }

    /// Ends the machine by the case's crash, and up to two recoveries by another; returns the worst of them.
    fn crash_again(&self, machine: &Machine, chance: &mut Chance, tally: &mut Tally) -> Crash {
        let (mut crash, mut worst) = (self.crash, self.crash);
        for _ in 0..=chance.below(3) {
            machine.disk.restart(crash).expect("memory for the disk");
            match crash {
                Crash::Power => (worst, tally.power_losses) = (Crash::Power, tally.power_losses + 1),
                Crash::Process => tally.process_crashes += 1,
            }
            let point = Point::ALL[chance.below(Point::ALL.len() as u64) as usize];
            machine.disk.stop_at(point, 1 + chance.below(12));
            if let Ok((running, _)) = machine.start() {
                // It was through before it came to that.
                machine.disk.stop();
                running.end();
            } else {
                assert!(machine.disk.has_stopped(), "{}: a recovery fails", self.name());
                tally.recoveries_stopped += 1;
            }
            crash = if chance.one_in(2) { Crash::Power } else { Crash::Process };
        }
        // The process that was just ended.
        machine.disk.restart(crash).expect("memory for the disk");
        if crash == Crash::Power { Crash::Power } else { worst }
    }

    fn judge(&self, machine: &Machine, mut promises: Promises, crash: Crash, chance: &mut Chance) {
        let first = self.started(machine);
        let found = self.found(&first.0, &promises);
        if let Err(wrong) = promises.check(&found, crash) {
            panic!("{}: {wrong}; {:?}", self.name(), first.1);
        }
        self.check_decided(&promises, &found, &first.0);
        machine.disk.stop();
        first.0.end();
        machine
            .disk
            .restart(if chance.one_in(2) { Crash::Power } else { Crash::Process })
            .expect("memory for the disk");
        let (again, report) = self.started(machine);
        assert_eq!((report.cut, report.bytes_truncated), (None, 0), "{}: the second recovery cuts, too", self.name());
        let again_found = self.found(&again, &promises);
        // Which snapshot a start begins from decides whether it still knows a producer whose last batch was deleted.
        let said = |found: &Found| found.clone().without_producers(|id, end| promises.is_deleted(id, end, found.start));
        let is_same = said(&found) == said(&again_found);
        assert!(is_same, "{}: at first {found:?}, and then {again_found:?}", self.name());
        self.check_decided(&promises, &found, &again);
        if chance.one_in(4) {
            self.goes_on(machine, again, &mut promises, &found);
        } else {
            machine.disk.stop();
            again.end();
        }
    }

    fn check_decided(&self, promises: &Promises, found: &Found, running: &Running) {
        if let Err(wrong) = promises.check_decided(found, &Decided::of(running)) {
            panic!("{}: {wrong}", self.name());
        }
    }

    fn started(&self, machine: &Machine) -> (Running, logdyno_segment_log::RecoveryReport) {
        machine.start().unwrap_or_else(|error| panic!("{}: it does not recover: {error}", self.name()))
    }

    fn found(&self, running: &Running, promises: &Promises) -> Found {
        let found = Found::of(running, promises.epoch).unwrap_or_else(|wrong| panic!("{}: {wrong}", self.name()));
        found.without_producers(|id, end| promises.may_forget(id, end))
    }

    /// Appends to what was recovered, stops cleanly, and finds all of it without a recovery.
    fn goes_on(&self, machine: &Machine, running: Running, promises: &mut Promises, before: &Found) {
        promises.cut = Some(if before.batches.is_empty() { Cut::Over(before.end) } else { Cut::To(before.end) });
        promises.has_cut();
        let more = [
            Step::Append {
                records: vec![Wish { key: 1, len: 20 }; 3],
                producer: None,
                compression: Default::default(),
            },
            Step::Commit(logdyno_segment_log::Level::Durable),
        ];
        for step in more {
            running.apply(&step, promises).unwrap_or_else(|error| panic!("{}: then {step:?}: {error}", self.name()));
        }
        running.directory.close_clean().unwrap_or_else(|error| panic!("{}: no clean stop: {error}", self.name()));
        drop(running);
        let (running, report) = self.started(machine);
        // A segment in which compaction has left no record has no time index to be believed by.
        let walked = report.segments_walked > 0 && !promises.compacted;
        assert!(!walked, "{}: after a clean stop nothing is walked", self.name());
        let after = self.found(&running, promises);
        assert_eq!(after.batches.len(), before.batches.len() + 1, "{}", self.name());
        assert!(after.batches.starts_with(&before.batches), "{}: what was there has changed", self.name());
        machine.disk.stop();
        running.end();
    }
}

/// Says which crash it was, however a check or a thread of the run fails.
struct Told(String);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("broken promise: {}", self.0);
        }
    }
}

macro_rules! on {
    ($($backend:ident)+) => {
        $(mod $backend {
            use super::*;

            #[test]
            fn loses_nothing_when_the_process_dies() {
                run(stringify!($backend), Crash::Process);
            }

            #[test]
            fn loses_nothing_when_the_power_goes() {
                run(stringify!($backend), Crash::Power);
            }
        })+
    };
}

on! { buffered mmap uring }
