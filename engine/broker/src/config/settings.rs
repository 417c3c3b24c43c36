//! The settings: name, type, default, limits, meaning.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use logdyno_controller::decide::topic_config::ValueType;
use logdyno_record::{BrokerId, TimestampType};
use logdyno_segment_log::CleanupPolicy;
use logdyno_storage::{Level, Settings as StorageSettings};

use super::values::{
    AckLevel, CleanupSetting, Endpoints, ListenerAddress, Roles, TimestampSetting, Value, Voters, within,
};

/// A setting as it is told.
#[derive(Clone, Debug)]
pub struct Described {
    /// As in `server.properties`.
    pub name: &'static str,
    /// What it is.
    pub value: String,
    /// What it would be without a word.
    pub default: String,
    /// What its value is.
    pub value_type: ValueType,
    /// The least and the greatest of a number.
    pub limits: Option<(String, String)>,
    /// What it does, without a capital at its begin.
    pub documentation: &'static str,
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])* $name:literal $field:ident: $kind:ty = $default:expr $(, in $bounds:expr)?;)+) => {
        /// A broker's configuration. Each field is the setting that its text names.
        #[derive(Clone, Debug, PartialEq)]
        pub struct BrokerConfig { $(#[doc = concat!("`", $name, "`: ")] $(#[doc = $doc])* pub $field: $kind,)+ }

        impl Default for BrokerConfig {
            fn default() -> BrokerConfig { BrokerConfig { $($field: $default,)+ } }
        }

        /// All names.
        pub(super) const NAMES: &[&str] = &[$($name),+];

        impl BrokerConfig {
            /// Sets one; `None` if there is no setting of this name.
            pub(super) fn set(&mut self, name: &str, text: &str) -> Option<Result<(), String>> {
                match name {
                    $($name => Some(<$kind as Value>::parse(text).and_then(|value| {
                        $(within(&value, $bounds)?;)?
                        self.$field = value;
                        Ok(())
                    })),)+
                    _ => None,
                }
            }

            /// Names and values.
            pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
                vec![$(($name, self.$field.print())),+]
            }

            /// All settings, for those who ask.
            pub fn described(&self) -> Vec<Described> {
                let default = BrokerConfig::default();
                vec![$(Described {
                    name: $name,
                    value: self.$field.print(),
                    default: default.$field.print(),
                    value_type: <$kind as Value>::TYPE,
                    limits: None$(.or(Some(limits::<$kind>(&$bounds))))?,
                    documentation: concat!($($doc),*),
                }),+]
            }
        }
    };
}

