//! Records that answers hold until their readers take them: `logdyno.fetch.bytes.in.flight.max`.
//!
//! A reader that asks and does not listen keeps its answer in memory for as long as its connection lives. So that many of them do not
//! keep all memory, answers get smaller once as much is lent as may be. They never get empty: whoever listens goes on, in smaller steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An answer holds as much in any case, and a first batch of any size.
const ANSWER_BYTES_MIN: usize = 64 << 10;

/// How much all answers hold together.
#[derive(Debug)]
pub(crate) struct Lending {
    max: usize,
    lent: AtomicUsize,
}

/// What one answer holds; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Lent {
    lending: Arc<Lending>,
    bytes: usize,
}

impl Lending {
    pub(crate) fn new(max: usize) -> Lending {
        Lending { max, lent: AtomicUsize::new(0) }
    }

    /// Bytes that answers hold.
    pub(crate) fn bytes(&self) -> usize {
        self.lent.load(Ordering::Relaxed)
    }

    /// Nothing yet.
    pub(crate) fn begin(self: &Arc<Self>) -> Lent {
        Lent { lending: Arc::clone(self), bytes: 0 }
    }

    /// Takes as much of `wanted` as there is room for.
    fn take(&self, wanted: usize) -> usize {
        let room = |lent: usize| wanted.min(self.max.saturating_sub(lent));
        let before = self.lent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |lent| Some(lent + room(lent)));
        room(before.unwrap_or_else(|unchanged| unchanged))
    }
}

impl Lent {
    /// How many of `wanted` further bytes may be read; `read` says afterwards how many were.
    pub(crate) fn more(&mut self, wanted: usize) -> Share<'_> {
        let taken = self.lending.take(wanted);
        let least = wanted.min(ANSWER_BYTES_MIN.saturating_sub(self.bytes));
        Share { allowed: taken.max(least), taken, lent: self }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.lending.lent.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Room for a part of an answer, held while that part is read.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    lent: &'a mut Lent,
    taken: usize,
    allowed: usize,
}

impl Share<'_> {
    /// How many bytes may be read.
    pub(crate) fn allowed(&self) -> usize {
        self.allowed
    }

    /// The part has been read and holds this much: more than was allowed where its first batch is larger.
    pub(crate) fn read(self, bytes: usize) {
        self.lent.lending.lent.fetch_add(bytes, Ordering::Relaxed);
        self.lent.bytes += bytes;
    }
}

/// What was not read is room again.
impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.lent.lending.lent.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 1 << 20;

    /// What an answer gets of `wanted`, all of which is there.
    fn reads(lent: &mut Lent, wanted: usize) -> usize {
        let share = lent.more(wanted);
        let bytes = share.allowed();
        share.read(bytes);
        bytes
    }

    #[test]
    fn answers_get_smaller_when_much_is_lent_and_never_empty() {
        let lending = Arc::new(Lending::new(3 * LARGE));
        let (mut first, mut second, mut third) = (lending.begin(), lending.begin(), lending.begin());
        assert_eq!(reads(&mut first, 2 * LARGE), 2 * LARGE);
        assert_eq!(reads(&mut second, 2 * LARGE), LARGE, "what is left");
        assert_eq!(reads(&mut third, 2 * LARGE), ANSWER_BYTES_MIN);
        assert_eq!(reads(&mut third, 2 * LARGE), 0, "once for each answer");
        assert_eq!(lending.bytes(), 3 * LARGE + ANSWER_BYTES_MIN);
        drop(first);
        assert_eq!(reads(&mut third, 3 * LARGE), 2 * LARGE - ANSWER_BYTES_MIN, "what was lent counts, whatever it was");
        drop((second, third));
        assert_eq!(lending.bytes(), 0);
    }

    #[test]
    fn what_was_not_read_is_not_held() {
        let lending = Arc::new(Lending::new(LARGE));
        let mut answer = lending.begin();
        drop(answer.more(LARGE));
        assert_eq!(lending.bytes(), 0);
        answer.more(LARGE).read(10);
        assert_eq!(lending.bytes(), 10);
        answer.more(LARGE).read(2 * LARGE);
        assert_eq!(lending.bytes(), 2 * LARGE + 10, "a first batch of any size");
    }
}
