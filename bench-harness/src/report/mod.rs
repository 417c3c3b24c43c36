//! A result as text for people. Drawn from the saved result alone: the same result gives the same text, whenever.

mod format;
mod tables;

pub use tables::render;