settings! {
    /// this broker's id.
    "node.id" node_id: i32 = 1, in 0..=i32::MAX;
    /// `broker`, or `broker,controller`.
    "process.roles" process_roles: Roles = Roles { controller: true };
    /// where to listen; port 0 lets the kernel choose.
    "listeners" listeners: Endpoints = Endpoints(vec![listener("PLAINTEXT", "", 9092), listener("CONTROLLER", "", 9093)]);
    /// where clients and brokers find this broker; by default its listener.
    "advertised.listeners" advertised_listeners: Endpoints = Endpoints::default();
    /// the name of the controller's listener.
    "controller.listener.names" controller_listener_names: String = "CONTROLLER".to_owned();
    /// which listener brokers use between each other: the one that clients use, if there is one to name.
    "inter.broker.listener.name" inter_broker_listener_name: String = String::new();
    /// the security protocol of listeners, as `NAME:PROTOCOL`; only PLAINTEXT is built, for the listeners that there are.
    "listener.security.protocol.map" listener_security_protocol_map: String = "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT".to_owned();
    /// the controller, as `ID@HOST:PORT`; may be left out where the controller runs in this process.
    "controller.quorum.voters" controller_quorum_voters: Voters = Voters::default();
    /// where to look for the controller, as `HOST:PORT`.
    "controller.quorum.bootstrap.servers" controller_quorum_bootstrap_servers: String = String::new();
    /// the data directory (one).
    "log.dirs" log_dirs: PathBuf = PathBuf::from("/tmp/logdyno-logs");
    /// where this broker stands; empty if unknown.
    "broker.rack" broker_rack: String = String::new();
    /// how often the controller is told that this broker lives.
    "broker.heartbeat.interval.ms" broker_heartbeat_interval_ms: i32 = 2000, in 1..=i32::MAX;
    /// how long a broker may be silent before the controller fences it.
    "broker.session.timeout.ms" broker_session_timeout_ms: i32 = 9000, in 1..=i32::MAX;
    /// how long a start waits for the controller to register the broker.
    "initial.broker.registration.timeout.ms" initial_broker_registration_timeout_ms: i32 = 60_000, in 1..=i32::MAX;
    /// partitions of a topic that does not say how many.
    "num.partitions" num_partitions: i32 = 1, in 1..=i32::MAX;
    /// replicas of a topic that does not say how many.
    "default.replication.factor" default_replication_factor: i16 = 1, in 1..=i16::MAX;
    /// how many replicas must be in sync for acks=all; a topic may override it.
    "min.insync.replicas" min_insync_replicas: i32 = 1, in 1..=i32::MAX;
    /// whether asking for a topic creates it.
    "auto.create.topics.enable" auto_create_topics_enable: bool = true;
    /// how long a follower may lag before it leaves the ISR.
    "replica.lag.time.max.ms" replica_lag_time_max_ms: i64 = 30_000, in 1..=i64::MAX;
    /// how long a follower's fetch may wait for records.
    "replica.fetch.wait.max.ms" replica_fetch_wait_max_ms: i32 = 500, in 0..=i32::MAX;
    /// how many bytes a follower's fetch waits for.
    "replica.fetch.min.bytes" replica_fetch_min_bytes: i32 = 1, in 0..=i32::MAX;
    /// how many bytes of one partition a follower takes at once.
    "replica.fetch.max.bytes" replica_fetch_max_bytes: i32 = 1 << 20, in 0..=i32::MAX;
    /// how many bytes a follower takes at once.
    "replica.fetch.response.max.bytes" replica_fetch_response_max_bytes: i32 = 10 << 20, in 0..=i32::MAX;
    /// how long a follower pauses after an error.
    "replica.fetch.backoff.ms" replica_fetch_backoff_ms: i32 = 1000, in 0..=i32::MAX;
    /// how often the high watermarks are written down.
    "replica.high.watermark.checkpoint.interval.ms" replica_high_watermark_checkpoint_interval_ms: i64 = 5000, in 1..=i64::MAX;
    /// how often recovery points are moved up and written down.
    "log.flush.offset.checkpoint.interval.ms" log_flush_offset_checkpoint_interval_ms: i32 = 60_000, in 1..=i32::MAX;
    /// the largest segment; a topic may override it (`segment.bytes`).
    "log.segment.bytes" log_segment_bytes: i32 = 1 << 30, in 1 << 20..=i32::MAX;
    /// the age at which a segment is closed (`segment.ms`).
    "log.roll.ms" log_roll_ms: i64 = 7 * 24 * 3_600_000, in 1..=i64::MAX;
    /// how much of that age is left to chance, so that segments do not close all at once (`segment.jitter.ms`).
    "log.roll.jitter.ms" log_roll_jitter_ms: i64 = 0, in 0..=i64::MAX;
    /// the age at which a segment is deleted, -1 for never (`retention.ms`); log.retention.minutes or log.retention.hours
    /// stand for it where it is not given.
    "log.retention.ms" log_retention_ms: i64 = 7 * 24 * 3_600_000, in -1..=i64::MAX;
    /// the size above which a partition's oldest segments are deleted, -1 for none (`retention.bytes`).
    "log.retention.bytes" log_retention_bytes: i64 = -1, in -1..=i64::MAX;
    /// how long an idempotent producer is remembered that writes nothing.
    "producer.id.expiration.ms" producer_id_expiration_ms: i32 = 86_400_000, in 1..=i32::MAX;
    /// how often it is looked for producers whose time is over.
    "producer.id.expiration.check.interval.ms" producer_id_expiration_check_interval_ms: i32 = 600_000, in 1..=i32::MAX;
    /// how often segments are looked through for what can be deleted.
    "log.retention.check.interval.ms" log_retention_check_interval_ms: i64 = 300_000, in 1..=i64::MAX;
    /// what happens to old records: delete, compact, or both (`cleanup.policy`).
    "log.cleanup.policy" log_cleanup_policy: CleanupSetting = CleanupSetting(CleanupPolicy::DELETE);
    /// whether topics with cleanup.policy=compact are compacted.
    "log.cleaner.enable" log_cleaner_enable: bool = true;
    /// how long the cleaner pauses when no log is due.
    "log.cleaner.backoff.ms" log_cleaner_backoff_ms: i64 = 15_000, in 0..=i64::MAX;
    /// bytes of memory for the keys of one round of compaction; what does not fit waits for the next.
    "log.cleaner.dedupe.buffer.size" log_cleaner_dedupe_buffer_size: i64 = 128 << 20, in 1 << 20..=i64::MAX;
    /// bytes that the cleaner reads and writes in a second.
    "log.cleaner.io.max.bytes.per.second" log_cleaner_io_max_bytes_per_second: f64 = f64::MAX, in 1.0..=f64::MAX;
    /// how much of a log must be dirty for it to be compacted (`min.cleanable.dirty.ratio`).
    "log.cleaner.min.cleanable.ratio" log_cleaner_min_cleanable_ratio: f64 = 0.5, in 0.0..=1.0;
    /// how long compaction keeps tombstones (`delete.retention.ms`).
    "log.cleaner.delete.retention.ms" log_cleaner_delete_retention_ms: i64 = 86_400_000, in 0..=i64::MAX;
    /// the age before which a record is not compacted (`min.compaction.lag.ms`).
    "log.cleaner.min.compaction.lag.ms" log_cleaner_min_compaction_lag_ms: i64 = 0, in 0..=i64::MAX;
    /// the age at which a record makes its log due for compaction (`max.compaction.lag.ms`).
    "log.cleaner.max.compaction.lag.ms" log_cleaner_max_compaction_lag_ms: i64 = i64::MAX, in 1..=i64::MAX;
    /// how long the files of a deleted segment stay, for those who still read them (`file.delete.delay.ms`).
    "log.segment.delete.delay.ms" log_segment_delete_delay_ms: i64 = 60_000, in 0..=i64::MAX;
    /// bytes between entries of the indexes (`index.interval.bytes`).
    "log.index.interval.bytes" log_index_interval_bytes: i32 = 4096, in 0..=i32::MAX;
    /// the largest index (`segment.index.bytes`).
    "log.index.size.max.bytes" log_index_size_max_bytes: i32 = 10 << 20, in 4..=i32::MAX;
    /// records between forced syncs (`flush.messages`).
    "log.flush.interval.messages" log_flush_interval_messages: i64 = i64::MAX, in 1..=i64::MAX;
    /// how long a record may wait for the device (`flush.ms`). Looked after once a second, or that often if it is less; Kafka looks
    /// each log.flush.scheduler.interval.ms, by default never.
    "log.flush.interval.ms" log_flush_interval_ms: i64 = i64::MAX, in 0..=i64::MAX;
    /// whose time a record has (`message.timestamp.type`).
    "log.message.timestamp.type" log_message_timestamp_type: TimestampSetting = TimestampSetting(TimestampType::CreateTime);
    /// how far a producer's timestamp may be behind the broker's clock (`message.timestamp.before.max.ms`).
    "log.message.timestamp.before.max.ms" log_message_timestamp_before_max_ms: i64 = i64::MAX, in 0..=i64::MAX;
    /// how far a producer's timestamp may be ahead of the broker's clock (`message.timestamp.after.max.ms`).
    "log.message.timestamp.after.max.ms" log_message_timestamp_after_max_ms: i64 = 3_600_000, in 0..=i64::MAX;
    /// the largest batch (`max.message.bytes`).
    "message.max.bytes" message_max_bytes: i32 = 1_048_588, in 0..=i32::MAX;
    /// the most bytes a fetch may ask for.
    "fetch.max.bytes" fetch_max_bytes: i32 = 55 << 20, in 1024..=i32::MAX;
    /// fetch sessions at a time (KIP-227); who gets none sends full requests.
    "max.incremental.fetch.session.cache.slots" max_incremental_fetch_session_cache_slots: i32 = 1000, in 0..=i32::MAX;
    /// partitions in one answer to DescribeTopicPartitions.
    "max.request.partition.size.limit" max_request_partition_size_limit: i32 = 2000, in 1..=i32::MAX;
    /// the largest request.
    "socket.request.max.bytes" socket_request_max_bytes: i32 = 100 << 20, in 1..=i32::MAX;
    /// how long a connection may be silent, between requests or within one, and how long a peer may take to read an answer.
    "connections.max.idle.ms" connections_max_idle_ms: i64 = 600_000, in 1..=i64::MAX;
    /// connections at a time; further ones are closed at once.
    "max.connections" max_connections: i32 = i32::MAX, in 1..=i32::MAX;
    /// connections at a time from one address; further ones are closed at once.
    "max.connections.per.ip" max_connections_per_ip: i32 = i32::MAX, in 0..=i32::MAX;
    /// bytes of all connections' requests that may be read, or wait until what they ask for is begun; -1 for no limit. While there are as many, nothing is read.
    "queued.max.request.bytes" queued_max_request_bytes: i64 = -1, in -1..=i64::MAX;
    /// the shortest session that a group's member may ask for.
    "group.min.session.timeout.ms" group_min_session_timeout_ms: i32 = 6000, in 0..=i32::MAX;
    /// the longest session that a group's member may ask for.
    "group.max.session.timeout.ms" group_max_session_timeout_ms: i32 = 1_800_000, in 0..=i32::MAX;
    /// how long a group that was empty waits for more members before it shares the work.
    "group.initial.rebalance.delay.ms" group_initial_rebalance_delay_ms: i32 = 3000, in 0..=i32::MAX;
    /// members of one group.
    "group.max.size" group_max_size: i32 = i32::MAX, in 1..=i32::MAX;
    /// partitions of the topic that groups are kept in; counts when that topic is made.
    "offsets.topic.num.partitions" offsets_topic_num_partitions: i32 = 50, in 1..=i32::MAX;
    /// replicas of the topic that groups are kept in, or as many as there are brokers when it is made.
    "offsets.topic.replication.factor" offsets_topic_replication_factor: i16 = 3, in 1..=i16::MAX;
    /// the largest segment of the topic that groups are kept in; counts when that topic is made.
    "offsets.topic.segment.bytes" offsets_topic_segment_bytes: i32 = 100 << 20, in 1 << 20..=i32::MAX;
    /// how long committed offsets are kept once their group has no members.
    "offsets.retention.minutes" offsets_retention_minutes: i32 = 10_080, in 1..=i32::MAX;
    /// how often it is looked for offsets whose time is over.
    "offsets.retention.check.interval.ms" offsets_retention_check_interval_ms: i64 = 600_000, in 1..=i64::MAX;
    /// how long a commit may wait for the replicas.
    "offsets.commit.timeout.ms" offsets_commit_timeout_ms: i32 = 5000, in 1..=i32::MAX;
    /// the most that a consumer may say with a committed offset.
    "offset.metadata.max.bytes" offset_metadata_max_bytes: i32 = 4096, in 0..=i32::MAX;
    /// how many logs are opened, and recovered where that is needed, at the same time when the broker starts.
    "num.recovery.threads.per.data.dir" num_recovery_threads_per_data_dir: i32 = 2, in 1..=1024;
    /// threads that serve connections.
    "num.network.threads" num_network_threads: i32 = 3, in 1..=1024;
    /// threads for what waits for the disk.
    "num.io.threads" num_io_threads: i32 = 8, in 1..=1024;
    /// the storage backend: buffered, mmap, uring, or one that a program registered.
    "logdyno.backend" backend: String = "buffered".to_owned();
    /// files of logs that may be open at a time; those used longest ago are closed, and opened again when they are used. By default half of
    /// the descriptors that the process may have (ulimit -n). Files with records that are not durable yet stay open beyond it; when they are
    /// half as many more, they are synced to be closed.
    "logdyno.open.files.max" open_files_max: i32 = open_files_max(), in 16..=i32::MAX;
    /// disk space of removed segments that is kept, beside what retention keeps, for the next segments of their logs, and of these what is not
    /// written yet: the disk need not find new blocks for them, nor free the old ones. A log has at most four. A full disk is given back what
    /// waits. 0 for none.
    "logdyno.recycle.bytes.max" recycle_bytes_max: i64 = recycle_bytes_max(), in 0..=i64::MAX;
    /// memory of the uring backend for what is on its way to the disk and for what it keeps of the logs' ends. Where it is used up, logs wait
    /// for room, and one that has nothing on its way takes memory beside it.
    "logdyno.uring.pool.bytes" uring_pool_bytes: i64 = uring_pool_bytes(), in 1 << 20..=i64::MAX;
    /// what an acknowledgement promises: visible, written or durable; a topic may override it.
    "logdyno.ack.level" ack_level: AckLevel = AckLevel(Level::Written);
    /// requests of one connection that may wait for their answers.
    "logdyno.connection.requests.max" connection_requests_max: i32 = 64, in 1..=65_536;
    /// bytes of requests of one connection that may wait for their answers; one request of any size always may.
    "logdyno.connection.bytes.max" connection_bytes_max: i32 = 100 << 20, in 1..=i32::MAX;
    /// bytes of records that all answers to fetches may hold until they are read. While there are as many, fetches are answered with 64 KiB,
    /// or with one batch if that is larger.
    "logdyno.fetch.bytes.in.flight.max" fetch_bytes_in_flight_max: i64 = 256 << 20, in 0..=i64::MAX;
}

