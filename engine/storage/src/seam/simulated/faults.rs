//! What goes wrong, and when: counted by kind of operation, so that a first run can count what a second one
//! then stops at.

use std::io;

/// A kind of operation on the simulated disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// Writing to a file, by call or ring.
    Write,
    /// Reading from a file, by call or ring, also to populate a map.
    Read,
    /// `fdatasync`, by call or ring.
    Sync,
    /// `sync_file_range`.
    WriteBack,
    /// `fallocate`.
    Allocate,
    /// `ftruncate`.
    Truncate,
    /// Making ready pages of a map for stores.
    Populate,
    /// Creating, renaming or removing a name.
    Names,
    /// Making a directory's names durable.
    SyncNames,
}

impl Point {
    /// All of them: where a crash test stops, one after the other.
    pub const ALL: [Point; 9] = [
        Point::Write,
        Point::Read,
        Point::Sync,
        Point::WriteBack,
        Point::Allocate,
        Point::Truncate,
        Point::Populate,
        Point::Names,
        Point::SyncNames,
    ];
}

/// What happens to one operation.
pub(super) enum Verdict {
    /// It works.
    Go,
    /// It works, but moves fewer bytes than asked.
    Short,
    /// The machine stops while it runs.
    Stop,
    /// It fails.
    Fail(io::Error),
    /// It is to be tried again: EINTR or EAGAIN. Nothing happened.
    Disturbed(io::Error),
}

/// The plan, and how far it is.
#[derive(Default)]
pub(super) struct Faults {
    counts: [u64; Point::ALL.len()],
    stop: Option<(Point, u64)>,
    failures: Vec<(Point, u64, i32)>,
    short_every: u64,
    disturb_every: u64,
    met: u64,
}

impl Faults {
    /// Counts an operation and says what happens to it.
    pub(super) fn meet(&mut self, point: Point) -> Verdict {
        self.met += 1;
        if is_nth(self.met, self.disturb_every) && !matches!(point, Point::Names | Point::SyncNames) {
            let errno = if (self.met / self.disturb_every).is_multiple_of(2) { libc::EINTR } else { libc::EAGAIN };
            return Verdict::Disturbed(io::Error::from_raw_os_error(errno));
        }
        self.counts[point as usize] += 1;
        let count = self.counts[point as usize];
        if self.stop == Some((point, count)) {
            return Verdict::Stop;
        }
        let failure = self.failures.iter().position(|(at, nth, _)| (*at, *nth) == (point, count));
        if let Some(failure) = failure {
            return Verdict::Fail(io::Error::from_raw_os_error(self.failures.remove(failure).2));
        }
        let moves_bytes = matches!(point, Point::Write | Point::Read);
        if moves_bytes && is_nth(count, self.short_every) { Verdict::Short } else { Verdict::Go }
    }

    /// Operations of this kind so far, those that were disturbed not counted.
    pub(super) fn count(&self, point: Point) -> u64 {
        self.counts[point as usize]
    }

    pub(super) fn stop_at(&mut self, point: Point, nth: u64) {
        self.stop = Some((point, nth));
    }

    /// Fails the `nth` operation of this kind from now on, 1 being the next.
    pub(super) fn fail_next(&mut self, point: Point, nth: u64, errno: i32) {
        let at = self.count(point) + nth;
        self.failures.push((point, at, errno));
    }

    pub(super) fn short_every(&mut self, n: u64) {
        self.short_every = n;
    }

    pub(super) fn disturb_every(&mut self, n: u64) {
        self.disturb_every = n;
    }
}

fn is_nth(count: u64, every: u64) -> bool {
    every != 0 && count.is_multiple_of(every)
}
