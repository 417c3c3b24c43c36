//! Several brokers, each a child process of this one.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::node::announce;
use super::settings::Plan;
use crate::parent::bind;
use crate::signal::Stop;

/// How often free ports are chosen anew when another process takes one before its broker does.
const PORT_ATTEMPTS: usize = 5;
/// How long a broker may take to close its logs before the cluster's end goes on without it.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the brokers until a signal, then stops them all.
pub(super) fn run(plan: &Plan) -> anyhow::Result<()> {
    let stop = Stop::on_signals().context("signals cannot be watched")?;
    let root = plan.data.path().context("several brokers need --data DIR, or no log.dirs in the configuration file")?;
    let mut cluster = start(plan, root)?;
    for broker in &cluster.brokers {
        announce("listening", &broker.address)?;
    }
    for address in cluster.brokers.iter().filter_map(|broker| broker.metrics.as_ref()) {
        announce("metrics", address)?;
    }
    while !stop.wait_for(Duration::from_millis(200)) {
        cluster.report_deaths();
    }
    cluster.stop()
}

struct Cluster {
    brokers: Vec<BrokerProcess>,
}

struct BrokerProcess {
    id: u8,
    address: String,
    metrics: Option<String>,
    config: PathBuf,
    process: Child,
    ended: bool,
}

/// Starts all brokers; the first is the controller.
///
/// A free port may be taken between its choice and its use: then all start again with other ones.
fn start(plan: &Plan, root: &Path) -> anyhow::Result<Cluster> {
    let mut last = None;
    for _ in 0..PORT_ATTEMPTS {
        match start_once(plan, root) {
            Ok(cluster) => return Ok(cluster),
            Err(error) => last = Some(error),
        }
        if plan.listen.is_some_and(|address| address.port() != 0) {
            break;
        }
    }
    Err(last.expect("at least one attempt was made"))
}

fn start_once(plan: &Plan, root: &Path) -> anyhow::Result<Cluster> {
    let listen = plan.listen.unwrap_or(super::DEFAULT_LISTEN);
    let controller = free_port(listen)?;
    let mut cluster = Cluster { brokers: Vec::new() };
    for id in 1..=plan.brokers {
        let address = if id == 1 && listen.port() != 0 { listen } else { free_port(listen)? };
        let config = write_config(plan, root, id, address, controller)?;
        cluster.brokers.push(spawn(plan, id, config)?);
    }
    for broker in &mut cluster.brokers {
        broker.wait_until_it_serves(plan.metrics.is_some())?;
    }
    Ok(cluster)
}

/// A port of the host that nobody uses now.
fn free_port(host: SocketAddr) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((host.ip(), 0)).with_context(|| format!("no free port on {}", host.ip()))?;
    Ok(listener.local_addr()?)
}

fn write_config(
    plan: &Plan,
    root: &Path,
    id: u8,
    address: SocketAddr,
    controller: SocketAddr,
) -> anyhow::Result<PathBuf> {
    let dir = root.join(id.to_string());
    std::fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let controls = id == 1;
    let (roles, controller_listener) =
        if controls { ("broker,controller", format!(",CONTROLLER://{controller}")) } else { ("broker", String::new()) };
    let text = plan.properties_with(&[
        ("node.id", id.to_string()),
        ("process.roles", roles.to_owned()),
        ("listeners", format!("PLAINTEXT://{address}{controller_listener}")),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("controller.quorum.voters", format!("1@{controller}")),
        ("log.dirs", dir.join("data").display().to_string()),
    ]);
    let path = dir.join("server.properties");
    std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

fn spawn(plan: &Plan, id: u8, config: PathBuf) -> anyhow::Result<BrokerProcess> {
    let binary = std::env::current_exe().context("this program's own file is not known")?;
    let mut command = Command::new(binary);
    command.args(["serve", "--config"]).arg(&config);
    if plan.insecure {
        command.arg("--insecure");
    }
    if let Some(first) = plan.metrics {
        let port = if id == 1 { first.port() } else { 0 };
        command.arg("--metrics").arg(SocketAddr::new(first.ip(), port).to_string());
    }
    let process = bind(&mut command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("a broker's process cannot be started")?;
    tracing::info!(broker = id, pid = process.id(), "started");
    Ok(BrokerProcess { id, address: String::new(), metrics: None, config, process, ended: false })
}

impl BrokerProcess {
    /// Reads the broker's `listening` line, and its `metrics` line if it says one.
    fn wait_until_it_serves(&mut self, has_metrics: bool) -> anyhow::Result<()> {
        let out: ChildStdout = self.process.stdout.take().context("the broker's output is not piped")?;
        let mut out = BufReader::new(out);
        self.address = self.said(&mut out, "listening")?;
        if has_metrics {
            self.metrics = Some(self.said(&mut out, "metrics")?);
        }
        Ok(())
    }

    /// The address that the broker's next line tells.
    fn said(&self, out: &mut impl BufRead, what: &str) -> anyhow::Result<String> {
        let mut line = String::new();
        out.read_line(&mut line)?;
        match line.trim().strip_prefix(what) {
            Some(address) => Ok(address.trim().to_owned()),
            None => bail!("broker {} ended before it served; what it said stands above", self.id),
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::debug!(broker = self.id, %error, "the broker was gone already");
        }
    }
}

impl Cluster {
    /// Says once of each broker that has died how to start it again; the others go on.
    fn report_deaths(&mut self) {
        for broker in self.brokers.iter_mut().filter(|broker| !broker.ended) {
            if let Ok(Some(status)) = broker.process.try_wait() {
                broker.ended = true;
                eprintln!(
                    "broker {} ended ({status}); the others go on. Start it again by: logdyno serve --config {}",
                    broker.id,
                    broker.config.display()
                );
            }
        }
    }

    /// Ends the followers first and the controller last, and waits for each to close its logs.
    fn stop(mut self) -> anyhow::Result<()> {
        let mut unclean = Vec::new();
        while let Some(mut broker) = self.brokers.pop() {
            if broker.ended {
                continue;
            }
            broker.signal(Signal::TERM);
            let deadline = Instant::now() + STOP_TIMEOUT;
            while broker.process.try_wait()?.is_none() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(10));
            }
            match broker.process.try_wait()? {
                Some(status) if status.success() => {}
                _ => unclean.push(broker.id.to_string()),
            }
        }
        if !unclean.is_empty() {
            bail!("broker {} did not stop cleanly: its next start recovers its logs", unclean.join(", "));
        }
        Ok(())
    }
}

impl Drop for Cluster {
    /// A start that failed halfway leaves no broker behind.
    fn drop(&mut self) {
        for broker in &mut self.brokers {
            if let Ok(None) = broker.process.try_wait() {
                broker.signal(Signal::KILL);
                if let Err(error) = broker.process.wait() {
                    tracing::debug!(broker = broker.id, %error, "not waited for");
                }
            }
        }
    }
}
