//! Blocks ahead of the tail, in steps that grow with the log.
//!
//! A write into blocks that exist and below the end of the file needs no allocation and, for direct I/O, no
//! exclusive inode lock. Idle logs take little: the first step is taken on the first write, short ones grow fourfold,
//! longer ones are twice the one before.
//!
//! A log that syncs often gets **written** blocks: the first write of an allocated one changes the file's metadata, so
//! that its sync waits for the file system's journal, too. Zeros that are written ahead take that off the path
//! of the acknowledgement (`fdatasync` in 130 instead of 200 µs was measured on ext4 over virtio).

use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::counters::Counters;
use crate::error::is_disk_full;
use crate::runtime::recycling::Blocks;
use crate::seam::DiskFile;
use crate::whole_io::uninterrupted;

/// The first step: a thousand logs that were written to once take 64 MB.
const STEP_MIN: u64 = 64 << 10;
/// Steps that are shorter than this grow fourfold: so a busy log is soon beyond them.
const STEP_SHORT: u64 = 1 << 20;
/// A log with fewer bytes between two syncs is one that syncs often. Zeros double what the device writes, and pay all the same: commits of
/// 256 KiB took 218 instead of 300 µs, and 12 % more of them a second (ext4 on virtio). Beyond that it was not measured.
const SYNCED_OFTEN_BYTES: u64 = 384 << 10;
/// The longest step that is written ahead: what it takes of the device delays the syncs of the moment.
const ZEROED_STEP_MAX: u64 = 4 << 20;

/// Whether blocks ahead are written as well as allocated, for a log that syncs often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zeroing {
    /// Never: a page of a map must not be read from the device before it is stored to.
    Never,
    /// Past the page cache.
    Direct,
    /// Through the page cache, and on to the device.
    Cached,
}

impl Zeroing {
    /// How many zeros are written at once. A few long writes delay the syncs of the moment less than many short ones: past the page cache 32
    /// producers had 25,000 commits of 16 KiB a second beside pieces of 1 MiB, 23,000 beside 256 KiB and 13,000 beside 64 KiB, and 3 % more
    /// beside 4 MiB than beside 1 MiB (ext4 on virtio). Through it, appends may have to wait until a piece is copied.
    fn piece(self) -> u64 {
        match self {
            Zeroing::Never => 0,
            Zeroing::Direct => ZEROED_STEP_MAX,
            Zeroing::Cached => ZEROS.0.len() as u64,
        }
    }
}

/// So many zeros.
fn zeros(len: usize) -> Vec<IoSlice<'static>> {
    let whole = std::iter::repeat_n(&ZEROS.0[..], len / ZEROS.0.len());
    whole
        .chain(std::iter::once(&ZEROS.0[..len % ZEROS.0.len()]))
        .filter(|part| !part.is_empty())
        .map(IoSlice::new)
        .collect()
}

/// What is written ahead, in memory that direct I/O can take.
#[repr(C, align(4096))]
struct Zeros([u8; 1 << 20]);

static ZEROS: Zeros = Zeros([0; 1 << 20]);

/// How far one file has blocks.
pub(crate) struct Allocation {
    end: AtomicU64,
    /// A writer that gets here asks for the next step: half a step before the end.
    due: AtomicU64,
    capacity: u64,
    step_max: u64,
    /// True while somebody has been asked for the next step.
    requested: AtomicBool,
    /// Where the writer was then.
    requested_at: AtomicU64,
    zeroing: Zeroing,
    /// Syncs that were begun since the last step.
    syncs: AtomicU64,
    /// How far a writer has gone that did not wait for blocks. Held while zeros are written, so that none follow it.
    writer_at: Mutex<u64>,
    state: Mutex<State>,
}

struct State {
    step: u64,
    /// Where the writer was at the last step.
    position: u64,
    stopped: bool,
    /// What the file began with: allocating them again changes nothing.
    blocks: Blocks,
}

