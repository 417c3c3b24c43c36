//! One connection per broker and purpose, opened when first needed, with pauses after failures.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use logdyno_record::{Clock, Nanos};
use logdyno_wire::channel::{Channel, ChannelConfig};

use super::Wake;
use crate::backoff::Backoff;
use crate::config::ConnectionConfig;
use crate::error::ClientError;
use crate::random::Random;

/// What a connection is for. Answers come in the order of requests, so a fetch that waits at the broker
/// would hold up a question about metadata on the same connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    /// Produce or Fetch.
    Data,
    /// Everything else.
    Control,
}

/// The connections of one client.
pub(crate) struct Connections {
    config: ConnectionConfig,
    slots: Mutex<HashMap<(String, Purpose), Slot>>,
    /// Told when an attempt to connect has ended: the client's own loop, and whoever waits in [`Connections::open`].
    wake: Wake,
    settled: tokio::sync::Notify,
    clock: Arc<dyn Clock>,
    random: Random,
}

#[derive(Default)]
struct Slot {
    state: SlotState,
    failures: u32,
    not_before: Nanos,
    last_error: String,
}

#[derive(Default)]
enum SlotState {
    #[default]
    Idle,
    Connecting,
    Open(Channel),
}

/// Whether a request can be sent now.
pub(crate) enum Readiness {
    /// Yes, on this.
    Open(Channel),
    /// An attempt is under way; the client is woken when it ends.
    Connecting,
    /// The last attempt failed: no earlier than this.
    Pausing(Nanos),
}

impl Connections {
    /// No connection yet.
    pub(crate) fn new(config: ConnectionConfig, wake: Wake, clock: Arc<dyn Clock>, random: Random) -> Connections {
        Connections { config, slots: Mutex::default(), wake, settled: tokio::sync::Notify::new(), clock, random }
    }

    /// The settings of connections.
    pub(crate) fn config(&self) -> &ConnectionConfig {
        &self.config
    }

    /// Whether a request to `address` can be sent now; begins to connect if that may help.
    pub(crate) fn ready(self: &Arc<Self>, address: &str, purpose: Purpose) -> Readiness {
        let mut slots = self.lock();
        let slot = slots.entry((address.to_owned(), purpose)).or_default();
        if let SlotState::Open(channel) = &slot.state {
            if !channel.is_closed() {
                return Readiness::Open(channel.clone());
            }
            slot.state = SlotState::Idle;
            slot.not_before = self.clock.now().after(self.config.reconnect_backoff);
        }
        if matches!(slot.state, SlotState::Connecting) {
            return Readiness::Connecting;
        }
        if self.clock.now() < slot.not_before {
            return Readiness::Pausing(slot.not_before);
        }
        slot.state = SlotState::Connecting;
        drop(slots);
        tokio::spawn(Arc::clone(self).connect_slot(address.to_owned(), purpose));
        Readiness::Connecting
    }

    /// A connection to `address`; waits for one attempt to connect, after the pause that is due.
    pub(crate) async fn open(self: &Arc<Self>, address: &str, purpose: Purpose) -> Result<Channel, ClientError> {
        let mut tried = false;
        loop {
            let mut settled = std::pin::pin!(self.settled.notified());
            settled.as_mut().enable();
            match self.ready(address, purpose) {
                Readiness::Open(channel) => return Ok(channel),
                Readiness::Connecting => {
                    tried = true;
                    settled.await;
                }
                Readiness::Pausing(_) if tried => {
                    let reason = self.lock().get(&(address.to_owned(), purpose)).map(|slot| slot.last_error.clone());
                    let doing = format!("connecting to {address}");
                    return Err(ClientError::Disconnected { doing, reason: reason.unwrap_or_default() });
                }
                Readiness::Pausing(until) => tokio::time::sleep(until.since(self.clock.now())).await,
            }
        }
    }

    async fn connect_slot(self: Arc<Self>, address: String, purpose: Purpose) {
        let config = ChannelConfig {
            request_timeout: self.config.request_timeout,
            connect_timeout: self.config.setup_timeout,
            ..ChannelConfig::default()
        };
        let result = Channel::connect(&address, &self.config.client_id, config).await;
        let mut slots = self.lock();
        let slot = slots.entry((address.clone(), purpose)).or_default();
        match result {
            Ok(channel) => *slot = Slot { state: SlotState::Open(channel), ..Slot::default() },
            Err(error) => {
                let backoff = Backoff { first: self.config.reconnect_backoff, most: self.config.reconnect_backoff_max };
                slot.state = SlotState::Idle;
                slot.failures += 1;
                slot.last_error = error.to_string();
                slot.not_before = self.clock.now().after(backoff.pause(slot.failures, (self.random)()));
                tracing::debug!(%address, %error, failures = slot.failures, "cannot connect");
            }
        }
        drop(slots);
        self.settled.notify_waiters();
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, Purpose), Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
