//! The keys of the harness's own tables: the one list by which they are read, checked, suggested and told.

use std::fmt;

/// A key of a workload file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    /// As it would be written; empty if nothing takes its place, or if the meaning says what does.
    pub(crate) default: &'static str,
    pub(crate) meaning: &'static str,
}

/// What the value of a key can be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Takes {
    /// A whole number from the first to the second.
    Whole(u64, u64),
    /// A decimal number from the first to the second.
    Decimal(f64, f64),
    /// A rate or a factor, exact as it is written.
    Ratio,
    /// A time with its unit.
    Time,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Something else, in words.
    Other(&'static str),
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Takes::Whole(least, most) => write!(f, "a whole number from {least} to {most}"),
            Takes::Decimal(least, most) => write!(f, "a number from {least} to {most}"),
            Takes::Ratio => f.write_str("a number above 0, such as 2500, 0.5 or \"1/3600\""),
            Takes::Time => f.write_str("a time with its unit: ms, s, m or h"),
            Takes::Word(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                f.write_str(&words.join(" or "))
            }
            Takes::Other(words) => f.write_str(words),
        }
    }
}

const fn key(name: &'static str, takes: Takes, default: &'static str, meaning: &'static str) -> Key {
    Key { name, takes, default, meaning }
}

/// The tables with keys of our own.
pub(crate) const OWN: [(&str, &[Key]); 5] =
    [("workload", WORKLOAD), ("records", RECORDS), ("topic", TOPIC), ("load", LOAD), ("run", RUN)];

/// A key of one of these tables.
pub(super) fn find(table: &str, name: &str) -> Option<&'static Key> {
    let keys = OWN.into_iter().chain([("load.steps", STEP)]).find(|(known, _)| *known == table);
    keys.and_then(|(_, keys)| keys.iter().find(|key| key.name == name))
}

use Takes::{Decimal, Other, Ratio, Time, Whole, Word};

/// Each made-up value begins with its number in 8 bytes.
const SIZE: Takes = Whole(8, 64 << 20);
/// A law over more is a table too large to hold, and no more than 10 million records are drawn from it.
pub(super) const RANKS_MAX: u64 = 1 << 24;
const FILE: Takes = Other("a file; relative names are relative to the workload file");
const EXPONENT: Takes = Decimal(0.0, 10.0);

const WORKLOAD: &[Key] = &[
    key(
        "name",
        Other("letters, digits, dots, dashes and underscores"),
        "",
        "What the workload is called, in reports and as the name of its folder and topic; by default its file's name.",
    ),
    key("question", Other("text"), "", "What the workload is to answer, printed above its results."),
];

const RECORDS: &[Key] = &[
    key("file", FILE, "", "Records from a file, one a line."),
    key("trace", FILE, "", "Records of a trace that `logdyno capture` took, with its times, sizes and keys."),
    key(
        "format",
        Other("\"jsonl\", \"csv\" or \"text\""),
        "",
        "How the file is written; by default what its ending says.",
    ),
    key(
        "key",
        Other("a CSV column, or names in JSON joined by dots"),
        "",
        "The field that is a record's key; without it keys are null.",
    ),
    key(
        "time.field",
        Other("a CSV column, or names in JSON joined by dots"),
        "",
        "The field that is a record's own time, for load.time.scale.",
    ),
    key(
        "time.format",
        Other("\"unix-ms\", \"unix-s\" or a pattern of %Y %m %d %H %M %S, taken as UTC"),
        "unix-ms",
        "How that time is written.",
    ),
    key("size", SIZE, "", "Made-up records: bytes of a value."),
    key("size.min", SIZE, "", "Made-up records of different sizes: the least."),
    key("size.max", SIZE, "", "Made-up records of different sizes: the most."),
    key(
        "size.skew",
        EXPONENT,
        "0",
        "The exponent of Zipf's law between these: the least size is the most frequent; 0 makes all equally frequent.",
    ),
    key("size.from", FILE, "", "Made-up records with the sizes of a file's records, each as often as it occurs there."),
    key("keys.from", FILE, "", "Made-up records with the keys of a file's records; records.key names the field."),
    key(
        "entropy",
        Decimal(0.0, 8.0),
        "",
        "Bits of information in a byte of a made-up value: 8 cannot be compressed. It must be said.",
    ),
    key("keys", Whole(0, RANKS_MAX), "0", "How many different keys made-up records have; 0 leaves them null."),
    key("key.skew", EXPONENT, "0", "The exponent of Zipf's law over these keys; 0 makes all equally frequent."),
    key("distinct", Whole(1, 10_000_000), "10000", "How many different records are made up before they repeat."),
    key("seed", Whole(0, i64::MAX as u64), "1", "Where the random numbers of made-up values begin."),
    key("count", Whole(0, 1 << 40), "", "Send this many records in all, warm-up included."),
    key(
        "passes",
        Whole(0, 1 << 32),
        "",
        "Send all records this often, warm-up included. Without records.count, records.passes and run.duration it is once.",
    ),
];
/// Those that only records of a file have.
pub(super) const OF_FILES: &[&str] = &["time.field", "time.format"];
/// Those that only records have that come from a file, or take their sizes or keys from one.
pub(super) const OF_DATA: &[&str] = &["format", "key"];
/// Those that records of a trace do not have.
pub(super) const NOT_OF_TRACES: &[&str] = &[
    "file",
    "size",
    "size.min",
    "size.max",
    "size.skew",
    "size.from",
    "format",
    "key",
    "keys.from",
    "time.field",
    "time.format",
    "entropy",
    "keys",
    "key.skew",
    "distinct",
];
/// Those that only made-up records have.
pub(super) const OF_SYNTHETIC: &[&str] =
    &["size.min", "size.max", "size.skew", "size.from", "keys.from", "entropy", "keys", "key.skew", "distinct", "seed"];

