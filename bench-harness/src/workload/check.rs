//! From raw tables to a plan: every key is known, every value in its limits, every default filled in.

use std::path::Path;
use std::time::Duration;

use logdyno_engine::client::{ConfigError, ConsumerConfig, ProducerConfig};

use super::Overrides;
use super::error::{Place, WorkloadError};
use super::plan::{
    Extent, FileFormat, Load, Plan, RecordPlan, RecordSource, RunPlan, Settings, TimeField, TimeFormat, TopicPlan,
};
use super::raw::{Entry, Raw, Table, Value};
use crate::load::Ratio;

/// The keys of the harness's own tables.
mod keys {
    pub(super) const WORKLOAD: &[&str] = &["name", "question"];
    pub(super) const RECORDS: &[&str] = &[
        "file",
        "format",
        "key",
        "time.field",
        "time.format",
        "size",
        "entropy",
        "keys",
        "key.skew",
        "distinct",
        "seed",
        "count",
        "passes",
    ];
    /// Those that only records of a file have.
    pub(super) const OF_FILES: &[&str] = &["format", "key", "time.field", "time.format"];
    /// Those that only made-up records have.
    pub(super) const OF_SYNTHETIC: &[&str] = &["entropy", "keys", "key.skew", "distinct", "seed"];
    pub(super) const LOAD: &[&str] = &["rate", "time.scale", "in.flight"];
    pub(super) const RUN: &[&str] = &[
        "warm.up",
        "warm.up.records",
        "warm.up.passes",
        "duration",
        "backends",
        "brokers",
        "producers",
        "repetitions",
        "target",
    ];
}

type Checked<T> = Result<T, WorkloadError>;

/// Stands in for the target's address while the clients' settings are checked.
const SOME_SERVER: (&str, &str) = ("bootstrap.servers", "127.0.0.1:9092");

/// The plan that the tables describe.
pub(super) fn plan(path: &Path, text: &str, mut raw: Raw, overrides: &Overrides) -> Checked<Plan> {
    let places = places(&raw, overrides);
    let (name, question) = workload(path, raw.take("workload", keys::WORKLOAD)?)?;
    let (records, extent) = records(path, raw.take("records", keys::RECORDS)?)?;
    let producer = client_settings(raw.take_open("producer"), |pairs| ProducerConfig::from_pairs(pairs).map(drop))?;
    let consumer = client_settings(raw.take_open("consumer"), |pairs| ConsumerConfig::from_pairs(pairs).map(drop))?;
    let topic = topic(&name, raw.take_open("topic"))?;
    let broker = settings(raw.take_open("broker").take_rest());
    let load = load(raw.take("load", keys::LOAD)?, records.time.is_some())?;
    let run = run(raw.take("run", keys::RUN)?, extent, &topic, overrides)?;
    Ok(Plan {
        name,
        question,
        path: path.to_owned(),
        text: text.to_owned(),
        overrides: overrides.settings.clone(),
        records,
        producer,
        consumer,
        topic,
        broker,
        load,
        run,
        places,
    })
}

/// Where the file's keys stand; an option of the command line stands before the key that it replaces.
fn places(raw: &Raw, overrides: &Overrides) -> Vec<(String, Place)> {
    let options = [
        ("run.target", "--target", overrides.target.is_some()),
        ("run.backends", "--backend", overrides.backends.is_some()),
    ];
    let options = options.into_iter().filter(|(_, _, is_given)| *is_given);
    options.map(|(key, option, _)| (key.to_owned(), Place::Option(option.to_owned()))).chain(raw.places()).collect()
}

fn workload(path: &Path, mut table: Table) -> Checked<(String, String)> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = table.take("name");
    let place = name.as_ref().map_or_else(|| table.file.clone(), |entry| entry.place.clone());
    let name = name.map_or(Ok(stem), |entry| text_of(&table, &entry))?;
    let question = table.take("question").map_or(Ok(String::new()), |entry| text_of(&table, &entry))?;
    let fits = !name.is_empty() && name.len() <= 200 && name != "." && name != "..";
    if !fits || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        let reason = format!(
            "the workload's name `{name}` must be letters, digits, dots, dashes and underscores: it names folders and the topic"
        );
        return Err(WorkloadError::Contradiction { place, reason });
    }
    Ok((name, question))
}

