//! The backends, each on the real and the simulated disk, against the public suite.

mod conformance;
mod crash;
mod faults;
mod liars;
mod model;
mod real_ring;
mod recycling;
mod simulated_disk;
mod uring;

use logdyno_storage::{Kind, Refused, kinds};

/// The backend of this name.
fn kind(name: &str) -> Kind {
    let found = kinds().into_iter().find(|kind| kind.name == name);
    found.unwrap_or_else(|| panic!("{name} is no backend of this crate"))
}

/// What came of a start; a refusal is told on the test's output, with its reason.
fn unless_refused<T>(started: Result<T, Refused>) -> Option<T> {
    started.inspect_err(|refused| eprintln!("SKIPPED: {refused}")).ok()
}