/// Partitions of all topics.
pub(super) const PARTITIONS_MAX: u64 = 10_000;

/// Those of `[topic]` that are not Kafka's topic settings.
pub(super) const TOPIC: &[Key] = &[
    key(
        "name",
        Other("text"),
        "",
        "The topic that is written to, or what the names of several begin with; by default the workload's name.",
    ),
    key(
        "count",
        Whole(1, PARTITIONS_MAX),
        "1",
        "How many topics, NAME-0 and so on. A key's records go to one of them; records without a key go to each in turn.",
    ),
    key(
        "partitions",
        Whole(1, PARTITIONS_MAX),
        "1",
        "How many partitions each topic has; all topics together have 10000 at most.",
    ),
    key("replication.factor", Whole(1, 16), "1", "How many replicas of each."),
];

const LOAD: &[Key] = &[
    key("rate", Ratio, "", "Open loop: this many records a second, whatever the system does."),
    key(
        "arrivals",
        Word(&["even", "poisson"]),
        "even",
        "How the records of load.rate arrive: evenly, or each independent of the others.",
    ),
    key(
        "steps",
        Other(
            "a list of up to 100 steps, such as [{ rate = 1000, duration = \"10s\" }, { rate = 5000, duration = \"10s\" }]",
        ),
        "",
        "Open loop: one rate after another, each with figures of its own.",
    ),
    key("ramp.from", Ratio, "", "Open loop: a rate, in records a second, that rises or falls …"),
    key("ramp.to", Ratio, "", "… to this one, and stays there; measured is what comes after."),
    key("ramp.over", Time, "", "How long it takes to get there."),
    key("time.scale", Ratio, "", "Open loop: at the records' own times × this; 0.5 is twice as fast."),
    key(
        "in.flight",
        Whole(1, 1 << 24),
        "",
        "Closed loop: the next record is sent when fewer than this many are not yet acknowledged.",
    ),
];

/// Those of a step in `load.steps`.
pub(super) const STEP: &[Key] = &[key("rate", Ratio, "", "Records a second."), key("duration", Time, "", "How long.")];

