//! Read buffers that are used again: a fresh one costs a page fault per page, more than the copy into it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Smaller ones are the allocator's business.
const POOLED_BYTES_MIN: usize = 64 << 10;
/// Larger ones are too rare to be kept.
const POOLED_BYTES_MAX: usize = 2 << 20;
/// How many may lie idle.
const IDLE_MAX: usize = 16;

/// Buffers that nobody uses.
#[derive(Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer in use. It goes back when the last [`Bytes`] of it is dropped.
pub(super) struct Buffer {
    memory: Vec<u8>,
    len: usize,
    home: Buffers,
}

impl Buffers {
    /// A buffer of `len` bytes, whose content is whatever was read into it before.
    pub(super) fn take(&self, len: usize) -> Buffer {
        let pooled = (POOLED_BYTES_MIN..=POOLED_BYTES_MAX).contains(&len);
        let mut memory = if pooled { self.idle().pop().unwrap_or_default() } else { Vec::new() };
        if memory.is_empty() {
            // Fresh zeros come from the kernel: they need no pass over the memory.
            memory = vec![0; len];
        } else if memory.len() < len {
            memory.resize(len, 0);
        }
        Buffer { memory, len, home: self.clone() }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut idle = self.home.idle();
        if idle.len() < IDLE_MAX && (POOLED_BYTES_MIN..=POOLED_BYTES_MAX).contains(&self.memory.len()) {
            idle.push(std::mem::take(&mut self.memory));
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
        assert_ne!(buffers.take(70_000).bytes_mut().as_ptr(), address, "it is still held");
        assert_eq!(read, [7; 90_000][..]);
        let (head, rest) = (read.slice(..10), read);
        drop(rest);
        assert_eq!(buffers.idle().len(), 1, "a slice holds it too");
        drop(head);
        assert_eq!(buffers.idle().len(), 2);
        assert_eq!(buffers.take(64 << 10).bytes_mut().as_ptr(), address);
    }

    #[test]
    fn what_lies_idle_is_bounded() {
        let buffers = Buffers::default();
        let taken: Vec<Buffer> = (0..100).map(|_| buffers.take(100_000)).collect();
        drop(taken);
        assert_eq!(buffers.idle().len(), IDLE_MAX);
        drop(buffers.take(POOLED_BYTES_MAX + 1));
        drop(buffers.take(10));
        assert_eq!(buffers.idle().len(), IDLE_MAX);
    }
}
