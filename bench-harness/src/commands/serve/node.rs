//! One broker in this process.

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use logdyno_engine::broker::{Broker, BrokerConfig};
use logdyno_engine::record::{NoProbe, SystemClock};
use logdyno_engine::storage::Kind;

use super::metrics;
use super::settings::Plan;
use crate::signal::Stop;

/// Runs one broker, which is its own controller unless the configuration file says otherwise, until a signal.
pub(super) fn run(plan: &Plan, kinds: &[Kind]) -> anyhow::Result<()> {
    let stop = Stop::on_signals().context("signals cannot be watched")?;
    let (config, not_obeyed) = BrokerConfig::from_server_properties(&properties(plan))?;
    for setting in not_obeyed {
        tracing::warn!("{setting}");
    }
    check_listeners(&config, plan.insecure)?;
    let broker = Arc::new(Broker::start(config, kinds, Arc::new(SystemClock), Arc::new(NoProbe))?);
    let metrics = plan.metrics.map(|listen| metrics::serve(listen, &broker)).transpose()?;
    announce("listening", broker.address())?;
    if let Some(address) = metrics {
        announce("metrics", address)?;
    }
    stop.wait();
    alone(broker).stop()?;
    Ok(())
}

/// The broker without the page of metrics, which may be in the making for a moment yet.
fn alone(mut broker: Arc<Broker>) -> Broker {
    loop {
        match Arc::try_unwrap(broker) {
            Ok(broker) => return broker,
            Err(shared) => broker = shared,
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Refuses listeners that others can reach: there is neither TLS nor authentication.
fn check_listeners(config: &BrokerConfig, insecure: bool) -> anyhow::Result<()> {
    let is_loopback =
        |host: &str| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match config.listeners.0.iter().find(|listener| !is_loopback(listener.host.trim_matches(['[', ']']))) {
        Some(open) if !insecure => bail!(
            "listeners has {}://{}:{}, which is not a loopback address, and there is no TLS or authentication yet: listen on 127.0.0.1, or say --insecure",
            open.name,
            open.host,
            open.port
        ),
        _ => Ok(()),
    }
}

/// Says on stdout what serves where: what scripts wait for.
pub(super) fn announce(what: &str, address: impl std::fmt::Display) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what} {address}")?;
    out.flush()?;
    Ok(())
}

fn properties(plan: &Plan) -> String {
    let mut own = Vec::new();
    if let Some(address) = plan.listen {
        own.push(("listeners", format!("PLAINTEXT://{address},CONTROLLER://127.0.0.1:0")));
        own.push(("controller.listener.names", "CONTROLLER".into()));
        own.push(("process.roles", "broker,controller".into()));
        own.push(("node.id", "1".into()));
    }
    if let Some(dir) = plan.data.path() {
        own.push(("log.dirs", dir.display().to_string()));
    }
    plan.properties_with(&own)
}
