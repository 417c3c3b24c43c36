//! From raw tables to a plan: every key is known, every value in its limits, every default filled in.

mod kafka;
mod load;
mod records;
mod synthetic;
mod topic;
mod values;

use std::path::Path;

use logdyno_engine::client::{ConsumerConfig, ProducerConfig};

use self::kafka::{client_settings, settings};
use self::load::load;
use self::records::records;
use self::topic::topic;
use self::values::{Unit, one_extent, optional, text_of, texts, whole, word};
use super::Overrides;
use super::error::{Place, WorkloadError};
use super::plan::{Extent, Load, Plan, RecordSource, RunPlan, TopicPlan, Waiting};
use super::raw::{Entry, Raw, Table, Value};
use crate::load::Shard;

type Checked<T> = Result<T, WorkloadError>;

/// The plan that the tables describe.
pub(super) fn plan(path: &Path, text: &str, mut raw: Raw, overrides: &Overrides) -> Checked<Plan> {
    let places = places(&raw, overrides);
    let (name, question) = workload(path, raw.take("workload")?)?;
    let (records, extent) = records(path, raw.take("records")?)?;
    let producer = client_settings(raw.take_open("producer"), |pairs| ProducerConfig::from_pairs(pairs).map(drop))?;
    let consumer = client_settings(raw.take_open("consumer"), |pairs| ConsumerConfig::from_pairs(pairs).map(drop))?;
    let topic = topic(&name, raw.take_open("topic"))?;
    let broker = settings(raw.take_open("broker").take_rest());
    let kafka = settings(raw.take_open("kafka").take_rest());
    let has_times = records.time.is_some() || matches!(records.source, RecordSource::Trace { .. });
    let load = load(raw.take("load")?, has_times)?;
    let run = run(raw.take("run")?, extent, &load, &topic, overrides)?;
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
        kafka,
        load,
        run,
        places,
    })
}

/// Where the file's keys stand; an option of the command line stands before the key that it replaces.
fn places(raw: &Raw, overrides: &Overrides) -> Vec<(String, Place)> {
    let options = [
        ("run.target", "--target", overrides.targets.is_some()),
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
            "the workload's name `{name}` must be letters, digits, dots, dashes and underscores, since it names folders and the topic: rename the file, or say another `name` under [workload]"
        );
        return Err(WorkloadError::Contradiction { place, reason });
    }
    Ok((name, question))
}

fn run(
    mut table: Table,
    records: Option<Extent>,
    load: &Load,
    topic: &TopicPlan,
    overrides: &Overrides,
) -> Checked<RunPlan> {
    let duration = one_extent(&mut table, &[("duration", Unit::Time)])?;
    let warm_up = one_extent(
        &mut table,
        &[("warm.up", Unit::Time), ("warm.up.records", Unit::Records), ("warm.up.passes", Unit::Passes)],
    )?;
    let extent = match (records, duration) {
        (None, None) if let Load::Steps(steps) = load => Extent::Time(steps.iter().map(|step| step.duration).sum()),
        (Some(_), _) | (_, Some(_)) if matches!(load, Load::Steps(_)) => {
            let reason = "`load.steps` says how long each step is: take out `run.duration`, `records.count` and `records.passes`".to_owned();
            return Err(WorkloadError::Contradiction { place: table.file, reason });
        }
        (Some(_), Some(_)) => {
            let reason = "`run.duration` and `records.count` or `records.passes` exclude each other".to_owned();
            return Err(WorkloadError::Contradiction { place: table.file, reason });
        }
        (records, duration) => records.or(duration).unwrap_or(Extent::Passes(1)),
    };
    let brokers = table.take("brokers").map(|entry| whole(&table, &entry)).transpose()?;
    let brokers = brokers.unwrap_or(topic.replication_factor as u64) as u32;
    if i64::from(brokers) < i64::from(topic.replication_factor) {
        let reason = format!(
            "a replication factor of {} needs as many brokers: run.brokers is {brokers}",
            topic.replication_factor
        );
        return Err(WorkloadError::Contradiction { place: table.file, reason });
    }
    let backends = table.take("backends");
    let backends = backends.map_or(Ok(Vec::new()), |entry| texts(&table, &entry))?;
    let repetitions = optional(&mut table, "repetitions")? as u32;
    let producers = optional(&mut table, "producers")? as u32;
    let waiting = table.take("generator").map_or(Ok(Waiting::Sleep), |entry| waiting(&table, &entry))?;
    let targets = targets(&mut table, overrides)?;
    Ok(RunPlan {
        warm_up: warm_up.unwrap_or(Extent::Records(0)),
        extent,
        backends: overrides.backends.clone().unwrap_or(backends),
        backends_named: overrides.backends.is_some(),
        brokers,
        producers,
        waiting,
        shard: overrides.shard.unwrap_or(Shard::WHOLE),
        start_unix_ms: overrides.start_unix_ms,
        repetitions: overrides.repetitions.unwrap_or(repetitions),
        targets,
    })
}

fn waiting(table: &Table, generator: &Entry) -> Checked<Waiting> {
    Ok(if word(table, generator)? == "spin" { Waiting::Spin } else { Waiting::Sleep })
}

/// The targets, each once: an address may hold commas, so one text is one target.
fn targets(table: &mut Table, overrides: &Overrides) -> Checked<Vec<String>> {
    let given = table.take("target");
    let named = match &given {
        None => vec!["embedded".to_owned()],
        Some(Entry { value: Value::Text(name), .. }) => vec![name.clone()],
        Some(entry) => texts(table, entry)?,
    };
    let names = overrides.targets.clone().unwrap_or(named);
    let twice = (1..names.len()).find(|at| names[..*at].contains(&names[*at]));
    if names.is_empty() || twice.is_some() {
        let place =
            given.filter(|_| overrides.targets.is_none()).map_or_else(|| table.file.clone(), |entry| entry.place);
        let reason = twice.map_or_else(
            || "`run.target` is empty: name a target, such as embedded".to_owned(),
            |at| format!("target {} is named twice: run.repetitions runs one several times", names[at]),
        );
        return Err(WorkloadError::Contradiction { place, reason });
    }
    Ok(names)
}
