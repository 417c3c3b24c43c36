//! A workload file as tables of keys, values and lines, before anyone knows what they mean.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{Place, WorkloadError};
use super::keys::OWN;
use super::paste;
use super::suggestion::nearest;

/// All tables there are.
const TABLES: [&str; 9] = ["workload", "records", "producer", "consumer", "topic", "broker", "kafka", "load", "run"];

/// What excludes each other, as the keys that each takes, with their tables.
type Alternatives = &'static [&'static [(&'static str, &'static str)]];

/// Where one thing can be said in several ways: `--set` of a key takes the place of the other ways.
const ALTERNATIVES: [Alternatives; 5] = [
    &[
        &[("load", "rate"), ("load", "arrivals")],
        &[("load", "steps")],
        &[("load", "ramp.from"), ("load", "ramp.to"), ("load", "ramp.over")],
        &[("load", "time.scale")],
        &[("load", "in.flight")],
    ],
    &[
        &[("records", "size")],
        &[("records", "size.min"), ("records", "size.max"), ("records", "size.skew")],
        &[("records", "size.from")],
    ],
    &[&[("records", "keys"), ("records", "key.skew")], &[("records", "keys.from"), ("records", "key")]],
    &[&[("run", "duration")], &[("records", "count")], &[("records", "passes")]],
    &[&[("run", "warm.up")], &[("run", "warm.up.records")], &[("run", "warm.up.passes")]],
];

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// Dotted keys are one name: `linger.ms`.
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) place: Place,
}

/// A value as written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Text, or anything else of `--set` that is neither number nor switch.
    Text(String),
    /// A number, as written: settings and rates are read from their digits, without going through a float.
    Number(String),
    /// `true` or `false`.
    Switch(bool),
    /// A list.
    List(Vec<Value>),
    /// A table within a list.
    Table(Vec<Entry>),
}