impl Allocation {
    /// A file that has blocks up to `end` and may grow to `capacity`.
    pub(crate) fn new(end: u64, capacity: u64, step_max: u64, zeroing: Zeroing, blocks: Blocks) -> Allocation {
        let state = Mutex::new(State { step: STEP_MIN.min(step_max), position: end, stopped: false, blocks });
        Allocation {
            end: end.into(),
            due: end.into(),
            capacity: capacity.max(end),
            step_max,
            requested: false.into(),
            requested_at: end.into(),
            zeroing,
            syncs: 0.into(),
            writer_at: Mutex::default(),
            state,
        }
    }

    /// Notes that a sync begins.
    pub(crate) fn syncs(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    /// True, once per step, when a writer at `position` should ask for the next one.
    pub(crate) fn is_due(&self, position: u64) -> bool {
        let is_due = position >= self.due.load(Ordering::Acquire) && !self.requested.swap(true, Ordering::AcqRel);
        if is_due {
            self.requested_at.store(position, Ordering::Relaxed);
        }
        is_due
    }

    /// Takes the next step (as an answer to [`Allocation::is_due`]). Does nothing after [`Allocation::stop`].
    pub(crate) fn extend(&self, file: &dyn DiskFile, counters: &Counters) -> io::Result<()> {
        let mut state = self.state();
        let zeroed = self.is_synced_often(&mut state);
        let done = self.step(&mut state, zeroed, file, counters);
        self.requested.store(false, Ordering::Release);
        done
    }

    /// True if a writer that must not wait should come back later: there are no blocks up to `position` yet, and
    /// the next step is being taken.
    pub(crate) fn is_behind(&self, position: u64) -> bool {
        // In this order: a step that ends in between has moved the end before it was done.
        let under_way = self.requested.load(Ordering::Acquire);
        under_way && self.end.load(Ordering::Acquire) < position
    }

    /// Takes steps on this thread until there are blocks up to `position`: for stores that must not come first. Writes no zeros, which
    /// would wait for the device.
    pub(crate) fn cover(&self, position: u64, file: &dyn DiskFile, counters: &Counters) -> io::Result<()> {
        while self.end.load(Ordering::Acquire) < position {
            let mut state = self.state();
            if self.end.load(Ordering::Acquire) < position {
                self.step(&mut state, false, file, counters)?;
            }
        }
        Ok(())
    }

    /// For a writer that goes on where there may be no blocks yet: no zeros are written before `position` from now on.
    /// Waits for no device, only while a piece of zeros is copied to the page cache.
    pub(crate) fn keep_zeros_behind(&self, position: u64) {
        if self.end.load(Ordering::Acquire) < position {
            let mut writer_at = self.writer_at();
            *writer_at = position.max(*writer_at);
        }
    }

    /// No step is taken any more, and none is under way, when this returns: the file's length is the caller's.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        state.blocks.need(u64::MAX);
    }

    /// Cuts the file to `len` and forgets the blocks behind it.
    pub(crate) fn cut(&self, len: u64, file: &dyn DiskFile) -> io::Result<()> {
        let mut state = self.state();
        uninterrupted(|| file.set_len(len))?;
        state.step = STEP_MIN.min(self.step_max);
        self.end.store(len, Ordering::Release);
        self.due.store(len, Ordering::Release);
        Ok(())
    }

    /// Allocates the next step, or what smaller one a nearly full disk has space for, and writes it if it is to be `zeroed`.
    fn step(&self, state: &mut State, zeroed: bool, file: &dyn DiskFile, counters: &Counters) -> io::Result<()> {
        let start = self.end.load(Ordering::Acquire);
        if state.stopped || start >= self.capacity {
            return Ok(());
        }
        if zeroed {
            state.step = state.step.min(ZEROED_STEP_MAX);
        }
        let end = loop {
            let end = self.capacity.min(start + state.step);
            counters.allocations.one();
            match uninterrupted(|| file.allocate(start..end)) {
                Ok(()) => break end,
                Err(error) if is_disk_full(&error) && state.blocks.give_back() => {}
                Err(error) if is_disk_full(&error) && state.step > STEP_MIN => state.step /= 2,
                Err(error) => return Err(error),
            }
        };
        if zeroed && let Err(error) = self.write_zeros(start..end, file, counters) {
            // The blocks are there all the same: the next syncs take longer, or say themselves what is wrong.
            tracing::debug!("could not write zeros ahead: {error}");
        }
        let due = if end == self.capacity { u64::MAX } else { end - state.step / 2 };
        let growth = if state.step < STEP_SHORT { 4 } else { 2 };
        state.step = self.step_max.min(state.step * growth);
        state.blocks.need(end);
        self.end.store(end, Ordering::Release);
        self.due.store(due, Ordering::Release);
        Ok(())
    }

