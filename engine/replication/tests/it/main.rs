//! The replication rules, driven step by step: no threads and no sleeps in the tests of the pure machines.

mod brokers;
mod disk;
mod isr;
mod leader;
mod model;
mod replica;
mod simulation;
mod threads;
mod truncation;
