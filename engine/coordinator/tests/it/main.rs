//! The group machine, driven step by step.

mod generations;
mod random;
mod records;
mod world;
