//! The house has walls: which crate may use which, checked against what cargo knows. Development dependencies are free.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Each crate, and the crates of this workspace that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("logdyno-record", &[]),
    ("logdyno-storage", &[]),
    ("logdyno-segment-log", &["logdyno-record", "logdyno-storage"]),
    ("logdyno-replication", &["logdyno-record", "logdyno-segment-log"]),
    ("logdyno-wire", &["logdyno-record"]),
    ("logdyno-controller", &["logdyno-record", "logdyno-segment-log", "logdyno-wire"]),
    ("logdyno-coordinator", &["logdyno-record"]),
    (
        "logdyno-broker",
        &[
            "logdyno-controller",
            "logdyno-coordinator",
            "logdyno-record",
            "logdyno-replication",
            "logdyno-segment-log",
            "logdyno-storage",
            "logdyno-wire",
        ],
    ),
    ("logdyno-client", &["logdyno-record", "logdyno-wire"]),
    (
        "logdyno-engine",
        &[
            "logdyno-broker",
            "logdyno-client",
            "logdyno-controller",
            "logdyno-coordinator",
            "logdyno-record",
            "logdyno-replication",
            "logdyno-segment-log",
            "logdyno-storage",
            "logdyno-wire",
        ],
    ),
    ("logdyno", &["logdyno-engine"]),
];

/// Crates below the wire know neither tasks nor messages.
const BELOW_WIRE: &[&str] = &["logdyno-record", "logdyno-storage", "logdyno-segment-log", "logdyno-replication"];
const NOT_BELOW_WIRE: &[&str] = &["tokio", "kafka-protocol"];

/// What each package of the workspace depends on, development apart.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies").iter();
            let used = all.filter(|dependency| dependency["kind"] != "dev").map(|dependency| text(&dependency["name"]));
            (text(&package["name"]), used.collect())
        })
        .collect()
}

#[test]
fn crates_use_only_what_stands_below_them() {
    let found = dependencies();
    let members: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    let drawn: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(members, drawn, "every member of the workspace has its arrows here");
    for (name, allowed) in ARROWS {
        for used in found[*name].iter().filter(|used| members.contains(used.as_str())) {
            assert!(allowed.contains(&used.as_str()), "{name} may not use {used}");
        }
    }
}

#[test]
fn neither_tasks_nor_messages_below_the_wire() {
    let found = dependencies();
    for name in BELOW_WIRE {
        for used in NOT_BELOW_WIRE {
            assert!(!found[*name].contains(*used), "{name} may not use {used}");
        }
    }
}
