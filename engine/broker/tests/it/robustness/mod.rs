//! What peers may do to a broker that is meant for nobody: nothing panics, nothing hangs, and others stay served.

mod damaged;
mod panics;
mod peer;
mod requests;
mod rude;