    /// Whether the writer had fewer bytes between two syncs, since the last step, than make up for a journal commit.
    fn is_synced_often(&self, state: &mut State) -> bool {
        let position = self.requested_at.load(Ordering::Relaxed);
        let bytes = position - std::mem::replace(&mut state.position, position).min(position);
        let syncs = self.syncs.swap(0, Ordering::Relaxed);
        self.zeroing != Zeroing::Never && syncs > 0 && bytes / syncs < SYNCED_OFTEN_BYTES
    }

    fn write_zeros(&self, range: Range<u64>, file: &dyn DiskFile, counters: &Counters) -> io::Result<()> {
        let mut position = range.start;
        while position < range.end {
            let writer_at = self.writer_at();
            position = position.max(*writer_at);
            let len = range.end.saturating_sub(position).min(self.zeroing.piece());
            let written = uninterrupted(|| file.write_at(&zeros(len as usize), position))?;
            if written == 0 {
                break;
            }
            counters.bytes_zeroed.add(written as u64);
            position += written as u64;
        }
        if self.zeroing == Zeroing::Cached {
            // Not waited for: that would take over, and lose, an error that the writer's next sync has to meet.
            uninterrupted(|| file.write_back(range.clone(), false))?;
        }
        Ok(())
    }

    fn writer_at(&self) -> MutexGuard<'_, u64> {
        self.writer_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::seam::simulated::SimulatedDisk;
    use crate::seam::{Disk, Open};

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;

    fn file(disk: &SimulatedDisk) -> Arc<dyn DiskFile> {
        disk.create_dir_all(Path::new("/disk")).unwrap();
        disk.open(Path::new("/disk/a"), Open { create: true, ..Open::default() }).unwrap()
    }

    #[test]
    fn steps_begin_with_the_first_write_and_grow() {
        let (file, counters) = (file(&SimulatedDisk::new(1)), Counters::default());
        let allocation = Allocation::new(0, 20 * MIB, 4 * MIB, Zeroing::Direct, Blocks::of_nobody());
        let mut ends = Vec::new();
        for position in (0..20 * MIB).step_by(4096) {
            if allocation.is_due(position) {
                assert!(!allocation.is_due(position), "a step is asked for once");
                allocation.extend(&*file, &counters).unwrap();
                ends.push((position / KIB, file.len().unwrap() / KIB));
            }
        }
        let [first, second, rest @ ..] = &ends[..] else { panic!("{ends:?}") };
        assert_eq!([first, second], [&(0, 64), &(32, 320)]);
        assert_eq!(rest[..4], [(192, 1344), (832, 3392), (2368, 7488), (5440, 11_584)]);
        assert_eq!(rest[4..], [(9536, 15_680), (13_632, 19_776), (17_728, 20 * 1024)]);
        assert_eq!(counters.allocations.get(), 9);
    }

    #[test]
    fn a_nearly_full_disk_gives_what_it_has() {
        let disk = SimulatedDisk::new(1);
        let (file, counters) = (file(&disk), Counters::default());
        let allocation = Allocation::new(0, 64 * MIB, 64 * MIB, Zeroing::Direct, Blocks::of_nobody());
        disk.set_capacity(12 * MIB + 4096);
        assert!(allocation.cover(64 * MIB, &*file, &counters).is_err());
        assert_eq!(file.len().unwrap(), 12 * MIB);
        disk.set_capacity(64 * MIB);
        allocation.cover(64 * MIB, &*file, &counters).unwrap();
        assert_eq!(file.len().unwrap(), 64 * MIB);
    }

