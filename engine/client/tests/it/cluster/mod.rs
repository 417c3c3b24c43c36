//! Scripted brokers: real sockets and Kafka frames, logs in memory, and a script of what goes wrong.
//!
//! Each connection has a thread that reads requests and one that answers them in order, so that several can be in
//! flight. A Produce takes the next reaction of the script; without one it is appended and answered.

mod broker;
mod log;
mod state;

use std::net::{Shutdown, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use logdyno_record::Batch;
use logdyno_wire::messages::FetchRequest;

pub(crate) use self::log::values;
use self::state::State;

/// What a broker does with one Produce request.
#[derive(Clone, Debug)]
pub(crate) enum Reaction {
    /// Appends and answers.
    Take,
    /// Answers this error for every partition, and appends nothing.
    Refuse(i16),
    /// Appends nothing and closes the connection.
    Hang,
    /// Appends and closes the connection.
    TakeAndHang,
    /// Appends nothing and never answers.
    Ignore,
    /// Appends and never answers.
    TakeAndIgnore,
    /// Waits until [`Cluster::release`], then goes on with the rest of the script.
    Hold,
}

/// A Produce request as a broker saw it.
#[derive(Clone, Debug)]
pub(crate) struct Produced {
    pub(crate) node: i32,
    pub(crate) acks: i16,
    /// Partition, bytes and record values of each batch.
    pub(crate) batches: Vec<(i32, usize, Vec<String>)>,
}

/// Brokers that share one script.
#[derive(Clone)]
pub(crate) struct Cluster {
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Cluster {
    /// `nodes` brokers, numbered from 1, and a topic `t` whose partitions are led as `leaders` says.
    pub(crate) fn start(nodes: i32, leaders: &[i32]) -> Cluster {
        let cluster = Cluster { state: Arc::default() };
        for node in 1..=nodes {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            cluster.lock().nodes.insert(node, listener.local_addr().unwrap().port());
            let cluster = cluster.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    cluster.clone().serve(node, stream);
                }
            });
        }
        cluster.lock().leader_epoch = 5;
        cluster.lock().topics.insert("t".to_owned(), leaders.to_vec());
        cluster
    }

    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.lock().nodes[&1])
    }

    pub(crate) fn script(&self, reactions: impl IntoIterator<Item = Reaction>) {
        self.lock().script.extend(reactions);
    }

    /// Nothing goes wrong from here on.
    pub(crate) fn forget_script(&self) {
        self.lock().script.clear();
    }

    /// The next Fetch requests are answered with these errors.
    pub(crate) fn fail_fetches(&self, codes: impl IntoIterator<Item = i16>) {
        self.lock().fetch_errors.extend(codes);
    }

    /// The next partitions that ListOffsets asks for are answered with these errors.
    pub(crate) fn fail_offsets(&self, codes: impl IntoIterator<Item = i16>) {
        self.lock().offset_errors.extend(codes);
    }

    /// Metadata gives this error instead of the partitions of `t`, or no longer does.
    pub(crate) fn refuse_topic(&self, code: Option<i16>) {
        self.lock().refused_topics = code.map(|code| ("t".to_owned(), code)).into_iter().collect();
    }

    pub(crate) fn hold(&self) {
        self.lock().held = true;
        self.script([Reaction::Hold]);
    }

    pub(crate) fn release(&self) {
        self.lock().held = false;
        self.state.1.notify_all();
    }

    /// As a broker of before idempotence: InitProducerId is not served.
    pub(crate) fn know_no_producers(&self) {
        self.lock().knows_no_producers = true;
    }

    /// How many producer ids were given out.
    pub(crate) fn ids_given(&self) -> i64 {
        self.lock().producer_ids
    }

    /// Partition 0 of `t` knows no producer any more, as after `producer.id.expiration.ms`.
    pub(crate) fn forget_producers(&self) {
        self.lock().logs.entry(("t".to_owned(), 0)).or_default().producers.clear();
    }

    /// Epochs of the batches in partition 0 of `t`.
    pub(crate) fn epochs(&self) -> Vec<i16> {
        let state = self.lock();
        let log = state.logs.get(&("t".to_owned(), 0));
        let epoch = |bytes: &Bytes| Batch::parse(bytes.clone()).unwrap().header().producer_epoch;
        log.map_or(Vec::new(), |log| log.batches.iter().map(|(_, _, bytes)| epoch(bytes)).collect())
    }

    /// Batches above this size are refused as too large.
    pub(crate) fn limit_batches(&self, bytes: usize) {
        self.lock().max_batch_bytes = Some(bytes);
    }

    pub(crate) fn lead(&self, partition: usize, node: i32) {
        let mut state = self.lock();
        state.leader_epoch += 1;
        state.topics.get_mut("t").unwrap()[partition] = node;
    }

    /// This node answers no ListOffsets any more.
    pub(crate) fn freeze_offsets(&self, node: i32) {
        self.lock().frozen = Some(node);
    }

    /// Metadata leaves this node out, though it leads partitions: as a broker tells that has not heard of it yet.
    pub(crate) fn leave_out(&self, node: Option<i32>) {
        self.lock().left_out = node;
    }

    /// Waits until so many Produce requests have arrived, answered or not.
    pub(crate) fn wait_received(&self, count: usize) {
        let mut state = self.lock();
        while state.received < count {
            state = self.state.1.wait_timeout(state, Duration::from_secs(30)).unwrap().0;
        }
    }

    /// Whether so many Produce requests arrive within `patience`.
    pub(crate) fn receives(&self, count: usize, patience: Duration) -> bool {
        let waited = self.state.1.wait_timeout_while(self.lock(), patience, |state| state.received < count);
        !waited.unwrap().1.timed_out()
    }

    pub(crate) fn received(&self) -> usize {
        self.lock().received
    }

    pub(crate) fn produced(&self) -> Vec<Produced> {
        self.lock().produced.clone()
    }

    pub(crate) fn fetches(&self) -> Vec<FetchRequest> {
        self.lock().fetches.clone()
    }

    /// Whether a Fetch has asked for this offset of a partition.
    pub(crate) fn has_been_asked(&self, partition: i32, offset: i64) -> bool {
        let state = self.lock();
        let partitions = state.fetches.iter().flat_map(|fetch| &fetch.topics).flat_map(|topic| &topic.partitions);
        partitions.into_iter().any(|asked| asked.partition == partition && asked.fetch_offset == offset)
    }

    /// The record values of a partition of `t`, in order.
    pub(crate) fn values(&self, partition: i32) -> Vec<String> {
        let state = self.lock();
        let log = state.logs.get(&("t".to_owned(), partition));
        log.map_or(Vec::new(), |log| log.batches.iter().flat_map(|(_, _, bytes)| values(bytes)).collect())
    }

    /// Appends a batch to partition 0 of `t` as if somebody had produced it; returns its base offset.
    pub(crate) fn append(&self, batch: Bytes) -> i64 {
        self.append_to(0, batch)
    }

    pub(crate) fn append_to(&self, partition: i32, batch: Bytes) -> i64 {
        let mut state = self.lock();
        let epoch = state.leader_epoch;
        let base = state.logs.entry(("t".to_owned(), partition)).or_default().append(&batch, epoch);
        drop(state);
        self.state.1.notify_all();
        base
    }

    pub(crate) fn abort(&self, producer: i64, first: i64) {
        self.lock().logs.entry(("t".to_owned(), 0)).or_default().aborted.push((producer, first));
    }

    /// Drops what is before `offset`, as retention does.
    pub(crate) fn retain_from(&self, offset: i64) {
        let mut state = self.lock();
        let log = state.logs.entry(("t".to_owned(), 0)).or_default();
        log.batches.retain(|(_, next, _)| *next > offset);
        log.start = offset;
    }

    /// Cuts every connection.
    pub(crate) fn cut_connections(&self) {
        for stream in self.lock().streams.drain(..) {
            // A peer that has gone already is as good.
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap()
    }
}
