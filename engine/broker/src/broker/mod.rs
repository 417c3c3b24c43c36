//! A running broker: what it is made of (`foundation`), what runs on that (`running`), and how it is stopped.

mod foundation;
mod metadata;
mod registration;
mod running;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use logdyno_controller::Controller;
use logdyno_record::{Clock, Probe};
use logdyno_storage::Kind;
use logdyno_storage::contract::Backend;
use logdyno_storage::seam::Disk;
use logdyno_storage::seam::real::RealDisk;
use tokio::runtime::Runtime;

use crate::config::BrokerConfig;
use crate::counters::{BrokerCounts, Counters};
use crate::error::{StartError, StopError};
use crate::figures::BrokerFigures;
use foundation::Foundation;
use running::Running;

/// What still runs when a broker is told to stop gets this long.
const STOP_TIME: Duration = Duration::from_secs(10);

/// A broker, on threads of its own. [`Broker::stop`] stops it cleanly; one that is dropped stops as if its process had died: once it is
/// dropped, nothing of it runs any more, and its directories are free for another.
pub struct Broker {
    runtime: Option<Runtime>,
    running: Option<Running>,
    address: SocketAddr,
    controller_address: Option<SocketAddr>,
    backend: Arc<dyn Backend>,
    counters: Arc<Counters>,
}

impl Broker {
    /// Starts a broker, and its controller if `process.roles` says so. Returns once the controller has let it into service.
    pub fn start(
        config: BrokerConfig,
        kinds: &[Kind],
        clock: Arc<dyn Clock>,
        probe: Arc<dyn Probe>,
    ) -> Result<Broker, StartError> {
        Broker::start_over(Arc::new(RealDisk), config, kinds, clock, probe)
    }

    /// As [`Broker::start`], with its logs on a disk that need not be the real one: `seam::simulated` has one that loses power.
    pub fn start_over(
        disk: Arc<dyn Disk>,
        config: BrokerConfig,
        kinds: &[Kind],
        clock: Arc<dyn Clock>,
        probe: Arc<dyn Probe>,
    ) -> Result<Broker, StartError> {
        let foundation = Foundation::new(config, kinds, disk, clock, probe)?;
        let (backend, counters) = (Arc::clone(&foundation.backend), Arc::clone(&foundation.counters));
        let runtime = foundation.runtime()?;
        let (running, address) = runtime.block_on(foundation.start())?;
        let controller_address = running.controller.as_ref().map(Controller::address);
        Ok(Broker { runtime: Some(runtime), running: Some(running), address, controller_address, backend, counters })
    }

    /// Where clients come in.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where other brokers find the controller, if it runs here.
    pub fn controller_address(&self) -> Option<SocketAddr> {
        self.controller_address
    }

    /// What the broker has done so far.
    pub fn counters(&self) -> BrokerCounts {
        self.counters.counts(self.backend.counters())
    }

    /// How it is now.
    pub fn figures(&self) -> BrokerFigures {
        self.running.as_ref().map(|running| BrokerFigures::of(&running.desk)).unwrap_or_default()
    }

    /// Stops: answers nothing more, tells the controller, closes the logs cleanly.
    pub fn stop(mut self) -> Result<(), StopError> {
        let (Some(runtime), Some(running)) = (self.runtime.take(), self.running.take()) else { return Ok(()) };
        let stopped = runtime.block_on(running.stop());
        runtime.shutdown_timeout(STOP_TIME);
        stopped
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // On a thread of its own: a runtime must not wait for another one's end on its own threads.
        if let Some(runtime) = self.runtime.take() {
            drop(std::thread::spawn(move || runtime.shutdown_timeout(STOP_TIME)).join());
        }
    }
}
