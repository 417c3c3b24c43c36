//! The group machine, driven step by step.

mod generations;
mod offsets;
mod random;
mod records;
mod world;
