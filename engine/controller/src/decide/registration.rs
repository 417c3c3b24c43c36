//! BrokerRegistration, and brokers going out of and into service (Kafka's `ClusterControlManager`).

use logdyno_record::BrokerId;
use uuid::Uuid;

use super::{Refusal, leadership};
use crate::image::{Broker, MetadataImage};
use crate::record::{Endpoint, MetadataRecord};

/// A broker introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// `node.id`.
    pub broker: BrokerId,
    /// The `cluster.id` of its data directory; empty if that is new.
    pub cluster_id: String,
    /// Drawn anew by every process.
    pub incarnation: Uuid,
    /// Where it listens.
    pub endpoints: Vec<Endpoint>,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// The records of a registration; none if this process is registered already (a repeated request).
///
/// `is_alive` says whether the broker's present session is still running.
pub fn register(image: &MetadataImage, request: &Registration, is_alive: bool) -> Result<Vec<MetadataRecord>, Refusal> {
    let broker = request.broker;
    let ours = image.cluster_id().unwrap_or_default();
    if !request.cluster_id.is_empty() && request.cluster_id != ours {
        let (theirs, ours) = (request.cluster_id.clone(), ours.to_owned());
        return Err(Refusal::InconsistentClusterId { broker, theirs, ours });
    }
    if broker.0 < 0 || request.endpoints.is_empty() {
        let reason = format!("broker {broker} registers without an id of 0 or more, or without a listener");
        return Err(Refusal::InvalidRequest { reason });
    }
    match image.broker(broker) {
        Some(known) if known.incarnation == request.incarnation => return Ok(Vec::new()),
        Some(known) if is_alive && !known.fenced => return Err(Refusal::DuplicateBroker { broker }),
        _ => {}
    }
    let mut records = vec![MetadataRecord::BrokerRegistered {
        broker,
        incarnation: request.incarnation,
        endpoints: request.endpoints.clone(),
        rack: request.rack.clone(),
    }];
    // A process that was in service until now has left it without a word.
    records
        .extend(fence(image, broker).into_iter().filter(|record| matches!(record, MetadataRecord::Partition { .. })));
    records.extend(leadership::changes(image, broker, |state| leadership::after_registration(state, broker)));
    Ok(records)
}

/// The broker, if `epoch` is its present incarnation (errors 77, 102).
pub fn current(image: &MetadataImage, broker: BrokerId, epoch: i64) -> Result<&Broker, Refusal> {
    let known = image.broker(broker).ok_or(Refusal::NotRegistered { broker })?;
    if known.epoch != epoch {
        return Err(Refusal::StaleBrokerEpoch { broker, theirs: epoch, ours: known.epoch });
    }
    Ok(known)
}

/// The records that take a broker out of service.
pub fn fence(image: &MetadataImage, broker: BrokerId) -> Vec<MetadataRecord> {
    let Some(broker_epoch) = image.live_epoch(broker) else { return Vec::new() };
    let in_service = |id| id != broker && image.live_epoch(id).is_some();
    let mut records = vec![MetadataRecord::BrokerFenced { broker, broker_epoch, fenced: true }];
    records.extend(leadership::changes(image, broker, |state| leadership::after_fencing(state, broker, in_service)));
    records
}

/// A broker says that it is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Who.
    pub broker: BrokerId,
    /// Its incarnation.
    pub broker_epoch: i64,
    /// How much of the metadata it has applied: the offset of the last record, -1 for none.
    pub applied: i64,
    /// It wants to be out of service: not ready yet, or about to stop.
    pub want_fence: bool,
    /// It wants to stop.
    pub want_shut_down: bool,
}

/// What the broker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// It has applied its own registration, so it knows all that concerned it before.
    pub is_caught_up: bool,
    /// It is out of service.
    pub is_fenced: bool,
    /// It may stop now.
    pub should_shut_down: bool,
}

/// Lets a caught-up broker in, takes a leaving one out.
///
/// A broker that wants to stop is fenced and may go at once: leadership has nowhere to move yet.
pub fn heartbeat(
    image: &MetadataImage,
    request: &Heartbeat,
) -> Result<(HeartbeatAnswer, Vec<MetadataRecord>), Refusal> {
    let known = current(image, request.broker, request.broker_epoch)?;
    let is_caught_up = request.applied >= known.epoch;
    let wants_out = request.want_fence || request.want_shut_down;
    let is_fenced = wants_out || (known.fenced && !is_caught_up);
    let records = match (known.fenced, is_fenced) {
        (false, true) => fence(image, request.broker),
        (true, false) => vec![MetadataRecord::BrokerFenced {
            broker: request.broker,
            broker_epoch: request.broker_epoch,
            fenced: false,
        }],
        _ => Vec::new(),
    };
    Ok((HeartbeatAnswer { is_caught_up, is_fenced, should_shut_down: request.want_shut_down }, records))
}
