//! The keys of the harness's own tables.

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
pub(super) const LOAD: &[&str] = &["rate", "arrivals", "time.scale", "in.flight"];
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
