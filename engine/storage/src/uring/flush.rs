//! Which bytes of a segment are written next: a pure plan without memory or ring.
//!
//! The device takes whole blocks; a log grows by bytes. So the last block is usually written several times,
//! each time with more in it and zeros behind. Two writes of one block in flight could reach the device in
//! either order, so **at most one write in flight touches any block**: the next one waits and by then
//! covers whatever piled up meanwhile.

use std::collections::BTreeMap;
use std::ops::Range;

use super::memory::BLOCK;

/// The start of the block with this position.
pub(super) fn block_start(position: u64) -> u64 {
    position - position % BLOCK as u64
}

/// The end of the block before this position, or the position itself if it is a block's start.
pub(super) fn block_end(position: u64) -> u64 {
    position.next_multiple_of(BLOCK as u64)
}

/// One write to submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    /// Where the write starts: a block's start.
    pub(super) start: u64,
    /// The bytes that no write has covered before.
    pub(super) new: Range<u64>,
}

impl Write {
    /// Bytes in whole blocks of the log. Nobody changes them any more.
    pub(super) fn whole(&self) -> usize {
        (block_start(self.new.end) - self.start) as usize
    }

    /// Bytes in the last block, if the log ends within it. The writer goes on appending there.
    pub(super) fn partial(&self) -> usize {
        (self.new.end - block_start(self.new.end)) as usize
    }

    /// Bytes that reach the device: whole blocks.
    pub(super) fn len(&self) -> usize {
        (block_end(self.new.end) - self.start) as usize
    }
}

/// What of a segment is wanted on the device, under way, and there.
#[derive(Debug)]
pub(super) struct FlushPlan {
    /// Everything before it has been submitted.
    submitted: u64,
    /// Everything before it shall be written.
    target: u64,
    /// New bytes of writes under way: start to end.
    in_flight: BTreeMap<u64, u64>,
}

impl FlushPlan {
    /// Everything before `written` is on the device.
    pub(super) fn new(written: u64) -> FlushPlan {
        FlushPlan { submitted: written, target: written, in_flight: BTreeMap::new() }
    }

    /// Everything before `position` shall be written.
    pub(super) fn want(&mut self, position: u64) {
        self.target = self.target.max(position);
    }

    /// Nothing shall be written beyond what is under way. True if that leaves something out.
    pub(super) fn cancel(&mut self) -> bool {
        let left_out = self.target > self.submitted;
        self.target = self.submitted;
        left_out
    }

    /// The next write, if there is one that may go now. `chunk_end` says how far memory is contiguous from a
    /// block's start on; that is always a block's end.
    pub(super) fn next(&self, chunk_end: impl FnOnce(u64) -> u64) -> Option<Write> {
        if self.target <= self.submitted {
            return None;
        }
        let start = block_start(self.submitted);
        if self.touches(start) {
            return None;
        }
        Some(Write { start, new: self.submitted..self.target.min(chunk_end(start)) })
    }

    /// Whether a write under way has bytes in the block at `start`. Only the one submitted last can.
    fn touches(&self, start: u64) -> bool {
        self.in_flight.last_key_value().is_some_and(|(_, end)| *end > start)
    }

    /// The write has been submitted.
    pub(super) fn started(&mut self, write: &Write) {
        assert_eq!(write.new.start, self.submitted, "writes start in order");
        self.submitted = write.new.end;
        self.in_flight.insert(write.new.start, write.new.end);
    }

    /// The write is on the device. Writes finish in any order.
    pub(super) fn finished(&mut self, write: &Write) {
        let known = self.in_flight.remove(&write.new.start);
        assert_eq!(known, Some(write.new.end), "a write finishes once");
    }

    /// Everything before this is on the device: up to the oldest write under way.
    pub(super) fn written(&self) -> u64 {
        self.in_flight.first_key_value().map_or(self.submitted, |(start, _)| *start)
    }

    /// Writes under way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Nothing under way and nothing wanted.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.target <= self.submitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    /// Memory in chunks of 1 MiB.
    fn chunk_end(start: u64) -> u64 {
        (start / MIB + 1) * MIB
    }

