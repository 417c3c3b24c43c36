//! Append-only segment files behind one contract; below it, buffered, mmap and io_uring backends over one
//! seam of system calls with a real and a simulated disk.
//!
//! This crate knows bytes and positions: no batch, no offset, no topic.

pub mod contract;
pub mod counters;
pub mod error;
pub mod marks;
pub mod seam;

pub use contract::{Append, Backend, Level, ReadDone, Reader, Result, Storage, Writer, read_blocking};
pub use counters::{Counters, Counts};
pub use error::{Refused, StorageError};
pub use marks::{Marks, Waiter};
