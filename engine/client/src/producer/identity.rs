//! The id under which brokers know an idempotent producer.

use std::sync::Arc;
use std::time::Duration;

use logdyno_record::Nanos;
use logdyno_wire::ErrorCode;
use logdyno_wire::channel::ChannelError;
use logdyno_wire::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use tokio::sync::mpsc;

use crate::error::ClientError;
use crate::network::{Network, Purpose};

/// What is known of the id.
pub(super) enum Identity {
    /// `enable.idempotence=false`.
    Off,
    /// To be asked for, no earlier than this; so many attempts have failed.
    Wanted {
        not_before: Nanos,
        failures: u32,
    },
    /// Asked for.
    Asked {
        failures: u32,
    },
    Known(i64),
    /// No broker will give one.
    Refused(ClientError),
}

/// What came of asking.
pub(super) type Given = Result<i64, Denied>;

/// Why there is no id.
#[derive(Clone, Debug)]
pub(super) struct Denied {
    error: ClientError,
    for_good: bool,
}

impl Identity {
    pub(super) fn new(idempotent: bool) -> Identity {
        if idempotent { Identity::Wanted { not_before: Nanos(0), failures: 0 } } else { Identity::Off }
    }

    /// Another id is needed.
    pub(super) fn renew(&mut self) {
        *self = Identity::new(true);
    }

    /// Asks for an id if it is time; the answer goes to `given`. Returns when to look again.
    pub(super) fn pursue(
        &mut self,
        network: &Arc<Network>,
        given: &mpsc::UnboundedSender<Given>,
        now: Nanos,
    ) -> Option<Nanos> {
        let Identity::Wanted { not_before, failures } = *self else { return None };
        if now < not_before {
            return Some(not_before);
        }
        *self = Identity::Asked { failures };
        let (network, given) = (Arc::clone(network), given.clone());
        tokio::spawn(async move {
            let answer = ask(&network, failures as usize).await;
            // The sender only goes away with the whole runtime.
            drop(given.send(answer));
        });
        None
    }

    /// Takes the answer.
    pub(super) fn learn(&mut self, given: Given, pause: impl Fn(u32) -> Duration, now: Nanos) {
        let Identity::Asked { failures } = *self else { return };
        *self = match given {
            Ok(id) => Identity::Known(id),
            Err(Denied { error, for_good: true }) => Identity::Refused(error),
            Err(Denied { error, .. }) => {
                tracing::debug!(%error, "no producer id yet");
                Identity::Wanted { not_before: now.after(pause(failures + 1)), failures: failures + 1 }
            }
        };
    }
}

/// Asks one broker, each time another.
async fn ask(network: &Arc<Network>, turn: usize) -> Given {
    let cluster = network.metadata.cluster();
    let known = cluster.nodes.values().map(|node| &node.address);
    let addresses: Vec<&String> = known.chain(&network.connections.config().bootstrap_servers).collect();
    let doing = "asking for a producer id (enable.idempotence)".to_owned();
    let passing = |error| Denied { error, for_good: false };
    let Some(address) = addresses.get(turn % addresses.len().max(1)) else {
        let reason = "no broker is known".to_owned();
        return Err(passing(ClientError::Disconnected { doing, reason }));
    };
    let channel = network.connections.open(address, Purpose::Control).await.map_err(passing)?;
    let nobody = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    match channel.call(nobody, None).await {
        Ok(answer) => judge(&answer, doing),
        Err(error) => {
            let for_good = matches!(error, ChannelError::NotServed { .. });
            let hint = if for_good { ": set enable.idempotence=false" } else { "" };
            let reason = format!("{error}{hint}");
            Err(Denied { error: ClientError::Disconnected { doing, reason }, for_good })
        }
    }
}

fn judge(answer: &InitProducerIdResponse, doing: String) -> Given {
    match ErrorCode::try_from_code(answer.error_code) {
        None => Ok(answer.producer_id.0),
        Some(code) => {
            let for_good = !code.is_retriable();
            Err(Denied { error: ClientError::Refused { doing, code, message: None }, for_good })
        }
    }
}