const RUN: &[Key] = &[
    key("warm.up", Time, "", "What is sent first and not measured, as a time; without any warm.up, nothing."),
    key("warm.up.records", Whole(0, 1 << 40), "", "The same as a number of records."),
    key("warm.up.passes", Whole(0, 1 << 32), "", "The same as passes over the records."),
    key("duration", Time, "", "How long is measured after the warm-up."),
    key(
        "backends",
        Other("a list of \"buffered\", \"mmap\", \"uring\" or a backend of your own"),
        "",
        "Storage backends, one after the other; by default all that the machine runs.",
    ),
    key("brokers", Whole(1, 16), "", "How many brokers; by default as many as the topic has replicas."),
    key(
        "producers",
        Whole(1, 64),
        "1",
        "How many producers send, each from a thread of its own, taking records in turn.",
    ),
    key(
        "generator",
        Word(&["sleep", "spin"]),
        "sleep",
        "How they wait for a record's moment: asleep, or looking at the clock without end, which is late by less and takes a core.",
    ),
    key("repetitions", Whole(1, 1000), "1", "How often each backend is run, each time from nothing."),
    key(
        "target",
        Other("\"embedded\", \"log\", \"null\", \"kafka://HOST:PORT\" or a list of them"),
        "embedded",
        "The system under test; several stand side by side.",
    ),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::workload::{Overrides, Plan, WorkloadError, parse};

    /// Workloads of each kind: a key that goes with none of them goes with no workload.
    const KINDS: [&str; 5] = [
        "[records]\nsize = 100\nentropy = 4\nkeys = 5\n[load]\nrate = 1000\n",
        "[records]\nsize.min = 100\nsize.max = 200\nentropy = 4\n[load]\nramp.from = 1\nramp.to = 2\nramp.over = \"1s\"\n",
        "[records]\nfile = \"r.csv\"\ntime.field = \"at\"\n[load]\ntime.scale = 1\n",
        "[records]\ntrace = \"r.trace\"\n[load]\nin.flight = 10\n",
        "[records]\nsize.from = \"r.csv\"\nkeys.from = \"r.csv\"\nkey = \"a\"\nentropy = 1\n[load]\nsteps = [{ rate = 1, duration = \"1s\" }]\n",
    ];

    fn plan(kind: &str, settings: &[String]) -> Result<Plan, WorkloadError> {
        let overrides = Overrides { settings: settings.to_vec(), ..Overrides::default() };
        let mut plan = parse(Path::new("w.toml"), kind, &overrides)?;
        // Those of the plan that say how it was asked for, not what.
        (plan.overrides, plan.places) = (Vec::new(), Vec::new());
        Ok(plan)
    }

    fn keys() -> impl Iterator<Item = (&'static str, &'static Key)> {
        OWN.into_iter().flat_map(|(table, keys)| keys.iter().map(move |key| (table, key)))
    }

    #[test]
    fn saying_a_default_changes_nothing() {
        for (table, key) in keys().filter(|(_, key)| !key.default.is_empty()) {
            let said = vec![format!("{table}.{}={}", key.name, key.default)];
            let mut same = KINDS
                .iter()
                .filter(|kind| plan(kind, &said).is_ok_and(|said| Ok(said) == plan(kind, &[]).map_err(drop)));
            assert!(same.next().is_some(), "{said:?} is the default of no kind of workload");
        }
    }

    #[test]
    fn limits_are_what_is_accepted_and_not_one_more() {
        for (table, key) in keys() {
            let accepted =
                |value: &str| KINDS.iter().any(|kind| plan(kind, &[format!("{table}.{}={value}", key.name)]).is_ok());
            let (inside, outside) = match key.takes {
                Takes::Whole(least, most) if key.name == "size.min" || key.name == "size.max" => {
                    (vec![least.max(150).to_string()], vec![(most + 1).to_string()])
                }
                Takes::Whole(least, most) => {
                    let below = least.checked_sub(1).map_or_else(|| "-1".to_owned(), |below| below.to_string());
                    (vec![least.to_string(), most.to_string()], vec![below, (u128::from(most) + 1).to_string()])
                }
                Takes::Decimal(least, most) => {
                    (vec![least.to_string(), most.to_string()], vec!["-0.1".to_owned(), (most + 0.1).to_string()])
                }
                Takes::Ratio => (vec!["0.5".to_owned(), "1/3600".to_owned()], vec!["0".to_owned(), "-1".to_owned()]),
                Takes::Time => (vec!["2s".to_owned(), "500ms".to_owned()], vec!["2".to_owned(), "2d".to_owned()]),
                Takes::Word(words) => {
                    (words.iter().map(ToString::to_string).collect(), vec!["no-such-word".to_owned()])
                }
                Takes::Other(_) => continue,
            };
            for value in inside {
                assert!(accepted(&value), "{table}.{} = {value} is refused", key.name);
            }
            for value in outside {
                assert!(!accepted(&value), "{table}.{} = {value} is accepted", key.name);
            }
        }
    }

    #[test]
    fn each_key_has_a_meaning() {
        for (table, key) in keys().chain(STEP.iter().map(|key| ("load.steps", key))) {
            assert!(key.meaning.ends_with('.') || key.meaning.ends_with('…'), "{table}.{}: {}", key.name, key.meaning);
            assert!(!key.takes.to_string().is_empty());
        }
    }
}
