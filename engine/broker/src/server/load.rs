//! What connections hold, all together, and where that ends: `max.connections`, `max.connections.per.ip` and
//! `queued.max.request.bytes`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::BrokerConfig;

/// Bytes are counted in units of this many.
const UNIT_BYTES: usize = 1024;

/// Why a connection is closed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("there are max.connections={0} already")]
    Everywhere(usize),
    #[error("there are max.connections.per.ip={0} from its address already")]
    FromThere(usize),
}

/// The load of one broker.
#[derive(Debug)]
pub(crate) struct Load {
    connections_max: usize,
    per_address_max: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
    bytes: Arc<Semaphore>,
    units_max: usize,
}

/// A connection's place among the open ones; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    load: Arc<Load>,
    address: IpAddr,
}

impl Load {
    pub(crate) fn new(config: &BrokerConfig) -> Load {
        let count = |number: i32| usize::try_from(number).unwrap_or(1);
        let units_max = match usize::try_from(config.queued_max_request_bytes) {
            Ok(bytes) if bytes > 0 => bytes.div_ceil(UNIT_BYTES).min(Semaphore::MAX_PERMITS),
            // -1: no limit.
            _ => Semaphore::MAX_PERMITS,
        };
        Load {
            connections_max: count(config.max_connections),
            per_address_max: usize::try_from(config.max_connections_per_ip).unwrap_or(0),
            open: Mutex::default(),
            bytes: Arc::new(Semaphore::new(units_max)),
            units_max,
        }
    }

    /// A place for a connection from `address`, if there is one.
    pub(super) fn take_in(self: &Arc<Load>, address: IpAddr) -> Result<Place, Full> {
        let mut open = self.open();
        if open.values().sum::<usize>() >= self.connections_max {
            return Err(Full::Everywhere(self.connections_max));
        }
        let from_there = open.entry(address).or_default();
        if *from_there >= self.per_address_max {
            if *from_there == 0 {
                open.remove(&address);
            }
            return Err(Full::FromThere(self.per_address_max));
        }
        *from_there += 1;
        Ok(Place { load: Arc::clone(self), address })
    }

    /// Waits until there is room for a request of this size; one that is larger than all the room takes all of it.
    pub(super) async fn request(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = bytes.div_ceil(UNIT_BYTES).clamp(1, self.units_max.min(u32::MAX as usize));
        let wanted = u32::try_from(units).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        Arc::clone(&self.bytes).acquire_many_owned(wanted).await.ok()
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.open().values().sum()
    }

    /// Bytes of requests in flight, in whole units.
    pub(crate) fn request_bytes(&self) -> u64 {
        ((self.units_max - self.bytes.available_permits()) * UNIT_BYTES) as u64
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.load.open();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn load(connections: i32, per_address: i32) -> Arc<Load> {
        Arc::new(Load::new(&BrokerConfig {
            max_connections: connections,
            max_connections_per_ip: per_address,
            ..BrokerConfig::default()
        }))
    }

    fn from(last: u8) -> IpAddr {
        Ipv4Addr::new(127, 0, 0, last).into()
    }

    #[test]
    fn each_address_and_all_together_have_a_limit() {
        let load = load(3, 2);
        let one = load.take_in(from(1)).expect("a place");
        let _two = load.take_in(from(1)).expect("a place");
        assert_eq!(load.take_in(from(1)).expect_err("full"), Full::FromThere(2));
        let _three = load.take_in(from(2)).expect("a place");
        assert_eq!(load.take_in(from(3)).expect_err("full"), Full::Everywhere(3));
        drop(one);
        assert_eq!(load.connections(), 2);
        load.take_in(from(3)).expect("a place");
        assert_eq!(super::Load::connections(&self::load(3, 0)), 0);
        assert_eq!(self::load(3, 0).take_in(from(1)).expect_err("nobody"), Full::FromThere(0));
    }
}
