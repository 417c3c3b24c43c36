//! Read buffers that are used again: a fresh one costs a page fault per page, more than the copy into it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Smaller ones are the allocator's business.
const POOLED_BYTES_MIN: usize = 64 << 10;
/// Larger ones are too rare to be kept.
const POOLED_BYTES_MAX: usize = 2 << 20;
/// How many bytes of them may lie idle: what has been idle longest goes first, so that the memory kept follows what is read now.
const IDLE_BYTES_MAX: usize = 8 << 20;

/// Buffers that nobody uses.
#[derive(Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Idle>>);

/// In the order in which they came back.
#[derive(Default)]
struct Idle {
    buffers: VecDeque<Vec<u8>>,
    bytes: usize,
}

/// A buffer in use. It goes back when the last [`Bytes`] of it is dropped.
pub(super) struct Buffer {
    memory: Vec<u8>,
    len: usize,
    home: Buffers,
}

impl Buffers {
    /// A buffer of `len` bytes, whose content is whatever was read into it before.
    ///
    /// Pooled ones have a power of two, so that reads of many lengths use the same few: a buffer that grew with each longer read
    /// would grow for hours. Of a fresh one only what is read into is ever memory.
    pub(super) fn take(&self, len: usize) -> Buffer {
        let is_pooled = (POOLED_BYTES_MIN..=POOLED_BYTES_MAX).contains(&len);
        let size = if is_pooled { len.next_power_of_two() } else { len };
        let again = if is_pooled { self.idle().take(size) } else { None };
        // Fresh zeros come from the kernel: they need no pass over the memory.
        Buffer { memory: again.unwrap_or_else(|| vec![0; size]), len, home: self.clone() }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn take(&mut self, size: usize) -> Option<Vec<u8>> {
        // The one that came last is the likeliest to be in the processor's cache.
        let at = self.buffers.iter().rposition(|buffer| buffer.len() == size)?;
        self.bytes -= size;
        self.buffers.remove(at)
    }

    fn give_back(&mut self, buffer: Vec<u8>) {
        self.bytes += buffer.len();
        self.buffers.push_back(buffer);
        while self.bytes > IDLE_BYTES_MAX {
            let Some(oldest) = self.buffers.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }
}

impl Buffer {
    /// Its bytes, to be filled.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[..self.len]
    }

    /// Its first `len` bytes, which have been filled.
    pub(super) fn filled(mut self, len: usize) -> Bytes {
        self.len = self.len.min(len);
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if (POOLED_BYTES_MIN..=POOLED_BYTES_MAX).contains(&self.memory.len()) {
            self.home.idle().give_back(std::mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_nobody_holds_it() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take(100_000);
        let address = buffer.bytes_mut().as_ptr();
        buffer.bytes_mut().fill(7);
        let read = buffer.filled(90_000);
        assert_ne!(buffers.take(100_001).bytes_mut().as_ptr(), address, "it is still held");
        assert_eq!(read, [7; 90_000][..]);
        let (head, rest) = (read.slice(..10), read);
        drop(rest);
        assert_eq!(buffers.idle().buffers.len(), 1, "a slice holds it too");
        drop(head);
        assert_eq!(buffers.idle().buffers.len(), 2);
        assert_eq!(buffers.take(70_000).bytes_mut().as_ptr(), address);
    }

    #[test]
    fn what_lies_idle_is_bounded_and_what_is_used_stays() {
        let buffers = Buffers::default();
        let taken: Vec<Buffer> = (0..100).map(|_| buffers.take(200_000)).collect();
        drop(taken);
        assert_eq!(buffers.idle().bytes, IDLE_BYTES_MAX);
        drop(buffers.take(POOLED_BYTES_MAX + 1));
        drop(buffers.take(10));
        assert_eq!(buffers.idle().bytes, IDLE_BYTES_MAX);
        drop(buffers.take(POOLED_BYTES_MAX));
        assert_eq!(buffers.idle().bytes, IDLE_BYTES_MAX, "older ones have gone");
        assert_eq!(buffers.idle().buffers.back().map(Vec::len), Some(POOLED_BYTES_MAX));
    }

    #[test]
    fn reads_of_many_lengths_one_after_the_other_use_one_buffer_for_each_power_of_two() {
        let buffers = Buffers::default();
        for len in (POOLED_BYTES_MIN..=POOLED_BYTES_MAX).step_by(1000) {
            drop(buffers.take(len));
        }
        let idle: Vec<usize> = buffers.idle().buffers.iter().map(|buffer| buffer.len() >> 10).collect();
        assert_eq!(idle, [64, 128, 256, 512, 1024, 2048]);
    }
}
