//! `logdyno serve`: a broker for Kafka clients, or a cluster of them, until SIGTERM or Ctrl-C.
//!
//! One broker runs in this process. Several are child processes of this one, a process each, so that they share
//! nothing but sockets; each has a configuration file of its own in its data directory and can be started again
//! from it by hand.

mod cluster;
mod metrics;
mod node;
mod settings;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use logdyno_engine::storage::Kind;

use crate::parent::end_with_parent;
use settings::Plan;

/// Kafka's own port, on loopback.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9092);

/// Serve Kafka clients on this machine, from a storage backend of your choice.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one. Of several brokers the first listens here, the others on free ports
    /// [default: what the configuration file says, else 127.0.0.1:9092].
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<SocketAddr>,
    /// Storage backend: buffered, mmap or uring [default: what the configuration file says, else buffered].
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Data directory, kept after the end [default: a temporary one, removed at the end].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How many brokers; from 2 on each is a process of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    brokers: u8,
    /// Settings under Kafka's names, one `key=value` a line: also Kafka's own server.properties, of which settings of
    /// features that are not here are passed over with a warning. Flags above win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Tell Prometheus how the broker is, at http://HOST:PORT/metrics; port 0 takes a free one. Of several brokers the
    /// first listens here, the others on free ports [default: not told].
    #[arg(long, value_name = "HOST:PORT")]
    metrics: Option<SocketAddr>,
    /// Listen on addresses other than loopback, with neither TLS nor authentication.
    #[arg(long)]
    insecure: bool,
}

impl Serve {
    /// Serves until a signal ends it; prints `listening HOST:PORT` for each broker once it serves, and
    /// with `--metrics` then `metrics HOST:PORT` for each.
    pub(crate) fn run(self, kinds: &[Kind]) -> anyhow::Result<()> {
        end_with_parent();
        let plan = Plan::new(self)?;
        if plan.brokers == 1 { node::run(&plan, kinds) } else { cluster::run(&plan) }
    }
}
