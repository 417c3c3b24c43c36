//! The thread that owns the ring: takes requests, submits, waits, raises marks.
//!
//! One turn: take what was asked; submit what may go; wait in the kernel for a completion, a request or the kick
//! timer; deal with completions. Nothing is held while marks are raised, wakers called or reads answered: those
//! run other people's code.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::callback::undisturbed;
use super::flights::{Flight, Flights};
use super::flow::Flow;
use super::kicks::Kicks;
use super::queue::{Command, Retiring};
use super::reads::Reads;
use super::segment::Segment;
use super::shared::Shared;
use super::transfer::Verdict;
use crate::contract::Level;
use crate::error::StorageError;
use crate::seam::{Completion, Ring};

/// The state of the ring thread.
pub(super) struct RingThread {
    // The order matters: a ring that is dropped waits for the kernel, which until then uses the flights' memory.
    ring: Box<dyn Ring>,
    flights: Flights,
    shared: Arc<Shared>,
    flows: HashMap<u64, Flow>,
    /// Segments that may have something to submit.
    ready: VecDeque<u64>,
    reads: Reads,
    kicks: Kicks,
    stopping: bool,
}

impl RingThread {
    /// The state before the first turn.
    pub(super) fn new(ring: Box<dyn Ring>, shared: Arc<Shared>) -> RingThread {
        let kick_interval = shared.settings.kick_interval;
        RingThread {
            ring,
            flights: Flights::default(),
            shared,
            flows: HashMap::new(),
            ready: VecDeque::new(),
            reads: Reads::default(),
            kicks: Kicks::new(kick_interval),
            stopping: false,
        }
    }

