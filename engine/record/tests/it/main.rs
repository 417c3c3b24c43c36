//! The record format from outside: against what Apache Kafka writes, against itself, and against bytes that mean harm.

mod allocations;
mod bombs;
mod described;
mod golden;
mod hot_path;
mod malformed;
mod ours;
mod patched;
mod produce_rules;
mod round_trip;
mod shapes;
mod thinned;
