//! What a thread is for, by its name.

use serde::{Deserialize, Serialize};

/// What a thread is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The harness's load generators: they call `send`.
    Generator,
    /// The producers' own threads: batches, codecs, requests.
    Producer,
    /// The brokers' threads: network, log in memory and replication take turns on them.
    Broker,
    /// The storage backends' threads: writes, syncs, reads that wait for the device, preparation.
    Storage,
    /// The threads of a log without brokers: appends and acknowledgements.
    Log,
    /// The consumers' own threads: fetches.
    Consumer,
    /// The harness's consuming thread: decoding and checking each record.
    Checks,
    /// The harness's joining of stamps and drawing of progress.
    Harness,
    /// Any other.
    Other,
    /// Threads that ended without telling what they took.
    Ended,
}

/// Beginnings of names, as the kernel cuts them: 15 bytes.
const NAMES: [(&str, Role); 12] = [
    ("generator-", Role::Generator),
    ("logdyno-produce", Role::Producer),
    ("rdk:", Role::Producer),
    ("broker-", Role::Broker),
    ("storage-", Role::Storage),
    ("segment-close", Role::Storage),
    ("log-", Role::Log),
    ("logdyno-consume", Role::Consumer),
    ("checks", Role::Checks),
    ("logdyno-admin", Role::Other),
    ("signals", Role::Other),
    ("logdyno", Role::Harness),
];

impl Role {
    /// All roles that a name can have, in the order in which they are told.
    pub const ALL: [Role; 9] = [
        Role::Generator,
        Role::Producer,
        Role::Broker,
        Role::Storage,
        Role::Log,
        Role::Consumer,
        Role::Checks,
        Role::Harness,
        Role::Other,
    ];

    /// Of a thread of this name.
    #[must_use]
    pub fn of(name: &str) -> Role {
        NAMES.iter().find(|(begin, _)| name.starts_with(begin)).map_or(Role::Other, |(_, role)| *role)
    }

    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Generator => "load generator",
            Role::Producer => "producer",
            Role::Broker => "brokers (network, log, replication)",
            Role::Storage => "storage",
            Role::Log => "log",
            Role::Consumer => "consumer",
            Role::Checks => "checks of what came out",
            Role::Harness => "harness",
            Role::Other => "other threads",
            Role::Ended => "threads that ended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_the_kernel_cuts_them() {
        let cases = [
            ("generator-0", Role::Generator),
            ("logdyno-produce", Role::Producer),
            ("logdyno-consume", Role::Consumer),
            ("logdyno-admin", Role::Other),
            ("logdyno", Role::Harness),
            ("broker-3", Role::Broker),
            ("storage-writeba", Role::Storage),
            ("log-append-0", Role::Log),
            ("attribution::st", Role::Other),
        ];
        for (name, role) in cases {
            assert!(name.len() <= 15);
            assert_eq!(Role::of(name), role, "{name}");
        }
    }
}
