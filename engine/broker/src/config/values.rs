//! Values of settings, as text and as types.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use logdyno_controller::decide::topic_config::{ValueType, items, joined};
use logdyno_record::{BrokerId, TimestampType};
use logdyno_segment_log::CleanupPolicy;
use logdyno_storage::Level;

/// Text that is a value.
pub(super) trait Value: Sized {
    /// How Kafka's tools are told to take it.
    const TYPE: ValueType;

    fn parse(text: &str) -> Result<Self, String>;
    fn print(&self) -> String;
}

macro_rules! numbers {
    ($($number:ty: $kind:ident),+) => { $(
        impl Value for $number {
            const TYPE: ValueType = ValueType::$kind;

            fn parse(text: &str) -> Result<$number, String> {
                text.parse().map_err(|_| format!("it is a whole number from {} to {}", <$number>::MIN, <$number>::MAX))
            }
            fn print(&self) -> String {
                self.to_string()
            }
        }
    )+ };
}
numbers!(i16: Short, i32: Int, i64: Long);

impl Value for f64 {
    const TYPE: ValueType = ValueType::Double;

    fn parse(text: &str) -> Result<f64, String> {
        text.parse::<f64>().ok().filter(|number| !number.is_nan()).ok_or_else(|| "it is a number".to_owned())
    }
    /// As Java prints it, where all of it is told: 1.7976931348623157E308.
    fn print(&self) -> String {
        let plain = self.to_string();
        if plain.len() < 20 { plain } else { format!("{self:E}") }
    }
}

impl Value for bool {
    const TYPE: ValueType = ValueType::Boolean;

    fn parse(text: &str) -> Result<bool, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("it is true or false".to_owned()),
        }
    }
    fn print(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const TYPE: ValueType = ValueType::String;

    fn parse(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }
    fn print(&self) -> String {
        self.clone()
    }
}

impl Value for PathBuf {
    const TYPE: ValueType = ValueType::String;

    fn parse(text: &str) -> Result<PathBuf, String> {
        if text.contains(',') {
            return Err("one directory is supported; run a broker per device".to_owned());
        }
        if text.is_empty() { Err("it is a directory".to_owned()) } else { Ok(PathBuf::from(text)) }
    }
    fn print(&self) -> String {
        self.display().to_string()
    }
}

/// Whether a number is within bounds.
pub(super) fn within<T: PartialOrd + Value>(value: &T, bounds: RangeInclusive<T>) -> Result<(), String> {
    if bounds.contains(value) {
        return Ok(());
    }
    Err(format!("it is a number from {} to {}", bounds.start().print(), bounds.end().print()))
}

/// `process.roles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Whether a controller runs in this process too. A broker always does.
    pub controller: bool,
}

impl Value for Roles {
    const TYPE: ValueType = ValueType::List;

    fn parse(text: &str) -> Result<Roles, String> {
        let mut roles: Vec<&str> = text.split(',').map(str::trim).collect();
        roles.sort_unstable();
        match roles.as_slice() {
            ["broker"] => Ok(Roles { controller: false }),
            ["broker", "controller"] => Ok(Roles { controller: true }),
            _ => Err("it is 'broker' or 'broker,controller': a controller without a broker is not built".to_owned()),
        }
    }
    fn print(&self) -> String {
        if self.controller { "broker,controller" } else { "broker" }.to_owned()
    }
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerAddress {
    /// Its name.
    pub name: String,
    /// May be empty: all interfaces.
    pub host: String,
    /// 0 lets the kernel choose one.
    pub port: u16,
}

impl ListenerAddress {
    /// `HOST:PORT`, to bind to.
    pub fn bind_address(&self) -> String {
        let host = if self.host.is_empty() { "0.0.0.0" } else { &self.host };
        format!("{host}:{}", self.port)
    }
}

impl FromStr for ListenerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<ListenerAddress, String> {
        let form = || format!("'{text}' is not of the form NAME://HOST:PORT");
        let (name, address) = text.split_once("://").ok_or_else(form)?;
        let (host, port) = address.rsplit_once(':').ok_or_else(form)?;
        let port = port.parse().map_err(|_| form())?;
        Ok(ListenerAddress { name: name.to_owned(), host: host.to_owned(), port })
    }
}

/// `listeners` and `advertised.listeners`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints(pub Vec<ListenerAddress>);

impl Endpoints {
    /// The listener called `name`.
    pub fn named(&self, name: &str) -> Option<&ListenerAddress> {
        self.0.iter().find(|listener| listener.name == name)
    }
}

