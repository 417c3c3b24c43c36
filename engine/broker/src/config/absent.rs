//! Settings that Kafka 4.x has and LogDyno does not: which of them can be passed over, and which may not.
//!
//! A setting of a feature that is not here changes nothing: whoever brings a `server.properties` of Kafka's is told, and served. But where
//! passing it over would break a promise (who may come in, what is safe, what may be deleted), there is no start.

/// What becomes of one of these settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Passed over: it is about this, which is not here.
    NotObeyed(&'static str),
    /// Only this value says what happens here anyway.
    Only(&'static str),
    /// Refused.
    Refused,
}

use Fate::{NotObeyed, Only, Refused};

const SOCKETS: &str = "sizes of socket queues and buffers, which the system chooses";
const QUORUM: &str = "a quorum of several controllers";
const QUOTAS: &str = "quotas";
const THREADS: &str = "numbers of threads and buffers that are not here";
const REPORTERS: &str = "metrics reporters; see `logdyno serve --metrics`";
const LEADERS: &str = "moving leadership between brokers";

/// Beginnings of names; of several that fit, the longest counts.
const FATES: &[(&str, Fate)] = &[
    ("add.partitions.to.txn.", NotObeyed("transactions")),
    ("alter.config.policy", Refused),
    ("alter.log.dirs.replication", NotObeyed(QUOTAS)),
    ("authorizer.", Refused),
    ("auto.leader.rebalance", NotObeyed(LEADERS)),
    ("background.threads", NotObeyed(THREADS)),
    ("client.quota.", Refused),
    ("compression.gzip.level", NotObeyed("recompression")),
    ("compression.lz4.level", NotObeyed("recompression")),
    ("compression.type", Only("producer")),
    ("compression.zstd.level", NotObeyed("recompression")),
    ("connection.failed.authentication.delay", NotObeyed("authentication")),
    ("connections.max.reauth", Refused),
    ("controlled.shutdown.", NotObeyed(LEADERS)),
    ("controller.performance", NotObeyed(QUORUM)),
    ("controller.quorum.append", NotObeyed(QUORUM)),
    ("controller.quorum.auto.join", NotObeyed(QUORUM)),
    ("controller.quorum.election", NotObeyed(QUORUM)),
    ("controller.quorum.fetch", NotObeyed(QUORUM)),
    ("controller.quorum.request", NotObeyed(QUORUM)),
    ("controller.quorum.retry", NotObeyed(QUORUM)),
    ("controller.quota", NotObeyed(QUOTAS)),
    ("controller.socket", NotObeyed(SOCKETS)),
    ("create.topic.policy", Refused),
    ("delegation.token.", Refused),
    ("delete.records.purgatory.", NotObeyed(THREADS)),
    ("delete.topic.enable", Only("true")),
    ("early.start.listeners", Refused),
    ("fetch.purgatory.", NotObeyed(THREADS)),
    ("group.consumer.", NotObeyed("the consumer protocol of KIP-848")),
    ("group.coordinator.", NotObeyed("Kafka's threads of group coordinators")),
    ("group.share.", NotObeyed("share groups")),
    ("group.streams.", NotObeyed("streams groups")),
    ("internal.", Refused),
    ("kafka.metrics.", NotObeyed(REPORTERS)),
    ("leader.imbalance", NotObeyed(LEADERS)),
    ("log.cleaner.io.buffer", NotObeyed(THREADS)),
    ("log.cleaner.threads", NotObeyed(THREADS)),
    ("log.dir.failure", NotObeyed("brokers with several directories")),
    ("log.flush.scheduler", NotObeyed("how often Kafka looks for syncs that are due")),
    ("log.flush.start.offset", NotObeyed("a checkpoint of log starts by time: it is written when they move")),
    ("log.initial.task.delay", NotObeyed("a pause before the first round of retention")),
    ("log.local.", NotObeyed("tiered storage")),
    ("log.preallocate", Only("false")),
    ("max.connection.creation", Refused),
    ("max.connections.per.ip.overrides", Refused),
    ("metadata.log.dir", Refused),
    ("metadata.", NotObeyed("snapshots and segments of the metadata log")),
    ("metric", NotObeyed(REPORTERS)),
    ("num.replica.alter", NotObeyed(THREADS)),
    ("num.replica.fetchers", NotObeyed(THREADS)),
    ("offsets.load.buffer.size", NotObeyed(THREADS)),
    ("offsets.topic.compression.codec", Only("0")),
    ("principal.builder", Refused),
    ("producer.purgatory.", NotObeyed(THREADS)),
    ("queued.max.requests", NotObeyed("a queue of requests before their threads; see logdyno.connection.requests.max")),
    ("quota.", NotObeyed(QUOTAS)),
    ("remote.", NotObeyed("tiered storage")),
    ("replica.selector", Refused),
    ("replica.socket", NotObeyed(SOCKETS)),
    ("replication.quota.", NotObeyed(QUOTAS)),
    ("request.timeout.ms", NotObeyed("requests of brokers to each other by Kafka's client")),
    ("sasl.", Refused),
    ("security.", Refused),
    ("server.max.startup", NotObeyed("a limit on starting; see initial.broker.registration.timeout.ms")),
    ("share.", NotObeyed("share groups")),
    ("socket.connection.", NotObeyed(SOCKETS)),
    ("socket.listen", NotObeyed(SOCKETS)),
    ("socket.receive", NotObeyed(SOCKETS)),
    ("socket.send", NotObeyed(SOCKETS)),
    ("ssl.", Refused),
    ("telemetry.", NotObeyed("clients' telemetry")),
    ("transaction", NotObeyed("transactions")),
    ("unclean.leader.election.enable", Only("false")),
    ("unclean.leader.election.interval", NotObeyed(LEADERS)),
    ("unstable.", Refused),
    ("zookeeper.", Refused),
];

/// What a setting of Kafka's that is not here comes to with this value: what it is about if it can be passed over, else why it cannot.
/// `None` if Kafka has no such setting.
pub(super) fn passed_over(name: &str, value: &str) -> Option<Result<&'static str, Absent>> {
    let fitting = FATES.iter().filter(|(beginning, _)| name.starts_with(beginning));
    let (_, fate) = fitting.max_by_key(|(beginning, _)| beginning.len())?;
    Some(match fate {
        NotObeyed(about) => Ok(about),
        Only(value_here) if *value_here == value => Ok("what happens here in any case"),
        Only(value_here) => Err(Absent::OtherValue(value_here)),
        Refused => Err(Absent::NotBuilt),
    })
}

/// Why a setting is not passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// Something would be other than whoever set it expects.
    NotBuilt,
    /// It is the case here only with this value.
    OtherValue(&'static str),
}
