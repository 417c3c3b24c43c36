//! The backends, each on its disks.

mod real_ring;
mod smoke;
mod uring;
