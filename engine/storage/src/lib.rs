//! Append-only segment files behind one contract; below it, buffered, mmap and io_uring backends over one
//! seam of system calls with a real and a simulated disk.
//!
//! This crate knows bytes and positions: no batch, no offset, no topic.
//!
//! ```text
//!   contract   Backend → Storage → Writer, Reader; Marks           what the log above relies on
//!   buffered/  mmap/  uring/                                       three ways to keep it
//!   seam/      Disk, DiskFile, Mapping, Ring                       what they may ask a kernel for
//!   seam::real                   seam::simulated                   who answers
//! ```
//!
//! # Where bytes are, by backend
//!
//! | | after `append` | [`Level::Written`] is reached by | [`Level::Durable`] by |
//! |---|---|---|---|
//! | buffered | combining buffer, or page cache | `pwritev` | `fdatasync` |
//! | mmap | page cache | the append itself | `fdatasync` |
//! | uring | chunk of this process | a direct write's completion | flush of the device after it |
//!
//! # Writing another backend
//!
//! 1. Implement [`Backend`], [`Storage`], [`Writer`] and [`Reader`]. [`Directory`] is all of `Storage` that has
//!    nothing to do with segment files. Do every system call through the [`seam::Disk`] that you are started with.
//! 2. Keep one [`Marks`] per file and raise it in the order visible, written, durable: a mark may only be raised
//!    when the promise of its [`Level`] is kept for every byte before it, so out-of-order completions raise
//!    nothing until the gap is closed.
//! 3. Answer [`Append::Full`] instead of waiting, [`StorageError::NoSpace`] when the disk is full (and go on when it
//!    is not), and after any other failed write or sync poison the marks: never repeat a sync that failed.
//! 4. Try in [`Kind::start`](registry::Kind) what you need and return [`Refused`] if it is not there. Never
//!    become another backend silently.
//! 5. Count what you do in [`Counters`]: the harness proves from them that a measurement measured you.
//! 6. Pass [`suite`]: conformance on both disks, faults and crashes on the simulated one.
//! 7. Hand your [`Kind`] to whoever starts the engine, beside [`kinds`]: `logdyno::main_with` makes a `logdyno` that knows it.
//!    `bench-harness/examples/paced_backend.rs` is a small whole one.

pub mod contract;
pub mod counters;
pub mod directory;
pub mod error;
pub mod marks;
pub mod registry;
pub mod seam;
pub mod suite;

mod allocation;
mod buffered;
mod entries;
mod live;
mod mmap;
mod pending_sync;
mod probing;
mod runtime;
mod segment_directory;
mod segments;
mod uring;
mod whole_io;

pub use contract::{Append, Backend, Level, ReadDone, Reader, Result, Storage, Writer, read_blocking};
pub use counters::{Counters, Counts};
pub use directory::Directory;
pub use entries::Entry;
pub use error::{Refused, StorageError};
pub use marks::{Marks, Waiter};
pub use pending_sync::{BlockingSync, PendingSync};
pub use registry::{BackendOptions, Kind, Settings, kinds};
