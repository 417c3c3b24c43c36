//! The cluster's picture, shared by an application's threads and a client's background thread.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use logdyno_record::{Clock, Nanos, TopicPartition};
use logdyno_wire::messages::MetadataResponse;

use super::Wake;
use super::cluster::{Cluster, Leader};
use crate::error::ClientError;

/// Who wants which topics, and the newest picture of them.
pub(crate) struct Metadata {
    picture: RwLock<Arc<Cluster>>,
    state: Mutex<State>,
    changed: Condvar,
    /// Wakes the task that asks brokers.
    pub(super) asked: Wake,
    /// Wakes it also from a pause: a topic is wanted that was never asked for.
    pub(super) new_topic: Wake,
    /// Wakes the client's background thread after a change.
    listener: Wake,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    wanted: BTreeMap<Arc<str>, Nanos>,
    /// Topics not used for this long are forgotten.
    max_idle: Option<Duration>,
    update_requested: bool,
    closed: bool,
    last_error: String,
}

impl Metadata {
    /// Nothing known yet.
    pub(crate) fn new(clock: Arc<dyn Clock>, listener: Wake) -> Metadata {
        Metadata {
            picture: RwLock::default(),
            state: Mutex::new(State { update_requested: true, ..State::default() }),
            changed: Condvar::new(),
            asked: Wake::default(),
            new_topic: Wake::default(),
            listener,
            clock,
        }
    }

    /// A look at the newest picture, which cannot change meanwhile.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Cluster) -> T) -> T {
        look(&self.picture.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The newest picture.
    pub(crate) fn cluster(&self) -> Arc<Cluster> {
        Arc::clone(&self.picture.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps `topic` in the picture from now on.
    pub(crate) fn want(&self, topic: &Arc<str>) {
        let now = self.clock.now();
        let mut state = self.lock();
        if let Some(used) = state.wanted.get_mut(topic) {
            *used = now;
            return;
        }
        state.wanted.insert(Arc::clone(topic), now);
        state.update_requested = true;
        drop(state);
        self.asked.notify_one();
        self.new_topic.notify_one();
    }

    /// Forgets topics that were not wanted for this long (`metadata.max.idle.ms`).
    pub(crate) fn forget_after(&self, max_idle: Duration) {
        self.lock().max_idle = Some(max_idle);
    }

    /// Keeps exactly these topics in the picture.
    pub(crate) fn want_only(&self, topics: impl Iterator<Item = Arc<str>>) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.wanted = topics.map(|topic| (topic, now)).collect();
        state.update_requested = true;
        drop(state);
        self.asked.notify_one();
        self.new_topic.notify_one();
    }

    /// Something in the picture was wrong: asks for a new one.
    pub(crate) fn request_update(&self) {
        self.lock().update_requested = true;
        self.asked.notify_one();
    }

    /// A broker named a new leader in passing.
    pub(crate) fn learn_leader(&self, partition: &TopicPartition, leader: Leader) {
        let mut picture = self.picture.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = picture.with_leader(partition, leader) {
            *picture = Arc::new(cluster);
        }
    }

    /// Waits on an application's thread until `find` finds what it needs, an error, or the time is over.
    pub(crate) fn wait_for<T>(
        &self,
        what: impl FnOnce() -> String,
        servers: &[String],
        patience: Duration,
        mut find: impl FnMut(&Cluster) -> Option<Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let begun = Instant::now();
        let mut state = self.lock();
        loop {
            if let Some(found) = find(&self.cluster()) {
                return found;
            }
            if state.closed {
                return Err(ClientError::Closed { client: "client" });
            }
            let left = patience.saturating_sub(begun.elapsed());
            if left.is_zero() {
                let reason = std::mem::take(&mut state.last_error);
                return Err(ClientError::NoMetadata {
                    what: what(),
                    servers: servers.join(","),
                    waited: patience,
                    reason,
                });
            }
            state.update_requested = true;
            self.asked.notify_one();
            let left = left.min(Duration::from_secs(3600));
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Fails who waits: the background thread has ended.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The topics to ask for, or `None` if nobody asked for an update.
    pub(super) fn take_request(&self, overdue: bool) -> Option<Vec<Arc<str>>> {
        let now = self.clock.now();
        let mut state = self.lock();
        if !state.update_requested && !overdue {
            return None;
        }
        if let Some(max_idle) = state.max_idle {
            state.wanted.retain(|_, used| now.since(*used) <= max_idle);
        }
        state.update_requested = false;
        Some(state.wanted.keys().map(Arc::clone).collect())
    }

    /// A new picture. True if it leaves something to be asked again: a wanted topic or leader is missing.
    pub(super) fn apply(&self, answer: &MetadataResponse) -> bool {
        let mut state = self.lock();
        let cluster = {
            let mut picture = self.picture.write().unwrap_or_else(PoisonError::into_inner);
            let cluster = Arc::new(picture.after(answer));
            *picture = Arc::clone(&cluster);
            cluster
        };
        state.last_error.clear();
        let incomplete = state.wanted.keys().any(|topic| {
            cluster.topics.get(topic).is_none_or(|topic| {
                topic.error.is_some_and(|code| code.is_retriable()) || topic.available.len() < topic.partitions.len()
            })
        });
        drop(state);
        self.changed.notify_all();
        self.listener.notify_one();
        incomplete
    }

    /// Nobody answered.
    pub(super) fn note_failure(&self, reason: String) {
        let mut state = self.lock();
        state.last_error = reason;
        state.update_requested = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
