//! What is fuzzed, as plain functions of bytes. The engine's own tests run the same functions on stable, for a bounded time.

pub mod batches;
pub mod files;
pub mod requests;
