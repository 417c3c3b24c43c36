//! The checked plan: what a workload file means, with every default filled in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Place;
use crate::load::{LoadStep, Ramp, Ratio, Shard};

/// What to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The workload's name: that of its file unless it says another.
    pub name: String,
    /// The question it answers.
    pub question: String,
    /// Where it was read from.
    pub path: PathBuf,
    /// The file's text.
    pub text: String,
    /// What was set on the command line, as `table.key=value`.
    pub overrides: Vec<String>,
    /// What is sent.
    pub records: RecordPlan,
    /// The producer's settings under Kafka's names, checked, without `bootstrap.servers`.
    pub producer: Settings,
    /// The consumer's settings likewise.
    pub consumer: Settings,
    /// The topics.
    pub topic: TopicPlan,
    /// The brokers' settings under the names of `server.properties`; the target checks them.
    pub broker: Settings,
    /// librdkafka's properties, for `kafka://` targets; that target checks them.
    pub kafka: Settings,
    /// When records are sent.
    pub load: Load,
    /// How often, for how long and on what.
    pub run: RunPlan,
    /// Where the settings under Kafka's names stand, as `table.key`.
    pub places: Vec<(String, Place)>,
}

impl Plan {
    /// Where a setting stands; the file, if it is not given.
    #[must_use]
    pub fn place_of(&self, setting: &str) -> Place {
        let known = self.places.iter().find(|(name, _)| name == setting);
        known.map_or_else(|| Place::File(self.path.clone()), |(_, place)| place.clone())
    }
}

/// Settings under Kafka's names, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Name and value; each name once.
    pub pairs: Vec<(String, String)>,
}

impl Settings {
    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a setting, if it is given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// What is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordPlan {
    /// Where records come from.
    pub source: RecordSource,
    /// The field that is a record's key: a path of names joined by dots, or a CSV column.
    pub key: Option<String>,
    /// The field that holds a record's own time, and how it is written.
    pub time: Option<TimeField>,
}

/// Where records come from.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordSource {
    /// A file, one record a line.
    File {
        /// The file; relative names are relative to the workload file.
        path: PathBuf,
        /// How it is written.
        format: FileFormat,
    },
    /// A trace of `logdyno capture`.
    Trace {
        /// The file; relative names are relative to the workload file.
        path: PathBuf,
        /// Where the random numbers of made-up values begin.
        seed: u64,
    },
    /// Made up from a seed: no two alike.
    Synthetic {
        /// Bytes of a value.
        size: Sizes,
        /// Bits of information per byte of the value, 0 to 8: 8 cannot be compressed.
        entropy: f64,
        /// Which keys there are, and how often each.
        keys: Keys,
        /// How many different records are made before they repeat.
        distinct: u32,
        /// Where the random numbers begin.
        seed: u64,
    },
}

impl RecordSource {
    /// The files that it reads.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            RecordSource::File { path, .. } | RecordSource::Trace { path, .. } => vec![path],
            RecordSource::Synthetic { size, keys, .. } => {
                let sizes = if let Sizes::OfFile(file) = size { Some(file) } else { None };
                let keys = if let Keys::OfFile { file, .. } = keys { Some(file) } else { None };
                sizes.into_iter().chain(keys).map(|file| file.path.as_path()).collect()
            }
        }
    }
}

/// The sizes of made-up values, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Sizes {
    /// All the same.
    Fixed(usize),
    /// From `least` to `most`, both included.
    Between {
        /// The least.
        least: usize,
        /// The most.
        most: usize,
        /// The exponent of Zipf's law: the least is the most frequent, the k-th is 1/k^skew as frequent. 0 makes all equally frequent.
        skew: f64,
    },
    /// Those of a file's records, each as often as it occurs there.
    OfFile(DataFile),
}

/// The keys of made-up records.
#[derive(Clone, Debug, PartialEq)]
pub enum Keys {
    /// All are null.
    Null,
    /// Made up.
    Made {
        /// How many, at least 1.
        count: u32,
        /// The exponent of Zipf's law; 0 makes all equally frequent.
        skew: f64,
    },
    /// Those of a file's records, each as often as it occurs there.
    OfFile {
        /// The file.
        file: DataFile,
        /// The field that holds them.
        field: String,
    },
}

/// A file with records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// The file; relative names are relative to the workload file.
    pub path: PathBuf,
    /// How it is written.
    pub format: FileFormat,
}

/// How a record file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// One JSON value a line.
    JsonLines,
    /// Comma-separated with a header line; each line is sent as it stands.
    Csv,
    /// Any text, a record a line.
    Text,
}

/// A record's own time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeField {
    /// The field.
    pub field: String,
    /// How it is written.
    pub format: TimeFormat,
}

/// How a time is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// Milliseconds since 1970.
    UnixMillis,
    /// Seconds since 1970, with or without a fraction.
    UnixSeconds,
    /// A pattern of `%Y %m %d %H %M %S`, taken as UTC.
    Pattern(String),
}

/// The topics that are written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPlan {
    /// The name, of one; what their names begin with, of several.
    pub name: String,
    /// How many topics.
    pub count: u16,
    /// How many partitions each has.
    pub partitions: i32,
    /// How many replicas of each.
    pub replication_factor: i16,
    /// Topic settings under Kafka's names, of each.
    pub configs: Settings,
}

/// When records are sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Load {
    /// Open loop: this many records a second, whatever the system does.
    Rate(Ratio),
    /// Open loop: this many records a second in the mean, each independent of the others.
    Poisson(Ratio),
    /// Open loop: at the records' own times, multiplied by this.
    Times(Ratio),
    /// Open loop: a rate for a time, then another one; each step is measured on its own.
    Steps(Vec<LoadStep>),
    /// Open loop: a rate that rises or falls to another one, and stays there; measured is what comes after.
    Ramp(Ramp),
    /// Closed loop: the next record is sent when fewer than this many are not yet acknowledged.
    Closed {
        /// How many may be under way.
        in_flight: u64,
    },
}

/// How often, for how long and on what.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPlan {
    /// What is sent first and not counted.
    pub warm_up: Extent,
    /// What is sent in all, warm-up included, if it is a number of records; else the time that is measured after the warm-up.
    pub extent: Extent,
    /// Storage backends, in this order; those named on the command line fail the run if the machine refuses them.
    pub backends: Vec<String>,
    /// Whether `backends` was named on the command line.
    pub backends_named: bool,
    /// How many brokers.
    pub brokers: u32,
    /// How many producers send, each from a thread of its own, taking records in turn.
    pub producers: u32,
    /// Which part of the load this machine has.
    pub shard: Shard,
    /// When the first record is due, by the wall clock in milliseconds since 1970; when the target is ready if it is not said.
    pub start_unix_ms: Option<i64>,
    /// How they wait for a record's moment.
    pub waiting: Waiting,
    /// How often each backend is run, each time from nothing.
    pub repetitions: u32,
    /// The systems under test; several stand side by side.
    pub targets: Vec<String>,
}

/// How a generator waits for the moment of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It sleeps, with a timer slack of 1 ns: late by what the kernel takes to wake it.
    Sleep,
    /// It looks at the clock without end shortly before the moment: late by less, and takes a core for it.
    Spin,
}

/// A stretch of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// By the schedule's time.
    Time(Duration),
    /// By records.
    Records(u64),
    /// By passes over the record source.
    Passes(u64),
}
