//! Settings that Kafka 4.x knows and LogDyno has not built, and suggestions for names that nobody knows.

/// Beginnings of names that belong to parts of Kafka which are not here.
const NOT_BUILT: &[&str] = &[
    "alter.config.policy",
    "authorizer.",
    "client.quota.",
    "compression.",
    "connections.max.reauth",
    "controlled.shutdown.",
    "controller.performance",
    "controller.quorum.append",
    "controller.quorum.election",
    "controller.quorum.fetch",
    "controller.quorum.request",
    "controller.quorum.retry",
    "controller.quota",
    "create.topic.policy",
    "delegation.token.",
    "delete.topic.enable",
    "early.start.listeners",
    "group.consumer.",
    "group.coordinator.",
    "group.share.",
    "group.streams.",
    "inter.broker.listener.name",
    "leader.imbalance",
    "leader.replication",
    "auto.leader.rebalance",
    "listener.security.protocol.map",
    "log.cleaner.hash.algorithm",
    "log.cleaner.io.buffer",
    "log.cleaner.threads",
    "log.deletion.",
    "log.dir.failure",
    "log.flush.scheduler",
    "log.local.",
    "log.preallocate",
    "max.connection.creation",
    "max.connections.per.ip.overrides",
    "metadata.",
    "metric",
    "num.replica.fetchers",
    "offsets.load.buffer.size",
    "offsets.topic.compression.codec",
    "principal.builder",
    "queued.max.requests",
    "quota.",
    "remote.",
    "replica.selector",
    "replica.socket",
    "request.timeout.ms",
    "sasl.",
    "security.",
    "server.max.startup",
    "share.",
    "socket.connection.",
    "socket.listen",
    "socket.receive",
    "socket.send",
    "ssl.",
    "telemetry.",
    "transaction",
    "unclean.leader.election",
    "unstable.",
    "zookeeper.",
];

/// Whether Kafka has a setting of this name that is not obeyed here.
pub(super) fn is_known_to_kafka(name: &str) -> bool {
    NOT_BUILT.iter().any(|beginning| name.starts_with(beginning))
}

/// The name most like `wrong`, if one is alike enough to have been meant.
pub(super) fn suggestion<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let enough = 2.max(wrong.len() / 4);
    names.map(|name| (distance(wrong, name), name)).filter(|(far, _)| *far <= enough).min().map(|(_, name)| name)
}

/// Levenshtein's distance: letters to change, add or leave out.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in (1..).zip(from.chars()) {
        let mut diagonal = std::mem::replace(&mut row[0], above);
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}
