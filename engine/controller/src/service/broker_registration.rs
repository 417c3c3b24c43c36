//! BrokerRegistration (62).

use logdyno_record::BrokerId;
use logdyno_wire::messages::{BrokerRegistrationRequest, BrokerRegistrationResponse};

use super::{FAILED, OK};
use crate::active::Active;
use crate::decide::registration::Registration;
use crate::record::Endpoint;

pub(super) fn answer(active: &Active, request: &BrokerRegistrationRequest) -> BrokerRegistrationResponse {
    let endpoints = request.listeners.iter().map(|listener| Endpoint {
        listener: listener.name.to_string(),
        host: listener.host.to_string(),
        port: listener.port,
    });
    let registration = Registration {
        broker: BrokerId(request.broker_id.0),
        cluster_id: request.cluster_id.to_string(),
        incarnation: request.incarnation_id,
        endpoints: endpoints.collect(),
        rack: request.rack.as_ref().map(ToString::to_string),
    };
    let (error_code, broker_epoch) = match active.register(&registration) {
        Ok(Ok(epoch)) => (OK, epoch),
        Ok(Err(refusal)) => {
            // The broker asks again many times a second, and says itself what it was told.
            tracing::debug!(broker = %registration.broker, "a registration is refused: {refusal}");
            (refusal.code(), -1)
        }
        Err(error) => {
            tracing::error!("{error}");
            (FAILED, -1)
        }
    };
    BrokerRegistrationResponse::default().with_error_code(error_code).with_broker_epoch(broker_epoch)
}
