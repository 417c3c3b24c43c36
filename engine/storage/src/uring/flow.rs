//! A segment as the ring thread drives it: what is to be written and synced, and what is under way.

use std::sync::Arc;

use super::callback::undisturbed;
use super::commits::Commits;
use super::flights::{Flight, PaddedBlock, Source};
use super::flush::{FlushPlan, Write};
use super::memory::Chunk;
use super::queue::Retiring;
use super::segment::Segment;
use super::transfer::Transfer;
use crate::contract::Level;
use crate::counters::Counters;
use crate::error::StorageError;

/// Exists while something is wanted or under way; between times, the marks know all there is to know.
pub(super) struct Flow {
    pub(super) segment: Arc<Segment>,
    plan: FlushPlan,
    commits: Commits,
    /// Who waits until nothing is under way; dropping them with the flow is the answer.
    retiring: Vec<Retiring>,
}

impl Flow {
    /// A segment with nothing under way.
    pub(super) fn new(segment: Arc<Segment>) -> Flow {
        let plan = FlushPlan::new(segment.marks.reached(Level::Written));
        Flow { segment, plan, commits: Commits::default(), retiring: Vec::new() }
    }

    /// Everything before `position` shall be written.
    pub(super) fn want_written(&mut self, position: u64) {
        self.plan.want(position);
    }

    /// Everything before `position` shall be durable.
    pub(super) fn want_durable(&mut self, position: u64) {
        self.plan.want(position);
        self.commits.want(position);
    }

    /// The next operation to start, if there is one.
    pub(super) fn next(&mut self, writes_max: usize, counters: &Counters) -> Option<Flight> {
        if self.segment.marks.is_poisoned() {
            self.plan.cancel();
            self.commits.cancel();
            return None;
        }
        if let Some(covering) = self.commits.next(self.plan.written()) {
            counters.syncs.one();
            let transfer = Transfer::new(0, 0);
            return Some(Flight::Sync { segment: self.segment.clone(), covering, transfer });
        }
        if self.plan.in_flight() >= writes_max {
            return None;
        }
        let (write, source) = next_write(&self.segment, &mut self.plan, counters)?;
        counters.ring_writes.one();
        let transfer = Transfer::new(write.len(), write.len());
        Some(Flight::Write { segment: self.segment.clone(), write, source, transfer })
    }

    /// A write is on the device.
    pub(super) fn written(&mut self, write: &Write) {
        self.plan.finished(write);
        if !self.segment.marks.is_poisoned() {
            undisturbed(|| self.segment.marks.raise(Level::Written, self.plan.written()));
        }
    }

    /// A sync is over.
    pub(super) fn synced(&mut self, covering: u64) {
        self.commits.finished();
        if !self.segment.marks.is_poisoned() {
            undisturbed(|| self.segment.marks.raise(Level::Durable, covering));
        }
    }

    /// A write or sync has failed: the segment is out of service. What is under way goes on to its end.
    pub(super) fn failed(&mut self, operation: &'static str, write: Option<&Write>, error: std::io::Error) {
        match write {
            Some(write) => self.plan.finished(write),
            None => self.commits.finished(),
        }
        self.segment.fail(operation, error);
        self.plan.cancel();
        self.commits.cancel();
    }

    /// Nothing more shall be submitted; `done` is dropped when nothing is under way.
    pub(super) fn retire(&mut self, done: Retiring) {
        if self.plan.cancel() {
            // Whoever waits for these bytes waits in vain.
            self.commits.cancel();
            undisturbed(|| self.segment.marks.set_poison(StorageError::Stopped));
        }
        self.retiring.push(done);
    }

    /// Nothing under way and nothing wanted.
    pub(super) fn is_idle(&self) -> bool {
        self.plan.is_idle() && self.commits.is_idle()
    }
}

/// Starts the next write of the plan, if one may go now: what it is, and where its bytes are.
pub(super) fn next_write(segment: &Segment, plan: &mut FlushPlan, counters: &Counters) -> Option<(Write, Source)> {
    let mut home = None;
    let write = plan.next(|start| {
        let (base, chunk) = segment.resident().find(start).expect("what is not written is in memory");
        let end = base + chunk.len() as u64;
        home = Some((base, chunk));
        end
    })?;
    let (base, chunk) = home.expect("a write has bytes");
    plan.started(&write);
    let source = source_of(&write, (write.start - base) as usize, chunk, counters);
    Some((write, source))
}

/// Where the kernel shall take a write's bytes from, if it starts at `at` in the chunk.
fn source_of(write: &Write, at: usize, chunk: Arc<Chunk>, counters: &Counters) -> Source {
    let (whole, partial) = (write.whole(), write.partial());
    let last = (partial > 0).then(|| {
        counters.bytes_copied_in.add(partial as u64);
        // SAFETY: the range ends at a position that was appended, and the target of a flush only reaches this
        // thread through the queue's lock or an acquiring load of the mark.
        PaddedBlock::new(unsafe { chunk.slice(at + whole..at + whole + partial) })
    });
    Source { chunk, at, whole, last }
}
