//! The backends, each on its disks.

mod smoke;