fn limits<T: Value>(bounds: &RangeInclusive<T>) -> (String, String) {
    (bounds.start().print(), bounds.end().print())
}

fn listener(name: &str, host: &str, port: u16) -> ListenerAddress {
    ListenerAddress { name: name.to_owned(), host: host.to_owned(), port }
}

fn open_files_max() -> i32 {
    i32::try_from(logdyno_storage::registry::default_open_files_max()).unwrap_or(i32::MAX)
}

fn recycle_bytes_max() -> i64 {
    i64::try_from(StorageSettings::default().recycle_bytes_max).unwrap_or(i64::MAX)
}

fn uring_pool_bytes() -> i64 {
    i64::try_from(StorageSettings::default().pool_bytes).unwrap_or(i64::MAX)
}

/// Milliseconds as a duration; the settings' limits keep them from being negative.
pub(crate) fn millis(ms: impl TryInto<u64>) -> Duration {
    Duration::from_millis(ms.try_into().unwrap_or(0))
}

impl BrokerConfig {
    /// This broker's id.
    pub fn id(&self) -> BrokerId {
        BrokerId(self.node_id)
    }

    /// What the storage backend obeys.
    pub fn storage_settings(&self) -> StorageSettings {
        StorageSettings {
            open_files_max: usize::try_from(self.open_files_max).unwrap_or(usize::MAX),
            recycle_bytes_max: u64::try_from(self.recycle_bytes_max).unwrap_or(0),
            pool_bytes: usize::try_from(self.uring_pool_bytes).unwrap_or(usize::MAX),
            ..StorageSettings::default()
        }
    }