    /// Works until asked to stop and everything is done.
    pub(super) fn run(mut self) {
        let mut completions = Vec::new();
        while !self.is_done() {
            self.take_commands();
            self.kick_if_due();
            self.submit();
            self.shared.pool.room.serve();
            if let Err(error) = self.wait() {
                tracing::error!(%error, "cannot wait for the ring: the backend stops");
                return;
            }
            self.ring.reap(&mut completions);
            for completion in completions.drain(..) {
                self.complete(completion);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.stopping && self.flights.is_empty() && self.flows.is_empty() && self.reads.is_idle()
    }

    fn take_commands(&mut self) {
        for command in self.shared.queue.take() {
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        let Some(command) = self.drive(command) else { return };
        match command {
            Command::Dirty(segment) => self.kicks.watch(segment, Instant::now()),
            Command::Flush(segment, position) => self.flow(segment, |flow| flow.want_written(position)),
            Command::Sync(segment, position) => self.flow(segment, |flow| flow.want_durable(position)),
            Command::Read(demand) => self.reads.demand(demand),
            Command::Prefetch(segment, range) => self.reads.prefetch(segment, range),
            Command::Retire(segment, done) => self.retire(segment, done),
            Command::Stop => self.stopping = true,
        }
    }

    /// The command back, if it may be obeyed now: a segment's writes are planned by one thread.
    fn drive(&self, command: Command) -> Option<Command> {
        let segment = match &command {
            Command::Flush(segment, _) | Command::Sync(segment, _) | Command::Retire(segment, _) => segment.clone(),
            Command::Dirty(_) | Command::Read(_) | Command::Prefetch(..) | Command::Stop => return Some(command),
        };
        segment.driver.take_for_ring(command)
    }

    /// Changes what a segment wants.
    fn flow(&mut self, segment: Arc<Segment>, change: impl FnOnce(&mut Flow)) {
        let id = segment.id;
        if segment.marks.is_poisoned() {
            return self.rest(&segment);
        }
        change(self.flows.entry(id).or_insert_with(|| Flow::new(segment)));
        self.ready.push_back(id);
    }

    fn retire(&mut self, segment: Arc<Segment>, done: Retiring) {
        self.kicks.forget(segment.id);
        if let Some(flow) = self.flows.get_mut(&segment.id) {
            flow.retire(done);
            self.ready.push_back(segment.id);
        } else {
            self.rest(&segment);
            // Dropping the sender is the answer.
            drop(done);
        }
    }

    /// The ring thread has nothing to do for the segment, unless it has: then it goes on driving it.
    fn rest(&self, segment: &Segment) {
        if !self.flows.contains_key(&segment.id) {
            segment.driver.release().into_iter().for_each(|command| self.shared.queue.push(command));
        }
    }

    /// Has written what has been waiting for a kick interval.
    fn kick_if_due(&mut self) {
        for (segment, position) in self.kicks.due(Instant::now()) {
            self.obey(Command::Flush(segment, position));
        }
    }

    /// Submits all that may go. Writes come before reads: acknowledgements wait for them.
    fn submit(&mut self) {
        if let Some((token, error)) = self.flights.resume_backlog(&mut *self.ring) {
            self.complete(Completion { token, result: Err(error) });
        }
        while !self.flights.is_full()
            && let Some(id) = self.ready.pop_front()
        {
            self.submit_flow(id);
        }
        while !self.flights.is_full()
            && let Some(flight) = self.reads.next(&self.shared)
        {
            self.start(flight);
        }
    }

    fn submit_flow(&mut self, id: u64) {
        let writes_max = self.shared.settings.ring_depth.max(1);
        while let Some(flow) = self.flows.get_mut(&id) {
            if self.flights.is_full() {
                return self.ready.push_front(id);
            }
            match flow.next(writes_max, &self.shared.counters) {
                Some(flight) => self.start(flight),
                None => break,
            }
        }
        if let Some(flow) = self.flows.remove(&id) {
            if flow.is_idle() {
                self.rest(&flow.segment);
            } else {
                self.flows.insert(id, flow);
            }
        }
    }

    fn start(&mut self, flight: Flight) {
        if let Some((token, error)) = self.flights.start(&mut *self.ring, flight) {
            self.complete(Completion { token, result: Err(error) });
        }
    }

    /// Enters the kernel, also if there is nothing to wait for: that submits.
    fn wait(&mut self) -> io::Result<()> {
        let timer = self.kicks.at().map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = match self.shared.queue.fall_asleep(timer.is_some()) {
            true if self.is_done() || !self.ready.is_empty() && !self.flights.is_full() => Some(Duration::ZERO),
            true => timer,
            false => Some(Duration::ZERO),
        };
        let waited = self.ring.wait(timeout);
        self.shared.queue.wake_up();
        waited
    }

    fn complete(&mut self, completion: Completion) {
        let Completion { token, result } = completion;
        let mut flight = self.flights.take(token);
        if let Ok(moved) = &result {
            self.count(&flight, u64::from(*moved));
        }
        match flight.transfer().judge(result) {
            Verdict::Resubmit => {
                if let Some((token, error)) = self.flights.resume(&mut *self.ring, token, flight) {
                    self.complete(Completion { token, result: Err(error) });
                }
            }
            Verdict::Done => {
                self.flights.end(token);
                self.done(flight);
            }
            Verdict::Failed(error) => {
                self.flights.end(token);
                self.failed(flight, error);
            }
        }
    }

    fn count(&self, flight: &Flight, moved: u64) {
        match flight {
            Flight::Write { .. } => self.shared.counters.ring_bytes_written.add(moved),
            Flight::Read { .. } => self.shared.counters.bytes_read.add(moved),
            Flight::Sync { .. } => {}
        }
    }

    fn done(&mut self, flight: Flight) {
        match flight {
            Flight::Write { segment, write, source, .. } => {
                // The kernel is done with the memory.
                drop(source);
                if let Some(flow) = self.flows.get_mut(&segment.id) {
                    flow.written(&write);
                }
                let clean = segment.resident().clean(segment.marks.reached(Level::Written));
                self.shared.admit(&segment, clean);
                self.ready.push_back(segment.id);
            }
            Flight::Sync { segment, covering, transfer } => {
                // Once in a file's life this thread waits for the device's cache: the file's own sync has just written what the
                // file system's journal had of its name.
                if let Err(error) = segment.sync_entry() {
                    return self.failed(Flight::Sync { segment, covering, transfer }, error);
                }
                if let Some(flow) = self.flows.get_mut(&segment.id) {
                    flow.synced(covering);
                }
                self.ready.push_back(segment.id);
            }
            Flight::Read { segment, base, chunk, .. } => self.reads.finished(&self.shared, &segment, base, &chunk),
        }
    }

    fn failed(&mut self, flight: Flight, error: io::Error) {
        let (segment, operation, write) = match &flight {
            Flight::Write { segment, write, .. } => (segment, "write", Some(write)),
            Flight::Sync { segment, .. } => (segment, "sync", None),
            Flight::Read { segment, base, chunk, .. } => {
                return self.reads.failed(segment, *base, chunk.len(), &error);
            }
        };
        if let Some(flow) = self.flows.get_mut(&segment.id) {
            flow.failed(operation, write, error);
        }
        self.ready.push_back(segment.id);
        // Appenders that wait for room shall learn that there is none to wait for.
        self.shared.pool.room_appeared();
    }
}

impl Drop for RingThread {
    /// The end, also after an error or a panic: whoever waits for this thread is told, now and later. The ring,
    /// which is dropped next, waits for the kernel.
    fn drop(&mut self) {
        for flow in self.flows.values() {
            undisturbed(|| flow.segment.marks.set_poison(StorageError::Stopped));
        }
        self.reads.stop();
        self.shared.queue.close();
        self.shared.pool.room.close();
    }
}
