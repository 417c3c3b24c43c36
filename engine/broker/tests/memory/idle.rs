//! Connections that do nothing.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::broker::{Single, serves};
use crate::resident::{alone, assert_added, resident};

const CONNECTIONS: usize = 5000;
/// What one may cost, with both ends in this process.
const BYTES_EACH: usize = 16 << 10;

/// As many connections as there may be descriptors for: two each, both ends being here, and some for all else.
fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("up to the hard limit");
    let descriptors = limit.maximum.map_or(usize::MAX, |maximum| usize::try_from(maximum).unwrap_or(usize::MAX));
    let possible = descriptors.saturating_sub(500) / 2;
    if possible < CONNECTIONS {
        println!(
            "ONLY {possible} CONNECTIONS instead of {CONNECTIONS}: raise the hard limit of open files (ulimit -Hn)"
        );
    }
    possible.min(CONNECTIONS)
}

/// Connections that have never said a word, and the same ones after a question each: what a buffer held is given back.
#[test]
fn idle_connections_cost_little() {
    let _turn = alone();
    let count = connections();
    let single = Single::start("");
    let mut bystander = single.connect();
    assert!(serves(&mut bystander));
    let before = resident();
    let mut idle: Vec<_> = (0..count).map(|_| single.connect()).collect();
    single.until_connections_are(count + 1);
    let silent = assert_added(&format!("{count} silent connections"), before, count * BYTES_EACH);
    for peer in &mut idle {
        assert!(serves(peer));
    }
    let asked = assert_added(&format!("{count} connections idle after a request"), before, count * BYTES_EACH);
    println!("{} bytes for a silent connection, {} for one that has asked", silent / count, asked / count);
    assert!(serves(&mut bystander));
    drop(idle);
    single.until_connections_are(1);
}