    /// Where clients and other brokers come in.
    pub(crate) fn client_listener(&self) -> Option<&ListenerAddress> {
        self.listeners.0.iter().find(|listener| listener.name != self.controller_listener_names)
    }

    /// Where the controller listens, if there is one here.
    pub(crate) fn controller_listener(&self) -> Option<&ListenerAddress> {
        self.listeners.named(&self.controller_listener_names)
    }

    /// Where other processes' controllers are, by configuration.
    pub(crate) fn controllers(&self) -> Vec<String> {
        let voters = self.controller_quorum_voters.0.iter().map(|(_, address)| address.clone());
        let servers = self.controller_quorum_bootstrap_servers.split(',').map(|server| server.trim().to_owned());
        voters.chain(servers.filter(|server| !server.is_empty())).collect()
    }

    /// The security protocol of a listener: as mapped, else the one that is its name. A controller's is PLAINTEXT unless it is mapped.
    fn protocol<'a>(&'a self, listener: &'a str) -> &'a str {
        let mut mapped = self.listener_security_protocol_map.split(',').filter_map(|pair| pair.split_once(':'));
        let found = mapped.find(|(name, _)| name.trim() == listener).map(|(_, protocol)| protocol.trim());
        found.unwrap_or(match listener {
            "SSL" | "SASL_PLAINTEXT" | "SASL_SSL" => listener,
            _ => "PLAINTEXT",
        })
    }

