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
    let measured = result.trials.iter().filter_map(|trial| match &trial.outcome {
        Outcome::Measured(measured) => {
            Some((format!("{}/{}", result.name_of(trial), trial.repetition), measured.as_ref()))
        }
        Outcome::Refused { .. } | Outcome::Failed { .. } => None,
    });
    let comment = format!("{} of {}; values in nanoseconds", result.workload.name, result.environment.began);
    write_log(&mut file, &comment, measured)?;
    file.flush()
}

/// Writes an interval log of all distributions of runs, each with how its tags begin.
pub(crate) fn write_log<'a>(
    out: &mut impl Write,
    comment: &str,
    runs: impl Iterator<Item = (String, &'a Measured)>,
) -> io::Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new().add_comment(comment).begin_log_with(out, &mut serializer)?;
    for (run, measured) in runs {
        // A tag ends at a comma or a space.
        let run = run.replace([' ', ','], "_");
        for (name, distribution) in distributions(measured) {
            let (tag, length) = (format!("{run}/{name}"), Duration::from_nanos(measured.measured_ns));
            log.write_histogram(&distribution.to_histogram(), Duration::ZERO, length, Tag::new(&tag))
                .map_err(|error| io::Error::other(format!("{error:?}")))?;
        }
    }
    Ok(())
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
