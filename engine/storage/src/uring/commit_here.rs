//! A commit on the thread that waits for it: plain system calls on the descriptor that the ring uses.
//!
//! Only while the ring has nothing of the segment, and only for few bytes: more are written faster by the ring, several at a time.
//! Two such commits overlap: the second writes while the first waits for the device's cache.

use std::io;
use std::sync::Arc;

use super::backend::Core;
use super::callback::undisturbed;
use super::flights::{Source, parts_behind};
use super::flow::next_write;
use super::flush::{FlushPlan, Write};
use super::queue::Command;
use super::segment::Segment;
use super::transfer::{Transfer, Verdict};
use crate::contract::Level;
use crate::pending_sync::BlockingSync;
use crate::whole_io::uninterrupted;

/// A commit of more bytes is the ring's.
const BYTES_MAX: u64 = 512 << 10;

/// A wish that the first bytes of a segment be durable.
pub(super) struct Commit {
    pub(super) core: Arc<Core>,
    pub(super) segment: Arc<Segment>,
    pub(super) position: u64,
}

impl BlockingSync for Commit {
    fn here(self: Box<Self>) {
        let segment = &self.segment;
        let small = self.position.saturating_sub(segment.marks.reached(Level::Written)) <= BYTES_MAX;
        if !small || !segment.driver.take_for_caller() {
            return self.elsewhere();
        }
        let is_written = self.written();
        self.pass_on(segment.driver.release_to_sync());
        if is_written {
            self.sync();
        }
        self.pass_on(segment.driver.synced());
    }

    fn elsewhere(self: Box<Self>) {
        self.core.shared.queue.push(Command::Sync(self.segment, self.position));
    }
}

impl Commit {
    fn pass_on(&self, commands: Vec<Command>) {
        commands.into_iter().for_each(|command| self.core.shared.queue.push(command));
    }

    /// Writes what is missing; false if there is nothing to sync: it has failed, or has been done.
    fn written(&self) -> bool {
        let (segment, shared) = (&self.segment, &self.core.shared);
        if segment.marks.is_poisoned() || segment.marks.reached(Level::Durable) >= self.position {
            return false;
        }
        if let Err(error) = self.write() {
            segment.fail("write", error);
            shared.pool.room_appeared();
            return false;
        }
        // Memory is free again, and appenders may have room.
        let clean = segment.resident().clean(segment.marks.reached(Level::Written));
        shared.admit(segment, clean);
        true
    }

    /// Raises the mark of durable, or poisons. Other writes of the file may be in flight: those below the position are not.
    fn sync(&self) {
        let (segment, shared) = (&self.segment, &self.core.shared);
        shared.counters.syncs.one();
        match uninterrupted(|| segment.file.sync_data()).and_then(|()| segment.sync_entry()) {
            // The failure of another thread's sync stands for this one, too.
            Ok(()) if segment.marks.is_poisoned() => {}
            Ok(()) => undisturbed(|| segment.marks.raise(Level::Durable, self.position)),
            Err(error) => {
                segment.fail("sync", error);
                shared.pool.room_appeared();
            }
        }
    }

    /// Writes what is missing below the position, as one, in however many chunks it lies: each call is a way to the device and back.
    /// Nothing is in flight, so everything submitted before is there.
    fn write(&self) -> io::Result<()> {
        let (segment, counters) = (&self.segment, &self.core.shared.counters);
        let mut plan = FlushPlan::new(segment.marks.reached(Level::Written));
        plan.want(self.position);
        let next = || next_write(segment, &mut plan, counters);
        let (writes, sources): (Vec<_>, Vec<_>) = std::iter::from_fn(next).unzip();
        self.write_blocks(&writes, &sources)?;
        writes.iter().for_each(|write| plan.finished(write));
        debug_assert!(
            plan.written() >= self.position,
            "chunks meet at whole blocks, so no write waits for the one before"
        );
        undisturbed(|| segment.marks.raise(Level::Written, plan.written()));
        Ok(())
    }

    /// As the ring would: what is written short goes on from a block's start, what is to be tried again is.
    fn write_blocks(&self, writes: &[Write], sources: &[Source]) -> io::Result<()> {
        let (segment, counters) = (&self.segment, &self.core.shared.counters);
        let (Some(first), len) = (writes.first(), writes.iter().map(Write::len).sum()) else { return Ok(()) };
        let mut transfer = Transfer::new(len, len);
        loop {
            let (done, _) = transfer.rest();
            counters.write_calls.one();
            let wrote = segment.file.write_at(&parts_behind(sources, done), first.start + done as u64);
            counters.bytes_written.add(*wrote.as_ref().unwrap_or(&0) as u64);
            match transfer.judge(wrote.map(|bytes| bytes as u32)) {
                Verdict::Done => return Ok(()),
                Verdict::Resubmit => {}
                Verdict::Failed(error) => return Err(error),
            }
        }
    }
}