    /// What no single setting can tell.
    pub(super) fn check(&self) -> Result<(), String> {
        let clients: Vec<_> =
            self.listeners.0.iter().filter(|listener| listener.name != self.controller_listener_names).collect();
        if clients.len() != 1 {
            return Err(format!(
                "listeners must name exactly one listener besides the controller's, not {}",
                clients.len()
            ));
        }
        let controller = self.controller_listener_names.as_str();
        if self.process_roles.controller && self.controller_listener().is_none() {
            return Err(format!("process.roles has 'controller', but listeners has no {controller}://HOST:PORT"));
        }
        if !self.process_roles.controller && self.controllers().is_empty() {
            return Err(
                "a broker without a controller needs controller.quorum.voters or controller.quorum.bootstrap.servers"
                    .to_owned(),
            );
        }
        let name = &clients[0].name;
        if ![name.as_str(), ""].contains(&self.inter_broker_listener_name.as_str()) {
            return Err(format!("inter.broker.listener.name must be {name}: there is no other listener for brokers"));
        }
        if let Some(secured) = self.listeners.0.iter().find(|listener| self.protocol(&listener.name) != "PLAINTEXT") {
            let protocol = self.protocol(&secured.name);
            return Err(format!(
                "listener {} is to speak {protocol}, and only PLAINTEXT is built: map it in listener.security.protocol.map",
                secured.name
            ));
        }
        if !self.advertised_listeners.0.is_empty() && self.advertised_listeners.named(name).is_none() {
            return Err(format!("advertised.listeners must have an address for listener {name}"));
        }
        Ok(())
    }
}
