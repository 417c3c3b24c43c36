//! A plan as a result tells it: settings in effect, and in words what is sent where.

use std::path::Path;

use logdyno_engine::client::ConsumerConfig;

use crate::records::RecordSet;
use crate::result::Workload;
use crate::target::settings;
use crate::workload::{Keys, Load, Plan, RecordSource, Sizes, TopicPlan};

/// What a result says of its workload.
pub(super) fn describe(plan: &Plan, records: &RecordSet) -> Workload {
    let consumer = ConsumerConfig::from_pairs(
        std::iter::once(("bootstrap.servers", "127.0.0.1:9092")).chain(plan.consumer.iter()),
    );
    let without_servers = |settings: Vec<(&'static str, String)>| {
        let settings = settings.into_iter().filter(|(name, _)| *name != "bootstrap.servers");
        settings.map(|(name, value)| (name.to_owned(), value)).collect()
    };
    let topic = &plan.topic;
    Workload {
        name: plan.name.clone(),
        question: plan.question.clone(),
        file: plan.path.display().to_string(),
        text: plan.text.clone(),
        overrides: plan.overrides.clone(),
        records: records.len(),
        records_distinct: records.distinct(),
        records_bytes: records.bytes(),
        load: load_in_words(plan),
        topic: topics_in_words(topic),
        topics: topic.count,
        partitions: topic.partitions,
        producer: without_servers(settings::producer(plan).effective()),
        consumer: consumer.map(|config| without_servers(config.effective())).unwrap_or_default(),
        topic_configs: topic.configs.pairs.clone(),
        broker: plan.broker.pairs.clone(),
        brokers: plan.run.brokers,
        producers: plan.run.producers,
    }
}

fn topics_in_words(plan: &TopicPlan) -> String {
    let TopicPlan { name, count, replication_factor, .. } = plan;
    let partitions = match plan.partitions {
        1 => "1 partition".to_owned(),
        partitions => format!("{partitions} partitions"),
    };
    match count {
        1 => format!("{name}, {partitions}, replication factor {replication_factor}"),
        _ => format!(
            "{name}-0 to {name}-{} ({count} topics), {partitions} each, replication factor {replication_factor}",
            count - 1
        ),
    }
}

/// A file without the place where it lies, which is another one on each machine.
fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn load_in_words(plan: &Plan) -> String {
    let source = match &plan.records.source {
        RecordSource::File { path, .. } => format!("from {}", name_of(path)),
        RecordSource::Trace { path, .. } => format!("replayed from {}", name_of(path)),
        RecordSource::Synthetic { size, entropy, keys, .. } => {
            format!("made up with {entropy} bits per byte{}{}", sizes_in_words(size), keys_in_words(keys))
        }
    };
    let load = match &plan.load {
        Load::Rate(rate) => format!("open loop, {rate}/s"),
        Load::Poisson(rate) => format!("open loop, {rate}/s in the mean, Poisson arrivals"),
        Load::Times(scale) => format!("open loop at their own times × {scale}"),
        Load::Steps(steps) => {
            let steps = steps.iter().map(|step| format!("{}/s for {} s", step.rate, step.duration.as_secs_f64()));
            format!("open loop in {} steps: {}", steps.len(), steps.collect::<Vec<_>>().join(", "))
        }
        Load::Ramp(ramp) => format!(
            "open loop, {}/s after a ramp of {} s from {}/s, which is not measured",
            ramp.to(),
            ramp.over().as_secs_f64(),
            ramp.from()
        ),
        Load::Closed { in_flight } => format!("closed loop, {in_flight} in flight"),
    };
    format!("{source} · {load}")
}

/// What is to be said of sizes that differ.
fn sizes_in_words(sizes: &Sizes) -> String {
    match sizes {
        Sizes::Fixed(_) => String::new(),
        Sizes::Between { least, most, skew } if *skew == 0.0 => format!(", {least} to {most} B uniformly"),
        Sizes::Between { least, most, skew } => format!(", {least} to {most} B by Zipf's law of {skew}"),
        Sizes::OfFile(file) => format!(", sizes of {}", name_of(&file.path)),
    }
}

fn keys_in_words(keys: &Keys) -> String {
    match keys {
        Keys::Null => String::new(),
        Keys::Made { count, skew } if *skew == 0.0 => format!(", {count} keys"),
        Keys::Made { count, skew } => format!(", {count} keys by Zipf's law of {skew}"),
        Keys::OfFile { file, field } => format!(", keys of `{field}` in {}", name_of(&file.path)),
    }
}
