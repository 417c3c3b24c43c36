//! From flags and configuration file to what is to be served.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::Serve;

/// What is to be served: checked flags and the properties that all brokers share.
pub(super) struct Plan {
    /// How many brokers.
    pub(super) brokers: u8,
    /// Where the first broker listens; `None` leaves it to the configuration file.
    pub(super) listen: Option<SocketAddr>,
    /// Where the data is.
    pub(super) data: Data,
    /// Where the first broker tells its metrics.
    pub(super) metrics: Option<SocketAddr>,
    /// Others than this machine may connect.
    pub(super) insecure: bool,
    /// The configuration file's text.
    file: String,
    /// Settings of flags, which win over the file's.
    flags: Vec<(&'static str, String)>,
}

/// The data directory, and whether it outlives us.
pub(super) enum Data {
    /// Given by `--data`, or left to the configuration file's `log.dirs`.
    Kept(Option<PathBuf>),
    /// Made by us, removed at the end.
    Temporary(tempfile::TempDir),
}

impl Data {
    /// The directory; `None` where the configuration file names it.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Data::Kept(path) => path.as_deref(),
            Data::Temporary(dir) => Some(dir.path()),
        }
    }
}

impl Plan {
    pub(super) fn new(flags: Serve) -> anyhow::Result<Plan> {
        let file = match &flags.config {
            Some(path) => {
                std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?
            }
            None => String::new(),
        };
        if flags.brokers > 1 && (has_key(&file, "listeners") || has_key(&file, "node.id")) {
            bail!(
                "--brokers {} gives each broker its own node.id and listeners: take both out of the configuration file",
                flags.brokers
            );
        }
        let listen = match flags.listen {
            None if has_key(&file, "listeners") => None,
            given => Some(given.unwrap_or(super::DEFAULT_LISTEN)),
        };
        let open = listen.into_iter().chain(flags.metrics).find(|address| !address.ip().is_loopback());
        if let Some(address) = open.filter(|_| !flags.insecure) {
            bail!(
                "{address} is not a loopback address, and there is no TLS or authentication yet: listen on 127.0.0.1, or say --insecure"
            );
        }
        let data = match flags.data {
            Some(path) => Data::Kept(Some(path)),
            None if has_key(&file, "log.dirs") || has_key(&file, "log.dir") => Data::Kept(None),
            None => Data::Temporary(
                tempfile::Builder::new()
                    .prefix("logdyno-")
                    .tempdir()
                    .context("no temporary directory can be made: give one by --data")?,
            ),
        };
        let settings = flags.backend.map(|backend| ("logdyno.backend", backend)).into_iter().collect();
        let Serve { brokers, metrics, insecure, .. } = flags;
        Ok(Plan { brokers, listen, data, metrics, insecure, file, flags: settings })
    }

    /// The file's properties, but for those that flags or `own` set.
    pub(super) fn properties_with(&self, own: &[(&str, String)]) -> String {
        let set =
            || self.flags.iter().map(|(key, value)| (*key, value)).chain(own.iter().map(|(key, value)| (*key, value)));
        let kept = self.file.lines().filter(|line| !set().any(|(key, _)| key_of(line) == Some(key)));
        let kept = kept.map(|line| format!("{line}\n"));
        kept.chain(set().map(|(key, value)| format!("{key}={value}\n"))).collect()
    }
}

/// Whether a properties text sets a key.
fn has_key(text: &str, key: &str) -> bool {
    text.lines().any(|line| key_of(line) == Some(key))
}

/// What a line sets.
fn key_of(line: &str) -> Option<&str> {
    let name = line.split('=').next()?.trim();
    (!name.is_empty() && !name.starts_with(['#', '!'])).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(file: &str) -> Plan {
        Plan {
            brokers: 1,
            listen: None,
            data: Data::Kept(None),
            metrics: None,
            insecure: false,
            file: file.to_owned(),
            flags: vec![("logdyno.backend", "mmap".to_owned())],
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = "# node.id=7\nlogdyno.backend = uring\nnum.partitions=3\nlog.dirs=/data";
        let text = plan(file).properties_with(&[("log.dirs", "/other".to_owned())]);
        assert_eq!(text, "# node.id=7\nnum.partitions=3\nlogdyno.backend=mmap\nlog.dirs=/other\n");
    }
}
