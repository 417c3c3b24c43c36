//! The brokers: from a text of properties each, to a list of addresses.

use std::net::SocketAddr;
use std::sync::Arc;

use logdyno_engine::broker::{Broker, BrokerConfig, StartError};
use logdyno_engine::storage::{Counts, Kind};

use crate::target::settings;
use crate::target::{Observation, Setup, TargetError};

/// Running brokers; the first one is the controller, too.
pub(super) struct Cluster {
    brokers: Vec<Broker>,
}

impl Cluster {
    /// Starts as many brokers as the plan says.
    pub(super) fn start(setup: &Setup) -> Result<Cluster, TargetError> {
        let Some(kind) = &setup.backend else {
            return Err(TargetError::Failed("the embedded target was started without a storage backend".to_owned()));
        };
        let first = start_broker(setup, kind, 1, None)?;
        let Some(controller) = first.controller_address() else {
            return Err(TargetError::Failed("broker 1 runs no controller".to_owned()));
        };
        // Each waits until the controller has let it into service: together they wait once.
        let others = std::thread::scope(|scope| {
            let starting = (2..=setup.plan.run.brokers)
                .map(|id| scope.spawn(move || start_broker(setup, kind, id, Some(controller))));
            let starting: Vec<_> = starting.collect();
            let started = starting
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            started.collect::<Result<Vec<Broker>, TargetError>>()
        })?;
        Ok(Cluster { brokers: std::iter::once(first).chain(others).collect() })
    }

    /// `bootstrap.servers`.
    pub(super) fn bootstrap_servers(&self) -> String {
        self.brokers.iter().map(|broker| broker.address().to_string()).collect::<Vec<_>>().join(",")
    }

    /// All brokers' counters, added up.
    pub(super) fn observe(&self) -> Observation {
        let mut storage = Counts::default();
        let mut counters: Vec<(&'static str, u64)> = Vec::new();
        for counts in self.brokers.iter().map(Broker::counters) {
            storage = storage.plus(&counts.storage);
            let named = counts.named();
            match counters.is_empty() {
                true => counters = named,
                false => counters.iter_mut().zip(named).for_each(|(sum, (_, count))| sum.1 += count),
            }
        }
        Observation { storage: Some(storage), counters }
    }

    /// Stops every broker, the controller last: the others take their leave of it.
    pub(super) fn stop(self) -> Result<(), TargetError> {
        let mut failed = Ok(());
        for broker in self.brokers.into_iter().rev() {
            if let Err(error) = broker.stop() {
                failed = Err(TargetError::Failed(error.to_string()));
            }
        }
        failed
    }
}

fn start_broker(setup: &Setup, kind: &Kind, id: u32, controller: Option<SocketAddr>) -> Result<Broker, TargetError> {
    let text = settings::properties(&setup.plan, &setup.dir.join(format!("broker-{id}")), kind.name, id, controller);
    let config = BrokerConfig::from_properties(&text).map_err(|error| TargetError::Failed(error.to_string()))?;
    let started = Broker::start_over(
        Arc::clone(&setup.disk),
        config,
        std::slice::from_ref(kind),
        Arc::clone(&setup.clock),
        Arc::clone(&setup.probe),
    );
    started.map_err(|error| match error {
        StartError::Backend(refused) => TargetError::Refused(refused),
        error => TargetError::Failed(format!("broker {id} does not start: {error}")),
    })
}
