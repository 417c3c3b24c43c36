//! `[kafka]`: librdkafka's own properties, as they stand, also from a file, which is the place for secrets.

use std::path::Path;

use crate::target::Objection;
use crate::workload::Plan;

/// Names a file of properties; relative to the workload's.
const FILE: &str = "properties.file";

/// What the target decides itself.
const OURS: [&str; 10] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "auto.offset.reset",
    "delivery.report.only.error",
    "statistics.interval.ms",
    "log.queue",
];

/// Other names of what `[producer]` and `[consumer]` say.
const ALIASES: [(&str, &str); 9] = [
    ("request.required.acks", "acks"),
    ("message.timeout.ms", "delivery.timeout.ms"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("compression.codec", "compression.type"),
    ("retries", "message.send.max.retries"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("topic.partitioner", "partitioner"),
    ("max.request.size", "message.max.bytes"),
];

/// The properties of a plan: name, value, and the setting to blame for it.
pub(super) fn of(plan: &Plan) -> Result<Vec<(String, String, String)>, Objection> {
    let mut found = Vec::new();
    if let Some(file) = plan.kafka.get(FILE) {
        let object = |reason| Objection { setting: format!("kafka.{FILE}"), reason };
        let path = plan.path.parent().unwrap_or(Path::new("")).join(file);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| object(format!("{} cannot be read: {error}", path.display())))?;
        for (name, value) in
            parse(&text).map_err(|(line, reason)| object(format!("{}:{line}: {reason}", path.display())))?
        {
            check_name(&name).map_err(|reason| object(format!("{}: {reason}", path.display())))?;
            found.push((name, value, format!("kafka.{FILE}")));
        }
    }
    for (name, value) in plan.kafka.iter().filter(|(name, _)| *name != FILE) {
        let setting = format!("kafka.{name}");
        let checked = if is_secret(name) {
            Err(format!("{name} would be saved with every result: write it to a file and say kafka.{FILE}"))
        } else {
            check_name(name)
        };
        checked.map_err(|reason| Objection { setting: setting.clone(), reason })?;
        found.push((name.to_owned(), value.to_owned(), setting));
    }
    Ok(found)
}

/// The first name of a property.
pub(super) fn plain_name(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, plain)| plain)
}

fn is_secret(name: &str) -> bool {
    name.contains("password") || name.contains("secret") || name == "ssl.key.pem" || name == "sasl.oauthbearer.config"
}

fn check_name(name: &str) -> Result<(), String> {
    if OURS.contains(&name) || name.ends_with("_cb") {
        return Err(format!("{name} is chosen by the target: leave it out"));
    }
    Ok(())
}

/// `name=value` lines; `#` and `!` begin comments, as in Java's properties.
fn parse(text: &str) -> Result<Vec<(String, String)>, (usize, &'static str)> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', '!']));
    let pair = |(number, line): (usize, &str)| {
        let (name, value) = line.split_once('=').ok_or((number, "a line is name=value"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    lines.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Overrides, parse as parse_workload};

    fn properties(dir: &Path, kafka: &str) -> Result<Vec<(String, String, String)>, Objection> {
        let text = format!("[records]\nsize=10\nentropy=8\ncount=1\n[load]\nrate=1\n[kafka]\n{kafka}");
        of(&parse_workload(&dir.join("w.toml"), &text, &Overrides::default()).unwrap())
    }

    #[test]
    fn a_file_holds_secrets_and_a_workload_does_not() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("client.properties"), "# mine\nsasl.password = a=b \n\nsasl.username=me\n")
            .unwrap();
        let found = properties(dir.path(), "properties.file = \"client.properties\"\nsecurity.protocol = \"sasl_ssl\"");
        let found: Vec<_> = found.unwrap().into_iter().map(|(name, value, _)| (name, value)).collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            found,
            [pair("sasl.password", "a=b"), pair("sasl.username", "me"), pair("security.protocol", "sasl_ssl")]
        );
        for secret in ["sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem"] {
            let objection = properties(dir.path(), &format!("{secret} = \"hidden\"")).unwrap_err();
            assert_eq!(objection.setting, format!("kafka.{secret}"));
            assert!(!objection.reason.contains("hidden") && objection.reason.contains("kafka.properties.file"));
        }
    }

    #[test]
    fn a_file_that_is_not_there_or_no_properties_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("p"), "a=1\nnonsense\n").unwrap();
        assert!(properties(dir.path(), "properties.file = \"p\"").unwrap_err().reason.contains("p:2:"));
        assert!(properties(dir.path(), "properties.file = \"q\"").unwrap_err().reason.contains("cannot be read"));
    }

    #[test]
    fn what_the_target_chooses_is_refused() {
        let refused = |text: &str| properties(Path::new("."), text).unwrap_err().setting;
        assert_eq!(refused("group.id = \"mine\""), "kafka.group.id");
        assert_eq!(refused("bootstrap.servers = \"h:1\""), "kafka.bootstrap.servers");
    }
}
