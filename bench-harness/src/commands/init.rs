//! `logdyno init`: writes a workload to begin with, also for records of one's own.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;

use crate::records::{Header, RecordSet};
use crate::workload::{self, Overrides};

/// Columns that are named in the file at most.
const COLUMNS_MAX: usize = 40;

/// Write a commented workload to begin with.
#[derive(Args, Debug)]
pub(super) struct Init {
    /// The file to write; one that exists is left alone.
    #[arg(value_name = "FILE", default_value = "workload.toml")]
    file: PathBuf,
    /// Records of your own, one a line, instead of made-up ones: a .csv, .tsv, .jsonl or .txt file.
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
}

impl Init {
    /// Nothing is written unless the workload passes the checks of `logdyno run`.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let records = match &self.records {
            Some(records) => of_file(&self.file, records)?,
            None => MADE_UP.to_owned(),
        };
        let text = format!("{HEAD}\n{records}\n{TAIL}");
        let plan = workload::parse(&self.file, &text, &Overrides::default())?;
        let count = RecordSet::load(&plan)?.len();
        write_new(&self.file, &text)?;
        let file = self.file.display();
        eprintln!("wrote {file}: {count} records a pass. Try it: logdyno run {file} --html report.html");
        Ok(())
    }
}

/// Writes a file that is not there yet.
fn write_new(file: &Path, text: &str) -> anyhow::Result<()> {
    let written = OpenOptions::new().write(true).create_new(true).open(file);
    written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            anyhow!("{} is there already and stays as it is: name another file", file.display())
        }
        _ => anyhow!("{} cannot be written: {error}", file.display()),
    })
}

/// `[records]` for a file, with its fields named where it has some.
fn of_file(workload: &Path, records: &Path) -> anyhow::Result<String> {
    let first = first_line(records).with_context(|| format!("{} cannot be read", records.display()))?;
    let fields = fields(records, &first);
    let mut text = "[records]\n# One record a line, sent byte for byte as it stands there.\n".to_owned();
    text.push_str(&format!("file = {}\n", quoted(&as_seen_from(workload, records)?)));
    match records.extension().and_then(|extension| extension.to_str()) {
        Some("csv" | "tsv" | "jsonl" | "ndjson" | "json" | "txt" | "log" | "text") => {}
        _ => text.push_str("format = \"text\"         # or \"csv\", \"jsonl\"\n"),
    }
    if !fields.is_empty() {
        // A name with a line's end in it must not end the comment.
        let named: Vec<String> = fields.iter().take(COLUMNS_MAX).map(|field| quoted(field)).collect();
        text.push_str(&format!("# Its fields: {}\n", named.join(", ")));
        text.push_str(&format!("# key = {}            # the field that chooses the partition\n", quoted(&fields[0])));
        text.push_str("# time.field = \"…\"       # with time.format and load.time.scale: sent when they happened\n");
    }
    text.push_str("# passes = 3              # over the file; or count = 100_000\n");
    Ok(text)
}

/// The path as a workload in its folder names it.
fn as_seen_from(workload: &Path, records: &Path) -> anyhow::Result<String> {
    let folder = workload.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().with_context(|| format!("{} is no folder", folder.display()))?;
    let whole = records.canonicalize()?;
    let seen = whole.strip_prefix(&folder).unwrap_or(&whole);
    seen.to_str().map(str::to_owned).with_context(|| format!("{} is not named in UTF-8", records.display()))
}

fn first_line(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(std::fs::File::open(path)?).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// The columns of a CSV file's header, or the members of a JSON file's first object.
fn fields(path: &Path, first: &[u8]) -> Vec<String> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv" | "tsv") => Header::of(first).map(|header| header.columns).unwrap_or_default(),
        Some("jsonl" | "ndjson" | "json") => serde_json::from_slice::<serde_json::Map<_, serde_json::Value>>(first)
            .map(|object| object.keys().cloned().collect())
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// As TOML writes text, in one line.
fn quoted(text: &str) -> String {
    // JSON's escapes are TOML's.
    serde_json::Value::from(text).to_string()
}

const HEAD: &str = r#"# A workload: what is sent, how, and what is asked. Run it:  logdyno run THIS-FILE --html report.html
# Any key can be changed for one run:  --set producer.linger.ms=0
[workload]
question = "Which backend suits these records?"
"#;

const MADE_UP: &str = r#"[records]
# Made up; for records of your own:  file = "mine.csv"  and  key = "a column"
size = 200                # bytes of a value; or size = { min = 50, max = 5000, skew = 1.0 } by Zipf's law, or size.from = "mine.csv"
entropy = 4.5             # bits per byte: 8 does not compress at all
keys = 1000               # how many keys there are; 0 for null ones
# key.skew = 1.0          # Zipf's exponent: a few keys have most records
distinct = 10_000         # records that differ; a pass sends each once
# passes = 3              # or count = 100_000
"#;

const TAIL: &str = r#"[topic]
partitions = 3
# count = 4               # so many topics, of 3 partitions each: a key's records go to one, those without a key to each in turn
replication.factor = 3
min.insync.replicas = 2

# Kafka's own names; also lines of a producer.properties can stand here.
[producer]
acks=all
# linger.ms=5
# batch.size=16384
# compression.type=zstd

[load]
rate = 5000               # records a second, whatever the system does (open loop)
# ramp = { from = 100, to = 5000, over = "5s" }   # instead: faster and faster, then measured at 5000
# steps = [{ rate = 1000, duration = "10s" }, { rate = 5000, duration = "10s" }]   # instead, and without run.duration
# in.flight = 100         # instead of a rate: the next one only after an answer (closed loop)

[run]
warm.up = "2s"            # before it nothing is measured
duration = "10s"
# backends = ["buffered", "mmap", "uring"]   # without it: all that this machine can run
# repetitions = 3
"#;
