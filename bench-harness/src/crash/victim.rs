//! The process that is made to crash: the cell's load on its target, without end, until it is killed or its machine loses power.

use std::convert::Infallible;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use logdyno_engine::record::{Clock, NoProbe, SystemClock};
use logdyno_engine::storage::seam::Disk;
use logdyno_engine::storage::seam::real::RealDisk;
use logdyno_engine::storage::seam::simulated::{Crash, SimulatedDisk};

use super::told::Telling;
use crate::load::{Bounds, Generator, Limit, Window};
use crate::measure::{Inbox, Recorder};
use crate::overhead::Subject;
use crate::target::{Setup, Sink, Source};
use crate::trial::schedule;

/// How often what was reported is thrown away.
const FORGET_EVERY: Duration = Duration::from_millis(20);

/// One poll of the consumer.
const POLL: Duration = Duration::from_millis(50);

/// Runs the load in `dir` until standard input ends; then, on a simulated disk of `seed`, cuts the power and puts what is left into `dir`.
/// Acknowledgements go to standard output.
pub(crate) fn run(subject: &Subject<'_>, dir: &Path, seed: Option<u64>) -> anyhow::Result<Infallible> {
    let simulated = seed.map(SimulatedDisk::new);
    let disk: Arc<dyn Disk> = match &simulated {
        Some(disk) => Arc::new(disk.clone()),
        None => Arc::new(RealDisk),
    };
    let out = File::from(std::io::stdout().as_fd().try_clone_to_owned().context("standard output")?);
    let topics = Arc::new(subject.records.topics(&subject.plan));
    let recorder = Arc::new(Recorder::new(Arc::clone(&topics)));
    let running = subject.target.start(Setup {
        plan: Arc::clone(&subject.plan),
        topics,
        backend: subject.backend,
        dir: dir.to_owned(),
        finds_topic: false,
        disk,
        clock: Arc::new(SystemClock),
        probe: Arc::new(NoProbe),
        receipts: Arc::new(Telling::new(out, recorder.clone())),
    })?;
    let sinks = (0..subject.plan.run.producers).map(|index| running.sink(index)).collect::<Result<Vec<_>, _>>()?;
    run_until_death(subject, &recorder, (sinks, running.source()?), simulated.as_ref())
}

/// Waits for the end of standard input, and ends the process as the crash does.
fn die(simulated: Option<&SimulatedDisk>) -> ! {
    // An error is an end, too.
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
    let left = simulated.map_or(Ok(()), |disk| disk.leave(Crash::Power));
    match left {
        Ok(()) => std::process::exit(0),
        Err(error) => {
            eprintln!("logdyno: what the simulated disk has left cannot be written: {error}");
            std::process::exit(1);
        }
    }
}

/// The load's threads; this one waits for the end.
fn run_until_death(
    subject: &Subject<'_>,
    recorder: &Recorder,
    (mut sinks, mut source): (Vec<Box<dyn Sink>>, Box<dyn Source>),
    simulated: Option<&SimulatedDisk>,
) -> ! {
    let Subject { plan, records, .. } = subject;
    let (clock, schedule, window) = (SystemClock, schedule(plan, records), Window::default());
    let generator = Generator {
        schedule: &schedule,
        bounds: Bounds { begin: Limit::Number(0), end: Limit::Number(u64::MAX) },
        records,
        recorder,
        window: &window,
        clock: &clock,
        start: clock.now(),
        start_ms: clock.wall_ms(),
        producers: plan.run.producers,
        waiting: plan.run.waiting,
        cuts: &[],
        on_begin: &|_| {},
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut inbox = Inbox::default();
            loop {
                recorder.empty_into(&mut inbox);
                inbox = Inbox::default();
                std::thread::sleep(FORGET_EVERY);
            }
        });
        // Readers are a part of the cell; what they cannot read is the survivors' to tell.
        scope.spawn(move || while source.poll(POLL, &mut |_| {}).is_ok() {});
        for (index, sink) in (0..).zip(&mut sinks) {
            let generator = &generator;
            scope.spawn(move || generator.run(index, &mut **sink));
        }
        die(simulated)
    })
}
