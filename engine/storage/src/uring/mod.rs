//! The io_uring backend: segments written and read past the page cache (O_DIRECT) by one thread that owns
//! a ring.
//!
//! Unlike the other backends, the kernel keeps nothing here: what is in memory is in this process, so this
//! backend has its own write-behind, its own cache and its own reading ahead.
//!
//! **A byte's way in.** [`writer`] copies it, once, into the tail's chunk ([`memory`]) and raises the visible
//! mark; readers are lent slices of the very same chunk. A full chunk, a sync or the timer ([`kicks`]) gives
//! the ring thread ([`ring_thread`]) a target through the [`queue`]. There the segment's [`flow`] decides with two pure plans:
//! [`flush`], which blocks to write next so that no block is in two writes in flight, and [`commits`], when
//! to sync. Operations under way are [`flights`]; [`transfer`] judges what came back. Completed writes raise
//! `written` over the part without gaps, completed syncs raise `durable`.
//!
//! An append that finds no memory is answered with Full, and [`room`] knows who wants to be told of some; so is one of a log that has
//! too much on its way, which is told of by its marks.
//!
//! **A byte's way out.** A chunk that is on the device stays as [`cache`] until its memory is wanted. What
//! is not in memory is a demand to [`reads`], which reads whole blocks into a chunk of its own, cuts the answer
//! out of it and leaves the chunk to the cache. [`streams`] guesses what a sequential reader wants next.
//!
//! **Who owns memory.** Chunks belong to whoever holds an `Arc`: the segment's index, readers' slices, and
//! flights. The kernel is represented by the flight: as long as it uses memory, the flight is in the table, and
//! dropping the ring waits for the kernel before the table goes.
//!
//! **Whose turn it is.** The ring thread plans a segment's writes, except that a caller who waits for a small commit does it itself
//! while the ring has nothing of the segment ([`commit_here`], [`driver`]): then nobody has to be woken.
//!
//! **What `kill -9` can take.** Bytes above the `written` mark: at most what was appended in the last kick
//! interval (5 ms) plus what the device has not taken yet.

mod assembly;
mod backend;
mod cache;
mod callback;
mod commit_here;
mod commits;
mod driver;
mod flights;
mod flow;
mod flush;
mod kicks;
mod memory;
mod queue;
mod reader;
mod reads;
mod ring_thread;
mod room;
mod segment;
mod shared;
mod storage;
mod streams;
mod tail;
mod transfer;
mod units;
mod writer;

pub(crate) use backend::KIND;
