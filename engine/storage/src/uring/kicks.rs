//! The kick timer: writes out what was appended and what nobody asked to write.
//!
//! Only bytes that were there at the tick before are written. A log that streams fills and submits chunks
//! faster than that, so its tail is left alone: writing the last block of such a log each time would make the
//! next write of that block wait for it, and with it the whole queue behind.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::segment::Segment;
use crate::contract::Level;

/// Dirty segments, and the next tick.
pub(super) struct Kicks {
    /// By id, with what was appended at the last tick.
    watched: HashMap<u64, (Arc<Segment>, u64)>,
    at: Option<Instant>,
    /// Half of the kick interval: bytes wait for one to two ticks.
    tick: Duration,
}

impl Kicks {
    /// A timer that writes bytes at most `interval` after they were appended.
    pub(super) fn new(interval: Duration) -> Kicks {
        Kicks { watched: HashMap::new(), at: None, tick: interval / 2 }
    }

    /// The segment has become dirty.
    pub(super) fn watch(&mut self, segment: Arc<Segment>, now: Instant) {
        let appended = segment.marks.reached(Level::Visible);
        self.watched.entry(segment.id).or_insert((segment, appended));
        self.at.get_or_insert(now + self.tick);
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
        self.at = (!self.watched.is_empty()).then(|| now + self.tick);
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