    fn start_next(plan: &mut FlushPlan) -> Option<Write> {
        let write = plan.next(chunk_end)?;
        plan.started(&write);
        Some(write)
    }

    #[test]
    fn a_write_starts_and_ends_at_blocks() {
        let mut plan = FlushPlan::new(100);
        plan.want(9000);
        let write = start_next(&mut plan).unwrap();
        assert_eq!(write, Write { start: 0, new: 100..9000 });
        assert_eq!((write.whole(), write.partial(), write.len()), (8192, 808, 12_288));
    }

    #[test]
    fn a_write_ends_with_its_chunk() {
        let mut plan = FlushPlan::new(MIB - 10);
        plan.want(MIB + 10);
        let write = start_next(&mut plan).unwrap();
        assert_eq!(write, Write { start: MIB - 4096, new: MIB - 10..MIB });
        assert_eq!((write.whole(), write.partial(), write.len()), (4096, 0, 4096));
        assert_eq!(start_next(&mut plan), Some(Write { start: MIB, new: MIB..MIB + 10 }));
        assert_eq!((plan.in_flight(), plan.written()), (2, MIB - 10));
    }

    #[test]
    fn the_next_write_of_a_block_waits_and_takes_along_what_piled_up() {
        let mut plan = FlushPlan::new(0);
        plan.want(10);
        let first = start_next(&mut plan).unwrap();
        plan.want(20);
        assert_eq!(plan.next(chunk_end), None);
        plan.want(30);
        plan.finished(&first);
        assert_eq!(start_next(&mut plan), Some(Write { start: 0, new: 10..30 }));
    }

    #[test]
    fn written_waits_for_the_oldest_write() {
        let mut plan = FlushPlan::new(0);
        plan.want(3 * MIB);
        let writes: Vec<Write> = std::iter::from_fn(|| start_next(&mut plan)).collect();
        assert_eq!(writes.len(), 3);
        plan.finished(&writes[2]);
        plan.finished(&writes[1]);
        assert_eq!(plan.written(), 0);
        plan.finished(&writes[0]);
        assert_eq!(plan.written(), 3 * MIB);
        assert!(plan.is_idle());
    }

    #[test]
    fn cancelling_leaves_what_is_under_way() {
        let mut plan = FlushPlan::new(0);
        plan.want(10);
        let write = start_next(&mut plan).unwrap();
        assert!(!plan.cancel());
        plan.want(5000);
        assert!(plan.cancel());
        plan.finished(&write);
        assert!(plan.is_idle());
        assert_eq!(plan.written(), 10);
    }

    proptest! {
        /// Whatever is asked and in whichever order writes finish: no block is in two writes in flight,
        /// `written` never passes a byte that is not on the device, and in the end everything is.
        #[test]
        fn any_order_of_completions(
            start in 0_u64..3 * MIB,
            steps in prop::collection::vec((0_u64..700_000, 0_usize..8), 1..60),
        ) {
            let mut plan = FlushPlan::new(start);
            let mut flying: Vec<Write> = Vec::new();
            let mut on_device: Vec<Range<u64>> = Vec::new();
            let mut wanted = start;
            for (grow, pick) in steps.into_iter().chain(std::iter::repeat_n((0, 0), 200)) {
                wanted += grow;
                plan.want(wanted);
                while let Some(write) = start_next(&mut plan) {
                    prop_assert!(write.start % BLOCK as u64 == 0 && !write.new.is_empty());
                    for other in &flying {
                        prop_assert!(block_end(other.new.end) <= write.start, "{other:?} {write:?}");
                    }
                    flying.push(write);
                }
                if !flying.is_empty() {
                    let write = flying.swap_remove(pick % flying.len());
                    plan.finished(&write);
                    on_device.push(write.new);
                }
                on_device.sort_by_key(|range| range.start);
                let prefix = on_device.iter().fold(start, |end, range| if range.start == end { range.end } else { end });
                prop_assert_eq!(plan.written(), prefix);
            }
            prop_assert_eq!(plan.written(), wanted);
            prop_assert!(plan.is_idle());
        }
    }
}
