//! Which brokers are silent.

use std::collections::BTreeMap;
use std::time::Duration;

use logdyno_record::{BrokerId, Nanos};

/// When each broker in service was heard of last (Kafka's `BrokerHeartbeatManager`).
///
/// It is not part of the metadata: a controller that starts gives every broker a whole session.
#[derive(Clone, Debug)]
pub struct Sessions {
    timeout: Duration,
    heard: BTreeMap<BrokerId, Nanos>,
}

impl Sessions {
    /// Sessions of `broker.session.timeout.ms` for the brokers in service, all heard of just now.
    pub fn new(timeout: Duration, brokers: impl IntoIterator<Item = BrokerId>, now: Nanos) -> Sessions {
        Sessions { timeout, heard: brokers.into_iter().map(|broker| (broker, now)).collect() }
    }

    /// A broker has been heard of.
    pub fn touch(&mut self, broker: BrokerId, now: Nanos) {
        self.heard.insert(broker, now);
    }

    /// A broker went out of service.
    pub fn end(&mut self, broker: BrokerId) {
        self.heard.remove(&broker);
    }

    /// Whether a broker's session is running.
    pub fn is_alive(&self, broker: BrokerId, now: Nanos) -> bool {
        self.heard.get(&broker).is_some_and(|heard| now.since(*heard) < self.timeout)
    }

    /// The brokers whose session has run out.
    pub fn silent(&self, now: Nanos) -> Vec<BrokerId> {
        self.heard.keys().copied().filter(|broker| !self.is_alive(*broker, now)).collect()
    }
}
