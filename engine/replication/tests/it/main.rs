//! The replication rules, driven step by step: no threads and no sleeps in the tests of the pure machines.

mod isr;
mod leader;
mod model;
mod simulation;
mod truncation;