fn records(path: &Path, mut table: Table) -> Checked<(RecordPlan, Option<Extent>)> {
    let file = table.take("file");
    let (foreign, belongs) = match file {
        Some(_) => (keys::OF_SYNTHETIC, "records that are made up: these come from a `file`"),
        None => (keys::OF_FILES, "records of a `file`: these are made up"),
    };
    if let Some(entry) = foreign.iter().find_map(|key| table.take(key)) {
        let reason = format!("`records.{}` is for {belongs}", entry.key);
        return Err(WorkloadError::Contradiction { place: entry.place, reason });
    }
    let format = table.take("format");
    let key = table.take("key").map(|entry| text_of(&table, &entry)).transpose()?;
    let time = time_field(&mut table)?;
    let size = table.take("size");
    let source = match (file, size) {
        (Some(file), None) => RecordSource::File {
            format: file_format(&table, &file, format.as_ref())?,
            path: path.parent().unwrap_or(Path::new("")).join(text_of(&table, &file)?),
        },
        (None, Some(size)) => synthetic(&mut table, &size)?,
        (Some(_), Some(size)) => {
            let reason = "records come from a `file` or are made up with a `size`, not both".to_owned();
            return Err(WorkloadError::Contradiction { place: size.place, reason });
        }
        (None, None) => {
            let reason = "[records] needs a `file`, or a `size` to make records up".to_owned();
            return Err(WorkloadError::Contradiction { place: table.file, reason });
        }
    };
    let extent = one_extent(&mut table, &[("count", Unit::Records), ("passes", Unit::Passes)])?;
    Ok((RecordPlan { source, key, time }, extent))
}

fn file_format(table: &Table, file: &Entry, format: Option<&Entry>) -> Checked<FileFormat> {
    let named = match format {
        Some(format) => text_of(table, format)?,
        None => text_of(table, file)?.rsplit('.').next().unwrap_or_default().to_owned(),
    };
    match named.as_str() {
        "jsonl" | "ndjson" | "json" => Ok(FileFormat::JsonLines),
        "csv" => Ok(FileFormat::Csv),
        "text" | "txt" | "log" => Ok(FileFormat::Text),
        _ => Err(refuse(table, format.unwrap_or(file), "say `format`: jsonl, csv or text")),
    }
}

fn time_field(table: &mut Table) -> Checked<Option<TimeField>> {
    let format = table.take("time.format");
    let Some(field) = table.take("time.field") else {
        return match format {
            None => Ok(None),
            Some(format) => Err(refuse(table, &format, "it needs a `time.field`")),
        };
    };
    let format = match format {
        None => TimeFormat::UnixMillis,
        Some(entry) => match text_of(table, &entry)?.as_str() {
            "unix-ms" => TimeFormat::UnixMillis,
            "unix-s" => TimeFormat::UnixSeconds,
            pattern if pattern.contains('%') => TimeFormat::Pattern(pattern.to_owned()),
            _ => return Err(refuse(table, &entry, "it is unix-ms, unix-s or a pattern of %Y %m %d %H %M %S")),
        },
    };
    Ok(Some(TimeField { field: text_of(table, &field)?, format }))
}

fn synthetic(table: &mut Table, size: &Entry) -> Checked<RecordSource> {
    let entropy = match table.take("entropy") {
        Some(entry) => decimal(table, &entry, 0.0, 8.0, "bits of information per byte, 0 to 8")?,
        None => {
            let reason = "made-up records need an `entropy` (bits per byte, 0 to 8): what a codec can do depends on it"
                .to_owned();
            return Err(WorkloadError::Contradiction { place: size.place.clone(), reason });
        }
    };
    Ok(RecordSource::Synthetic {
        size: whole(table, size, 8, 64 << 20)? as usize,
        entropy,
        keys: optional(table, "keys", 0, 0, u32::MAX.into())? as u32,
        key_skew: match table.take("key.skew") {
            Some(entry) => decimal(table, &entry, 0.0, 10.0, "the exponent of Zipf's law, 0 to 10")?,
            None => 0.0,
        },
        distinct: optional(table, "distinct", 10_000, 1, 10_000_000)? as u32,
        seed: optional(table, "seed", 1, 0, i64::MAX as u64)?,
    })
}