    #[test]
    fn a_full_disk_is_asked_again_and_a_stopped_one_is_not() {
        let disk = SimulatedDisk::new(1);
        let (file, counters) = (file(&disk), Counters::default());
        let allocation = Allocation::new(0, 8 * MIB, 8 * MIB, Zeroing::Direct, Blocks::of_nobody());
        disk.set_capacity(0);
        assert!(allocation.is_due(0) && allocation.extend(&*file, &counters).is_err());
        disk.set_capacity(8 * MIB);
        assert!(allocation.is_due(0), "a step that failed is due again");
        allocation.cover(2 * MIB, &*file, &counters).unwrap();
        assert_eq!(file.len().unwrap(), 3392 * KIB);
        allocation.stop();
        allocation.extend(&*file, &counters).unwrap();
        assert_eq!(file.len().unwrap(), 3392 * KIB, "after stop the length is the caller's");
    }

    /// Each half step is written with a sync each so many bytes: from the second step on, blocks are written ahead, in short steps.
    #[test]
    fn a_log_that_syncs_often_gets_written_blocks() {
        for (zeroing, bytes_between, zeroed) in [
            (Zeroing::Direct, 16 << 10, true),
            (Zeroing::Cached, 16 << 10, true),
            (Zeroing::Never, 16 << 10, false),
            (Zeroing::Direct, 256 << 10, true),
            (Zeroing::Direct, 512 << 10, false),
        ] {
            let (file, counters) = (file(&SimulatedDisk::new(1)), Counters::default());
            let allocation = Allocation::new(0, 32 * MIB, 64 * MIB, zeroing, Blocks::of_nobody());
            let mut longest = 0;
            for position in (0..32 * MIB).step_by(bytes_between) {
                if allocation.is_due(position) {
                    let before = allocation.end.load(Ordering::Relaxed);
                    allocation.extend(&*file, &counters).unwrap();
                    longest = longest.max(allocation.end.load(Ordering::Relaxed) - before);
                }
                allocation.syncs();
            }
            let all_but_the_first_step = if zeroed { 32 * MIB - 64 * KIB } else { 0 };
            assert_eq!(counters.bytes_zeroed.get(), all_but_the_first_step, "{zeroing:?}, {bytes_between}");
            assert_eq!(longest == 4 * MIB, zeroed, "{zeroing:?}, {bytes_between}: {longest}");
        }
    }

    #[test]
    fn zeros_ahead_leave_lost_pages_to_the_sync() {
        let disk = SimulatedDisk::new(1);
        let (file, counters) = (file(&disk), Counters::default());
        let allocation = Allocation::new(0, 32 * MIB, 64 * MIB, Zeroing::Cached, Blocks::of_nobody());
        for position in [0, 64 * KIB] {
            allocation.syncs();
            assert!(allocation.is_due(position));
            disk.lose_pages(Path::new("/disk/a"), libc::EIO);
            allocation.extend(&*file, &counters).unwrap();
        }
        assert!(counters.bytes_zeroed.get() > 0);
        assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(libc::EIO));
        file.sync_data().unwrap();
    }

    /// The step was asked for before the writer went on, and is taken after.
    #[test]
    fn zeros_are_never_written_over_what_was_written() {
        let (file, counters) = (file(&SimulatedDisk::new(1)), Counters::default());
        let allocation = Allocation::new(0, 32 * MIB, 64 * MIB, Zeroing::Cached, Blocks::of_nobody());
        allocation.extend(&*file, &counters).unwrap();
        (0..20).for_each(|_| allocation.syncs());
        allocation.keep_zeros_behind(64 * KIB + 5000);
        file.write_at(&[IoSlice::new(&[7; 5000])], 64 * KIB).unwrap();
        allocation.extend(&*file, &counters).unwrap();
        assert!(counters.bytes_zeroed.get() > 0);
        let mut kept = [0; 5000];
        file.read_at(&mut kept, 64 * KIB).unwrap();
        assert_eq!(kept, [7; 5000]);
    }
}
