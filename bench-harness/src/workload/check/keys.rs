//! The keys of the harness's own tables.

pub(super) const WORKLOAD: &[&str] = &["name", "question"];
pub(super) const RECORDS: &[&str] = &[
    "file",
    "trace",
    "format",
    "key",
    "time.field",
    "time.format",
    "size",
    "size.min",
    "size.max",
    "size.skew",
    "size.from",
    "keys.from",
    "entropy",
    "keys",
    "key.skew",
    "distinct",
    "seed",
    "count",
    "passes",
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
pub(super) const LOAD: &[&str] =
    &["rate", "arrivals", "steps", "ramp.from", "ramp.to", "ramp.over", "time.scale", "in.flight"];
/// Those of a step in `load.steps`.
pub(super) const STEP: &[&str] = &["rate", "duration"];
pub(super) const RUN: &[&str] = &[
    "warm.up",
    "warm.up.records",
    "warm.up.passes",
    "duration",
    "backends",
    "brokers",
    "producers",
    "generator",
    "repetitions",
    "target",
];
