//! Append-only segment files behind one contract; below it, buffered, mmap and io_uring backends over one
//! seam of system calls with a real and a simulated disk.
//!
//! This crate knows bytes and positions: no batch, no offset, no topic.

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
mod flusher;
mod live;
mod mmap;
mod open_file;
mod preparation;
mod probing;
mod read_pool;
mod runtime;
mod uring;
mod whole_io;
mod workers;
mod writeback;

pub use contract::{Append, Backend, Level, ReadDone, Reader, Result, Storage, Writer, read_blocking};
pub use counters::{Counters, Counts};
pub use directory::Directory;
pub use error::{Refused, StorageError};
pub use marks::{Marks, Waiter};
pub use registry::{BackendOptions, Kind, Settings, kinds};