impl Value {
    /// As a properties file would say it.
    pub(super) fn property(&self) -> String {
        match self {
            Value::Text(text) | Value::Number(text) => text.clone(),
            Value::Switch(on) => on.to_string(),
            Value::List(values) => values.iter().map(Value::property).collect::<Vec<_>>().join(","),
            Value::Table(entries) => {
                let pairs = entries.iter().map(|entry| format!("{} = {}", entry.key, entry.value.property()));
                format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// The tables of a file, and what was set on top.
#[derive(Debug)]
pub(super) struct Raw {
    path: PathBuf,
    tables: Vec<(&'static str, Vec<Entry>)>,
}

impl Raw {
    /// Reads TOML, with properties allowed in Kafka's tables.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Raw, WorkloadError> {
        let text = paste::as_toml(text);
        let document = DeTable::parse(&text).map_err(|error| WorkloadError::Syntax {
            place: Place::Line(path.to_owned(), error.span().map_or(1, |span| line_of(&text, span.start))),
            reason: error.message().to_owned(),
        })?;
        let mut raw = Raw { path: path.to_owned(), tables: TABLES.iter().map(|name| (*name, Vec::new())).collect() };
        for (name, value) in document.get_ref() {
            let place = Place::Line(path.to_owned(), line_of(&text, name.span().start));
            let entries = raw.table(name.get_ref(), &place)?;
            let DeValue::Table(table) = value.get_ref() else {
                let reason = format!("`{}` is a table: write [{}]", name.get_ref(), name.get_ref());
                return Err(WorkloadError::Contradiction { place, reason });
            };
            flatten(path, &text, "", table, entries)?;
        }
        Ok(raw)
    }

    /// Applies `table.key=value`, replacing what the file says.
    pub(super) fn set(&mut self, setting: &str) -> Result<(), WorkloadError> {
        let place = Place::Option(format!("--set {setting}"));
        let parts = setting.split_once('=').and_then(|(name, value)| Some((name.trim().split_once('.')?, value)));
        let Some(((table, key), value)) = parts else {
            let reason = "it takes table.key=value, such as producer.linger.ms=0".to_owned();
            return Err(WorkloadError::Syntax { place, reason });
        };
        self.table(table, &place)?;
        for (key, value) in keys_and_values(key, value.trim(), &place) {
            for (table, key) in replaced(table, &key) {
                self.table(table, &place)?.retain(|entry| entry.key != key);
            }
            self.table(table, &place)?.push(Entry { key, value, place: place.clone() });
        }
        Ok(())
    }

    /// Where each key stands, as `table.key`.
    pub(super) fn places(&self) -> Vec<(String, Place)> {
        let entries = self.tables.iter().flat_map(|(table, entries)| entries.iter().map(move |entry| (table, entry)));
        entries.map(|(table, entry)| (format!("{table}.{}", entry.key), entry.place.clone())).collect()
    }

    /// Takes one of our own tables out: a key that it does not have is an error.
    pub(super) fn take(&mut self, name: &'static str) -> Result<Table, WorkloadError> {
        let table = self.take_open(name);
        let known = OWN.into_iter().find(|(own, _)| *own == name).map_or(&[][..], |(_, keys)| keys);
        match table.entries.iter().find(|entry| known.iter().all(|key| key.name != entry.key)) {
            None => Ok(table),
            Some(entry) => Err(WorkloadError::Unknown {
                place: entry.place.clone(),
                what: "key",
                key: format!("{name}.{}", entry.key),
                suggestion: nearest(&entry.key, known.iter().map(|key| key.name)),
            }),
        }
    }

    /// Takes a table out whose keys are Kafka's: others check them.
    pub(super) fn take_open(&mut self, name: &'static str) -> Table {
        let entries = self.tables.iter_mut().find(|(known, _)| *known == name);
        let entries = entries.map(|(_, entries)| std::mem::take(entries)).unwrap_or_default();
        Table { name, file: Place::File(self.path.clone()), entries }
    }

    fn table(&mut self, name: &str, place: &Place) -> Result<&mut Vec<Entry>, WorkloadError> {
        match self.tables.iter_mut().find(|(known, _)| *known == name) {
            Some((_, entries)) => Ok(entries),
            None => Err(WorkloadError::Unknown {
                place: place.clone(),
                what: "table",
                key: name.to_owned(),
                suggestion: nearest(name, TABLES),
            }),
        }
    }
}

/// A table that is being read.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The file, for what is missing.
    pub(super) file: Place,
    entries: Vec<Entry>,
}

impl Table {
    /// A table of these keys.
    pub(super) fn of(name: &'static str, file: Place, entries: Vec<Entry>) -> Table {
        Table { name, file, entries }
    }

    /// Whether a key is given and was not taken out.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Where a key stands; the file, if it is not given.
    pub(super) fn place_of(&self, key: &str) -> Place {
        let given = self.entries.iter().find(|entry| entry.key == key);
        given.map_or_else(|| self.file.clone(), |entry| entry.place.clone())
    }

    /// Takes a key out.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }

    /// Takes all that is left.
    pub(super) fn take_rest(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }
}

/// The keys that a key takes the place of: itself, and those of other ways to say it.
fn replaced<'a>(table: &'a str, key: &'a str) -> Vec<(&'a str, &'a str)> {
    let group = ALTERNATIVES.iter().find(|group| group.iter().any(|way| way.contains(&(table, key))));
    let others = group.into_iter().flat_map(|group| group.iter()).filter(|way| !way.contains(&(table, key)));
    others.flat_map(|way| way.iter().copied()).chain([(table, key)]).collect()
}

fn flatten(
    path: &Path,
    text: &str,
    prefix: &str,
    table: &DeTable<'_>,
    entries: &mut Vec<Entry>,
) -> Result<(), WorkloadError> {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.get_ref().to_string() } else { format!("{prefix}.{}", name.get_ref()) };
        let place = Place::Line(path.to_owned(), line_of(text, name.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => flatten(path, text, &key, inner, entries)?,
            value => {
                let at = |position: usize| Place::Line(path.to_owned(), line_of(text, position));
                let value = plain(value, &at).ok_or_else(|| WorkloadError::Contradiction {
                    place: place.clone(),
                    reason: format!("`{key}` takes text, a number, true or false, or a list of them"),
                })?;
                entries.push(Entry { key, value, place });
            }
        }
    }
    Ok(())
}

/// `place` says where a position of the text is.
fn plain(value: &DeValue<'_>, place: &dyn Fn(usize) -> Place) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::Text(text.to_string())),
        DeValue::Integer(number) if number.radix() == 10 => Some(Value::Number(number.as_str().replace('_', ""))),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| Value::Number(number.to_string()))
        }
        DeValue::Float(number) => Some(Value::Number(number.as_str().replace('_', ""))),
        DeValue::Boolean(on) => Some(Value::Switch(*on)),
        DeValue::Array(values) => {
            values.iter().map(|value| in_list(value.get_ref(), place)).collect::<Option<_>>().map(Value::List)
        }
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// Lists may hold tables, one level deep.
fn in_list(value: &DeValue<'_>, place: &dyn Fn(usize) -> Place) -> Option<Value> {
    let DeValue::Table(table) = value else { return plain(value, place) };
    let entry = |(name, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        let value = plain(value.get_ref(), place)?;
        Some(Entry { key: name.get_ref().to_string(), value, place: place(name.span().start) })
    };
    table.iter().map(entry).collect::<Option<_>>().map(Value::Table)
}

/// What a setting of the command line says: `size={ min = 8, max = 90 }` says `size.min` and `size.max`.
fn keys_and_values(key: &str, value: &str, place: &Place) -> Vec<(String, Value)> {
    let parsed = DeValue::parse(value).ok();
    match parsed.and_then(|value| in_list(value.get_ref(), &|_| place.clone())) {
        Some(Value::Table(entries)) => {
            entries.into_iter().map(|entry| (format!("{key}.{}", entry.key), entry.value)).collect()
        }
        _ => vec![(key.to_owned(), typed(value, place))],
    }
}

/// A value of the command line: TOML if it is, else text.
fn typed(text: &str, place: &Place) -> Value {
    let at = |_| place.clone();
    DeValue::parse(text)
        .ok()
        .and_then(|value| plain(value.get_ref(), &at))
        .unwrap_or_else(|| Value::Text(text.to_owned()))
}

fn line_of(text: &str, position: usize) -> usize {
    1 + text.as_bytes()[..position.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}
