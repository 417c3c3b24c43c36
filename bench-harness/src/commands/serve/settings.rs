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
    /// The configuration file's text, with the flags' settings behind it: the last of a key wins.
    pub(super) properties: String,
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
        if let Some(address) = listen
            && !address.ip().is_loopback()
            && !flags.insecure
        {
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
        let mut properties = file;
        if let Some(backend) = &flags.backend {
            properties.push_str(&format!("\nlogdyno.backend={backend}"));
        }
        Ok(Plan { brokers: flags.brokers, listen, data, properties })
    }
}

/// Whether a properties text sets a key.
fn has_key(text: &str, key: &str) -> bool {
    text.lines().any(|line| line.split(['=', ':']).next().is_some_and(|name| name.trim() == key))
}
