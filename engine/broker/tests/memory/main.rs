//! What peers can make a broker hold: measured as the process's resident memory, so that these tests have a process of their own, and run
//! one after the other.

mod broker;
mod idle;
mod resident;
mod slow;
