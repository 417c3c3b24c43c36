//! Checks pairs of names and values against a table of settings.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::ConfigError;
use super::setting::{Kind, Setting};
use super::suggestion::nearest;

/// Checked values of a table of settings: explicit ones and defaults.
#[derive(Clone, Debug)]
pub(super) struct Values {
    table: &'static [Setting],
    given: BTreeMap<&'static str, String>,
}

impl Values {
    /// Checks each pair alone; a later pair replaces an earlier one of the same name.
    pub(super) fn check<'a>(
        client: &'static str,
        table: &'static [Setting],
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Values, ConfigError> {
        let mut given = BTreeMap::new();
        for (key, value) in pairs {
            let (key, value) = (key.trim(), value.trim());
            let Some(setting) = table.iter().find(|setting| setting.name == key) else {
                return Err(unknown(client, table, key));
            };
            check_value(client, setting, value)?;
            given.insert(setting.name, value.to_owned());
        }
        Ok(Values { table, given })
    }

    /// True if the setting was given explicitly.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The value as text: as given, else the default.
    pub(super) fn text(&self, name: &'static str) -> &str {
        if let Some(value) = self.given.get(name) {
            return value;
        }
        let setting = self.table.iter().find(|setting| setting.name == name);
        setting.unwrap_or_else(|| panic!("`{name}` is not in the table of settings")).default
    }

    /// A number; its limits were checked.
    pub(super) fn number<N: std::str::FromStr>(&self, name: &'static str) -> N {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| panic!("`{name}` has no number within its type: `{text}`"))
    }

    /// A number of milliseconds.
    pub(super) fn millis(&self, name: &'static str) -> Duration {
        Duration::from_millis(self.number(name))
    }

    /// A switch.
    pub(super) fn switch(&self, name: &'static str) -> bool {
        self.text(name).eq_ignore_ascii_case("true")
    }

    /// A list; empty entries are dropped.
    pub(super) fn list(&self, name: &'static str) -> Vec<String> {
        self.text(name).split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
    }

    /// Names and values of all settings that are obeyed, in the order of the table.
    pub(super) fn effective(&self) -> Vec<(&'static str, String)> {
        let built = self.table.iter().filter(|setting| !matches!(setting.kind, Kind::NotBuilt(_)));
        built.map(|setting| (setting.name, self.obeyed(setting))).collect()
    }

    fn obeyed(&self, setting: &Setting) -> String {
        match setting.kind {
            Kind::Only { value, .. } => value.to_owned(),
            _ => self.text(setting.name).to_owned(),
        }
    }
}

fn unknown(client: &'static str, table: &[Setting], key: &str) -> ConfigError {
    let why = if key.starts_with("ssl.") || key.starts_with("sasl.") {
        Some("connections are plain text so far")
    } else {
        None
    };
    match why {
        Some(why) => ConfigError::NotBuilt { client, key: key.to_owned(), why: why.to_owned() },
        None => {
            let suggestion = nearest(key, table.iter().map(|setting| setting.name)).map(str::to_owned);
            ConfigError::Unknown { client, key: key.to_owned(), suggestion }
        }
    }
}

fn check_value(client: &'static str, setting: &Setting, value: &str) -> Result<(), ConfigError> {
    let invalid =
        |why: String| Err(ConfigError::Invalid { key: setting.name.to_owned(), value: value.to_owned(), why });
    match setting.kind {
        Kind::Int(min, max) => check_number(value, i64::from(min), i64::from(max)).or_else(invalid),
        Kind::Long(min, max) => check_number(value, min, max).or_else(invalid),
        Kind::Bool if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") => Ok(()),
        Kind::Bool => invalid("it takes `true` or `false`".to_owned()),
        Kind::Choice(words) if !words.contains(&value) => invalid(format!("it takes one of {}", words.join(", "))),
        Kind::Only { value: built, why } if !value.eq_ignore_ascii_case(built) => invalid(why.to_owned()),
        Kind::NotBuilt(why) => Err(ConfigError::NotBuilt { client, key: setting.name.to_owned(), why: why.to_owned() }),
        Kind::Text | Kind::List | Kind::Choice(_) | Kind::Only { .. } => Ok(()),
    }
}

fn check_number(value: &str, min: i64, max: i64) -> Result<(), String> {
    match value.parse::<i64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(()),
        Ok(_) => Err(format!("it takes a number from {min} to {max}")),
        Err(_) => Err("it takes a whole number without unit".to_owned()),
    }
}
