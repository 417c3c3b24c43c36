//! Registration and heartbeats.

use std::time::Duration;

use logdyno_wire::StrBytes;
use logdyno_wire::messages::broker_registration_request::Listener;
use logdyno_wire::messages::{self, BrokerHeartbeatRequest, BrokerRegistrationRequest};

use super::{Client, ClientError};
use crate::decide::registration::{Heartbeat, HeartbeatAnswer, Registration};

impl Client {
    /// Registers this process; gives its broker epoch. Repeats until it is taken or `patience` is over.
    ///
    /// A process with the same id that died without a word is remembered as alive for
    /// `broker.session.timeout.ms`: patience has to be longer than that. A refusal for good comes at once.
    pub async fn register(&self, registration: &Registration, patience: Duration) -> Result<i64, ClientError> {
        let give_up = tokio::time::Instant::now() + patience;
        let mut told = false;
        loop {
            match self.register_once(registration).await {
                Err(error) if error.is_passing() && tokio::time::Instant::now() < give_up => {
                    // Once: a refusal lasts up to a session, a controller that is not there yet is nothing to report.
                    if !told && matches!(error, ClientError::Refused { .. }) {
                        tracing::warn!("broker {} tries again to register: {error}", registration.broker);
                        told = true;
                    }
                    tokio::time::sleep(self.config.retry_backoff).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn register_once(&self, registration: &Registration) -> Result<i64, ClientError> {
        let text = |text: &str| StrBytes::from_string(text.to_owned());
        let listeners = registration.endpoints.iter().map(|endpoint| {
            let listener = Listener::default().with_name(text(&endpoint.listener));
            listener.with_host(text(&endpoint.host)).with_port(endpoint.port).with_security_protocol(0)
        });
        let request = BrokerRegistrationRequest::default()
            .with_broker_id(messages::BrokerId(registration.broker.0))
            .with_cluster_id(text(&registration.cluster_id))
            .with_incarnation_id(registration.incarnation)
            .with_listeners(listeners.collect())
            .with_rack(registration.rack.as_deref().map(text));
        let response = self.call(&self.requests, request, 0).await?;
        refuse("the registration", response.error_code)?;
        Ok(response.broker_epoch)
    }

    /// Sends one heartbeat. Not retried: the next one is due soon.
    pub async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<HeartbeatAnswer, ClientError> {
        let request = BrokerHeartbeatRequest::default()
            .with_broker_id(messages::BrokerId(heartbeat.broker.0))
            .with_broker_epoch(heartbeat.broker_epoch)
            .with_current_metadata_offset(heartbeat.applied)
            .with_want_fence(heartbeat.want_fence)
            .with_want_shut_down(heartbeat.want_shut_down);
        let response = self.call(&self.heartbeats, request, 0).await?;
        refuse("the heartbeat", response.error_code)?;
        Ok(HeartbeatAnswer {
            is_caught_up: response.is_caught_up,
            is_fenced: response.is_fenced,
            should_shut_down: response.should_shut_down,
        })
    }
}

pub(super) fn refuse(what: &'static str, code: i16) -> Result<(), ClientError> {
    if code == 0 { Ok(()) } else { Err(ClientError::Refused { what, code }) }
}
