//! One broker in this process.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context;
use logdyno_engine::broker::{Broker, BrokerConfig};
use logdyno_engine::record::{NoProbe, SystemClock};
use logdyno_engine::storage::Kind;

use super::settings::Plan;
use crate::signal::Stop;

/// Runs one broker, which is its own controller unless the configuration file says otherwise, until a signal.
pub(super) fn run(plan: &Plan, kinds: &[Kind]) -> anyhow::Result<()> {
    let stop = Stop::on_signals().context("signals cannot be watched")?;
    let config = BrokerConfig::from_properties(&properties(plan))?;
    let broker = Broker::start(config, kinds, Arc::new(SystemClock), Arc::new(NoProbe))?;
    announce(broker.address())?;
    stop.wait();
    broker.stop()?;
    Ok(())
}

/// Says on stdout that a broker serves: what scripts wait for.
pub(super) fn announce(address: impl std::fmt::Display) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening {address}")?;
    out.flush()?;
    Ok(())
}

fn properties(plan: &Plan) -> String {
    let mut text = plan.properties.clone();
    let mut set = |key: &str, value: String| text.push_str(&format!("\n{key}={value}"));
    if let Some(address) = plan.listen {
        set("listeners", format!("PLAINTEXT://{address},CONTROLLER://127.0.0.1:0"));
        set("controller.listener.names", "CONTROLLER".into());
        set("process.roles", "broker,controller".into());
        set("node.id", "1".into());
    }
    if let Some(dir) = plan.data.path() {
        set("log.dirs", dir.display().to_string());
    }
    text
}