/// Checks a client's settings one by one, so that an error has a line, then all together.
fn client_settings(
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

fn settings(entries: Vec<Entry>) -> Settings {
    Settings { pairs: entries.into_iter().map(|entry| (entry.key, entry.value.property())).collect() }
}

fn topic(workload: &str, mut table: Table) -> Checked<TopicPlan> {
    let name = table.take("name").map_or_else(|| Ok(workload.to_owned()), |entry| text_of(&table, &entry))?;
    let partitions = optional(&mut table, "partitions", 1, 1, 10_000)? as i32;
    let replication_factor = optional(&mut table, "replication.factor", 1, 1, 16)? as i16;
    Ok(TopicPlan { name, partitions, replication_factor, configs: settings(table.take_rest()) })
}

fn load(mut table: Table, has_times: bool) -> Checked<Load> {
    let rate = table.take("rate");
    let scale = table.take("time.scale");
    let in_flight = table.take("in.flight");
    let load = match (&rate, &scale, &in_flight) {
        (Some(rate), None, None) => Load::Rate(ratio(&table, rate)?),
        (None, Some(scale), None) if has_times => Load::Times(ratio(&table, scale)?),
        (None, Some(scale), None) => {
            return Err(refuse(&table, scale, "the records have no time of their own: say records.time.field"));
        }
        (None, None, Some(in_flight)) => Load::Closed { in_flight: whole(&table, in_flight, 1, 1 << 24)? },
        _ => {
            let reason = "[load] needs exactly one of `rate` (records a second, open loop), `time.scale` (the records' own times × this, open loop) and `in.flight` (closed loop)";
            let place = [in_flight, scale, rate].into_iter().flatten().next().map_or(table.file, |entry| entry.place);
            return Err(WorkloadError::Contradiction { place, reason: reason.to_owned() });
        }
    };
    Ok(load)
}

fn run(mut table: Table, records: Option<Extent>, topic: &TopicPlan, overrides: &Overrides) -> Checked<RunPlan> {
    let duration = one_extent(&mut table, &[("duration", Unit::Time)])?;
    let warm_up = one_extent(
        &mut table,
        &[("warm.up", Unit::Time), ("warm.up.records", Unit::Records), ("warm.up.passes", Unit::Passes)],
    )?;
    let extent = match (records, duration) {
        (Some(_), Some(_)) => {
            let reason = "`run.duration` and `records.count` or `records.passes` exclude each other".to_owned();
            return Err(WorkloadError::Contradiction { place: table.file, reason });
        }
        (records, duration) => records.or(duration).unwrap_or(Extent::Passes(1)),
    };
    let brokers = optional(&mut table, "brokers", topic.replication_factor as u64, 1, 16)? as u32;
    if i64::from(brokers) < i64::from(topic.replication_factor) {
        let reason = format!(
            "a replication factor of {} needs as many brokers: run.brokers is {brokers}",
            topic.replication_factor
        );
        return Err(WorkloadError::Contradiction { place: table.file, reason });
    }
    let backends = table.take("backends");
    let backends = backends.map_or(Ok(Vec::new()), |entry| texts(&table, &entry))?;
    let repetitions = optional(&mut table, "repetitions", 1, 1, 1000)? as u32;
    let producers = optional(&mut table, "producers", 1, 1, 64)? as u32;
    let target = table.take("target").map_or(Ok("embedded".to_owned()), |entry| text_of(&table, &entry))?;
    Ok(RunPlan {
        warm_up: warm_up.unwrap_or(Extent::Records(0)),
        extent,
        backends: overrides.backends.clone().unwrap_or(backends),
        backends_named: overrides.backends.is_some(),
        brokers,
        producers,
        repetitions: overrides.repetitions.unwrap_or(repetitions),
        target: overrides.target.clone().unwrap_or(target),
    })
}

#[derive(Clone, Copy)]
enum Unit {
    Time,
    Records,
    Passes,
}

/// The one of these keys that is given, if any.
fn one_extent(table: &mut Table, keys: &[(&'static str, Unit)]) -> Checked<Option<Extent>> {
    let mut found: Option<(Extent, Place)> = None;
    for (key, unit) in keys {
        let Some(entry) = table.take(key) else { continue };
        if found.is_some() {
            let names = keys.iter().map(|(key, _)| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let reason = format!("only one of {names} can be given");
            return Err(WorkloadError::Contradiction { place: entry.place, reason });
        }
        let extent = match unit {
            Unit::Time => Extent::Time(duration(table, &entry)?),
            Unit::Records => Extent::Records(whole(table, &entry, 0, 1 << 40)?),
            Unit::Passes => Extent::Passes(whole(table, &entry, 0, 1 << 32)?),
        };
        found = Some((extent, entry.place));
    }
    Ok(found.map(|(extent, _)| extent))
}

fn text_of(table: &Table, entry: &Entry) -> Checked<String> {
    match &entry.value {
        Value::Text(text) => Ok(text.clone()),
        _ => Err(refuse(table, entry, "it takes text")),
    }
}

fn texts(table: &Table, entry: &Entry) -> Checked<Vec<String>> {
    let why = "it takes a list of names";
    match &entry.value {
        Value::Text(text) => Ok(text.split(',').map(|name| name.trim().to_owned()).collect()),
        Value::List(values) => values
            .iter()
            .map(|value| match value {
                Value::Text(text) => Ok(text.clone()),
                _ => Err(refuse(table, entry, why)),
            })
            .collect(),
        _ => Err(refuse(table, entry, why)),
    }
}

fn whole(table: &Table, entry: &Entry, min: u64, max: u64) -> Checked<u64> {
    let why = || format!("it takes a whole number from {min} to {max}");
    match &entry.value {
        Value::Number(digits) => digits.parse().ok().filter(|number| (min..=max).contains(number)),
        _ => None,
    }
    .ok_or_else(|| refuse(table, entry, &why()))
}

fn optional(table: &mut Table, key: &'static str, default: u64, min: u64, max: u64) -> Checked<u64> {
    table.take(key).map_or(Ok(default), |entry| whole(table, &entry, min, max))
}

fn decimal(table: &Table, entry: &Entry, min: f64, max: f64, why: &str) -> Checked<f64> {
    match &entry.value {
        Value::Number(digits) => digits.parse().ok().filter(|number| (min..=max).contains(number)),
        _ => None,
    }
    .ok_or_else(|| refuse(table, entry, why))
}

fn ratio(table: &Table, entry: &Entry) -> Checked<Ratio> {
    match &entry.value {
        Value::Number(text) | Value::Text(text) => text.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| refuse(table, entry, "it takes a number above 0, such as 2500, 0.5 or \"1/3600\""))
}

fn duration(table: &Table, entry: &Entry) -> Checked<Duration> {
    let Value::Text(text) = &entry.value else {
        return Err(refuse(table, entry, "it takes a time with its unit, such as \"10s\" or \"500ms\""));
    };
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "ms" => Some(1e-3),
        "s" => Some(1.0),
        "m" | "min" => Some(60.0),
        "h" => Some(3600.0),
        _ => None,
    };
    let seconds = seconds.and_then(|unit| Some(number.parse::<f64>().ok()? * unit));
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| refuse(table, entry, "it takes a time with its unit: ms, s, m or h"))
}

fn refuse(table: &Table, entry: &Entry, why: &str) -> WorkloadError {
    WorkloadError::Value {
        place: entry.place.clone(),
        key: format!("{}.{}", table.name, entry.key),
        value: entry.value.property(),
        why: why.to_owned(),
    }
}
