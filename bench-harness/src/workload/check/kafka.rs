//! The tables with Kafka's names: each client checks its own settings.

use logdyno_engine::client::ConfigError;

use super::Checked;
use crate::workload::error::WorkloadError;
use crate::workload::plan::Settings;
use crate::workload::raw::{Entry, Table};

/// Stands in for the target's address while the clients' settings are checked.
const SOME_SERVER: (&str, &str) = ("bootstrap.servers", "127.0.0.1:9092");

/// Checks a client's settings one by one, so that an error has a line, then all together.
pub(super) fn client_settings(
    mut table: Table,
    check: impl Fn(Vec<(&str, &str)>) -> Result<(), ConfigError>,
) -> Checked<Settings> {
    let entries = table.take_rest();
    let refused = |entry: Option<&Entry>, reason: String| WorkloadError::Setting {
        place: entry.map_or_else(|| table.file.clone(), |entry| entry.place.clone()),
        reason,
    };
    if let Some(entry) = entries.iter().find(|entry| entry.key == SOME_SERVER.0) {
        return Err(refused(Some(entry), "bootstrap.servers comes from the target: leave it out".to_owned()));
    }
    for entry in &entries {
        let value = entry.value.property();
        match check(vec![SOME_SERVER, (&entry.key, &value)]) {
            // Rules between settings are for all of them together.
            Ok(()) | Err(ConfigError::Conflict(_)) => {}
            Err(error) => return Err(refused(Some(entry), error.to_string())),
        }
    }
    let settings = settings(entries.clone());
    let pairs = std::iter::once(SOME_SERVER).chain(settings.iter()).collect();
    check(pairs).map_err(|error| refused(entries.last(), error.to_string()))?;
    Ok(settings)
}

pub(super) fn settings(entries: Vec<Entry>) -> Settings {
    Settings { pairs: entries.into_iter().map(|entry| (entry.key, entry.value.property())).collect() }
}