impl Value for Endpoints {
    const TYPE: ValueType = ValueType::List;

    fn parse(text: &str) -> Result<Endpoints, String> {
        let listeners = text.split(',').map(str::trim).filter(|listener| !listener.is_empty());
        listeners.map(str::parse).collect::<Result<Vec<_>, _>>().map(Endpoints)
    }
    fn print(&self) -> String {
        let listeners =
            self.0.iter().map(|listener| format!("{}://{}:{}", listener.name, listener.host, listener.port));
        listeners.collect::<Vec<_>>().join(",")
    }
}

/// `controller.quorum.voters`: `ID@HOST:PORT`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voters(pub Vec<(BrokerId, String)>);

impl Value for Voters {
    const TYPE: ValueType = ValueType::List;

    fn parse(text: &str) -> Result<Voters, String> {
        let voter = |text: &str| {
            let form = || format!("'{text}' is not of the form ID@HOST:PORT");
            let (id, address) = text.split_once('@').ok_or_else(form)?;
            let id = id.parse().map_err(|_| form())?;
            Ok((BrokerId(id), address.to_owned()))
        };
        let voters: Vec<_> = text
            .split(',')
            .map(str::trim)
            .filter(|voter| !voter.is_empty())
            .map(voter)
            .collect::<Result<_, String>>()?;
        if voters.len() > 1 {
            return Err("one voter is supported: the metadata quorum is not built".to_owned());
        }
        Ok(Voters(voters))
    }
    fn print(&self) -> String {
        self.0.iter().map(|(id, address)| format!("{id}@{address}")).collect::<Vec<_>>().join(",")
    }
}

/// `logdyno.ack.level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckLevel(pub Level);

impl Value for AckLevel {
    const TYPE: ValueType = ValueType::String;

    fn parse(text: &str) -> Result<AckLevel, String> {
        match text {
            "visible" => Ok(AckLevel(Level::Visible)),
            "written" => Ok(AckLevel(Level::Written)),
            "durable" => Ok(AckLevel(Level::Durable)),
            _ => Err("it is visible, written or durable".to_owned()),
        }
    }
    fn print(&self) -> String {
        match self.0 {
            Level::Visible => "visible",
            Level::Written => "written",
            Level::Durable => "durable",
        }
        .to_owned()
    }
}

/// `log.message.timestamp.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampSetting(pub TimestampType);

impl Value for TimestampSetting {
    const TYPE: ValueType = ValueType::String;

    fn parse(text: &str) -> Result<TimestampSetting, String> {
        match text {
            "CreateTime" => Ok(TimestampSetting(TimestampType::CreateTime)),
            "LogAppendTime" => Ok(TimestampSetting(TimestampType::LogAppendTime)),
            _ => Err("it is CreateTime or LogAppendTime".to_owned()),
        }
    }
    fn print(&self) -> String {
        match self.0 {
            TimestampType::CreateTime => "CreateTime",
            TimestampType::LogAppendTime => "LogAppendTime",
        }
        .to_owned()
    }
}

/// `log.cleanup.policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupSetting(pub CleanupPolicy);

impl Value for CleanupSetting {
    const TYPE: ValueType = ValueType::List;

    fn parse(text: &str) -> Result<CleanupSetting, String> {
        match items(text).find(|item| !["compact", "delete"].contains(item)) {
            Some(_) => Err("it is compact, delete, or both".to_owned()),
            None => Ok(CleanupSetting(cleanup_policy(text))),
        }
    }
    fn print(&self) -> String {
        let CleanupPolicy { delete, compact } = self.0;
        joined([(compact, "compact"), (delete, "delete")].into_iter().filter(|(is, _)| *is).map(|(_, word)| word))
    }
}

/// A list of policies that has been checked.
pub(crate) fn cleanup_policy(list: &str) -> CleanupPolicy {
    let has = |policy: &str| items(list).any(|item| item == policy);
    CleanupPolicy { delete: has("delete"), compact: has("compact") }
}

/// A value by the same rules as in a file, for settings that topics override.
pub(crate) fn parse_ack_level(text: &str) -> Option<Level> {
    AckLevel::parse(text).ok().map(|level| level.0)
}

/// As [`parse_ack_level`].
pub(crate) fn parse_timestamp_type(text: &str) -> Option<TimestampType> {
    TimestampSetting::parse(text).ok().map(|setting| setting.0)
}
