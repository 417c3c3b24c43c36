//! The kick timer: writes out what was appended and what nobody asked to write.
//!
//! Only bytes that were there at the tick before are written. A log that streams fills and submits chunks
//! faster than that, so its tail is left alone: writing the last block of such a log each time would make the
//! next write of that block wait for it, and with it the whole queue behind.
//!
//! With very many logs the ticks are further apart: each gets a write of several batches where it would get one for each.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::segment::Segment;
use crate::contract::Level;

/// What a tick has for each dirty segment at least: 20,000 a second.
const SHARE: Duration = Duration::from_micros(50);

/// Dirty segments, and the next tick.
pub(super) struct Kicks {
    /// By id, with what was appended at the last tick.
    watched: HashMap<u64, (Arc<Segment>, u64)>,
    at: Option<Instant>,
    /// Half of the kick interval: bytes wait for one to two ticks.
    tick_min: Duration,
}

impl Kicks {
    /// A timer that writes bytes at most `interval` after they were appended, as long as that is enough for all that are dirty.
    pub(super) fn new(interval: Duration) -> Kicks {
        Kicks { watched: HashMap::new(), at: None, tick_min: interval / 2 }
    }

    /// The segment has become dirty.
    pub(super) fn watch(&mut self, segment: Arc<Segment>, now: Instant) {
        let appended = segment.marks.reached(Level::Visible);
        self.watched.entry(segment.id).or_insert((segment, appended));
        let next = now + self.tick();
        self.at.get_or_insert(next);
    }

    fn tick(&self) -> Duration {
        let dirty = u32::try_from(self.watched.len()).unwrap_or(u32::MAX);
        self.tick_min.max(SHARE.saturating_mul(dirty))
    }

    /// The segment is none of this timer's business any more.
    pub(super) fn forget(&mut self, id: u64) {
        self.watched.remove(&id);
    }

    /// When to look again; never, if nothing is dirty.
    pub(super) fn at(&self) -> Option<Instant> {
        self.at
    }

    /// What must be written now, if the next tick has come.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(Arc<Segment>, u64)> {
        if self.at.is_none_or(|at| now < at) {
            return Vec::new();
        }
        let mut due = Vec::new();
        for (id, (segment, appended)) in std::mem::take(&mut self.watched) {
            segment.ticks.fetch_add(1, Ordering::Relaxed);
            if segment.marks.reached(Level::Written) < appended {
                due.push((Arc::clone(&segment), appended));
            }
            if let Some(appended) = still_dirty(&segment, appended) {
                self.watched.insert(id, (segment, appended));
            }
        }
        self.at = (!self.watched.is_empty()).then(|| now + self.tick());
        due
    }
}

/// What the segment has by now, if that is more than at the last tick. If not, its writer will report the next append.
fn still_dirty(segment: &Segment, appended: u64) -> Option<u64> {
    let more = || Some(segment.marks.reached(Level::Visible)).filter(|now| *now > appended);
    more().or_else(|| {
        // The writer raises the mark and then looks at the flag. So either it finds the flag down and reports,
        // or the second look finds its bytes.
        segment.dirty.swap(false, Ordering::SeqCst);
        let late = more();
        if late.is_some() {
            segment.dirty.store(true, Ordering::SeqCst);
        }
        late
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocation::{Allocation, Zeroing};
    use crate::seam::simulated::SimulatedDisk;
    use crate::seam::{Disk, Open};
    use std::path::Path;

    /// Segments with `appended` bytes that nobody asked to write.
    fn dirty(count: usize, appended: u64) -> Vec<Arc<Segment>> {
        let disk = SimulatedDisk::new(0);
        disk.create_dir_all(Path::new("/d")).unwrap();
        let segment = |index| {
            let path = Path::new("/d").join(format!("{index}"));
            let file = disk.open(&path, Open { create: true, ..Open::default() }).unwrap();
            let segment = Segment::new(
                file,
                path,
                None,
                0,
                Allocation::new(0, 0, 1 << 20, Zeroing::Never, crate::runtime::recycling::Blocks::of_nobody()),
            );
            segment.dirty.store(true, Ordering::SeqCst);
            segment.marks.raise(Level::Visible, appended);
            segment
        };
        (0..count).map(segment).collect()
    }

    #[test]
    fn what_was_there_at_a_tick_is_written_at_the_next() {
        let (mut kicks, begun) = (Kicks::new(Duration::from_millis(4)), Instant::now());
        let segments = dirty(3, 100);
        segments.iter().for_each(|segment| kicks.watch(Arc::clone(segment), begun));
        segments[0].marks.raise(Level::Written, 100);
        assert!(kicks.due(begun + Duration::from_millis(1)).is_empty(), "no tick has come");
        let due = kicks.due(begun + Duration::from_millis(2));
        assert_eq!(due.iter().map(|(_, position)| *position).collect::<Vec<_>>(), [100, 100]);
        assert!(kicks.at().is_none(), "nothing was appended since");
        assert!(segments.iter().all(|segment| !segment.dirty.load(Ordering::SeqCst)), "so their writers will report");
    }

    /// A thousand logs take turns at the rate of a hundred.
    #[test]
    fn ticks_are_further_apart_with_more_segments() {
        let tick_of = |count: usize| {
            let (mut kicks, begun) = (Kicks::new(Duration::from_millis(5)), Instant::now());
            let segments = dirty(count, 100);
            segments.iter().for_each(|segment| kicks.watch(Arc::clone(segment), begun));
            segments.iter().for_each(|segment| segment.marks.raise(Level::Visible, 200));
            let tick = kicks.at().unwrap();
            assert_eq!(kicks.due(tick).len(), count);
            kicks.at().unwrap() - tick
        };
        assert_eq!(tick_of(10), Duration::from_micros(2500));
        assert_eq!(tick_of(1000), Duration::from_millis(50));
    }
}
