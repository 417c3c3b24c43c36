//! How this broker introduces itself: who it is, and where it is reached.

use std::net::SocketAddr;

use logdyno_controller::decide::registration::Registration;
use logdyno_controller::record::Endpoint;
use uuid::Uuid;

use super::foundation::Foundation;

impl Foundation {
    pub(super) fn registration(&self, address: SocketAddr, cluster_id: String) -> Registration {
        let config = &self.config;
        let name = config.client_listener().map_or_else(String::new, |listener| listener.name.clone());
        let advertised = config.advertised_listeners.named(&name);
        let address = reachable(address);
        let (host, port) = advertised.map_or((address.ip().to_string(), 0), |to| (to.host.clone(), to.port));
        // Port 0, advertised or not, is the one that the kernel chose.
        let port = if port == 0 { address.port() } else { port };
        Registration {
            broker: config.id(),
            cluster_id,
            incarnation: Uuid::new_v4(),
            endpoints: vec![Endpoint { listener: name, host, port }],
            rack: (!config.broker_rack.is_empty()).then(|| config.broker_rack.clone()),
        }
    }
}

/// "All interfaces" is no address to connect to; from this machine loopback is.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], v4.port())),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, v6.port())),
        other => other,
    }
}
