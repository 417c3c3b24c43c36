//! Counts what a piece of code allocates on its own thread, to hold the crate to what it promises about memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What was allocated.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allocations {
    /// Calls that took new memory.
    pub(crate) count: usize,
    /// Bytes of all of them together, freed or not.
    pub(crate) bytes: usize,
}

thread_local! {
    static COUNTED: Cell<Allocations> = const { Cell::new(Allocations { count: 0, bytes: 0 }) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: usize) {
    let so_far = COUNTED.get();
    COUNTED.set(Allocations { count: so_far.count + 1, bytes: so_far.bytes + bytes });
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches only a thread-local cell, which needs neither
// memory nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs `work` and says what it allocated on this thread.
pub(crate) fn counting<T>(work: impl FnOnce() -> T) -> (T, Allocations) {
    let before = COUNTED.get();
    let result = work();
    let after = COUNTED.get();
    (result, Allocations { count: after.count - before.count, bytes: after.bytes - before.bytes })
}
