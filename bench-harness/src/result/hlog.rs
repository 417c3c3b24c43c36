//! `latency.hlog`: the histograms as HdrHistogram's interval log, which its own tools read; a tag for each.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::{Measured, Outcome, RunResult};
use crate::measure::Distribution;

/// Writes all distributions of all measured trials to `latency.hlog` in `folder`.
///
/// Tags are `backend/repetition/path/step`, with `total` for a whole path. Values are nanoseconds.
pub fn write_hlog(folder: &Path, result: &RunResult) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(folder.join("latency.hlog"))?);
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment(&format!("{} of {}; values in nanoseconds", result.workload.name, result.environment.began))
        .begin_log_with(&mut file, &mut serializer)?;
    for trial in &result.trials {
        let Outcome::Measured(measured) = &trial.outcome else { continue };
        // A tag ends at a comma or a space.
        let backend = result.name_of(trial).replace([' ', ','], "_");
        for (name, distribution) in distributions(measured) {
            let tag = format!("{backend}/{}/{name}", trial.repetition);
            let length = Duration::from_nanos(measured.measured_ns);
            log.write_histogram(distribution.histogram(), Duration::ZERO, length, Tag::new(&tag))
                .map_err(|error| io::Error::other(format!("{error:?}")))?;
        }
    }
    file.flush()
}

fn distributions(measured: &Measured) -> Vec<(String, &Distribution)> {
    let mut all = Vec::new();
    for (path, result) in [("ack", &measured.to_acknowledgement), ("delivery", &measured.to_delivery)] {
        all.push((format!("{path}/total"), &result.total));
        all.extend(result.steps.iter().map(|step| (format!("{path}/{}", step.step.name()), &step.durations)));
    }
    all.push(("service".to_owned(), &measured.service));
    all.push(("generator-lag".to_owned(), &measured.generator_lag));
    all
}
