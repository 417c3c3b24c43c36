//! The program `logdyno`.

fn main() {}
