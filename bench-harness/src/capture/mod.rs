//! Takes a trace of records that stand in a log: in segment files, ours or Kafka's, or in a topic that a broker serves.
//!
//! Nothing of the records' content is kept unless it is asked for: lengths, times, partitions, which keys are equal and their
//! hashes. How well values compress is measured, so that made-up ones can compress as well.

mod compressibility;
mod gather;
mod segments;
mod topic;

use std::path::Path;

pub(crate) use compressibility::Compressibility;

use self::gather::Gather;
use crate::target::KAFKA_SCHEME;
use crate::trace::{Trace, TraceError};

/// Takes a trace of segment files and partition folders, or of `kafka://host:port/topic`; `told` hears of what was passed over.
pub fn capture(from: &[String], with_payloads: bool, told: &mut dyn FnMut(&str)) -> Result<Trace, TraceError> {
    let mut gather = Gather::new(with_payloads);
    for source in from {
        match source.strip_prefix(KAFKA_SCHEME) {
            Some(address) => topic::read(address, &mut gather)?,
            None => segments::read(Path::new(source), &mut gather, told)?,
        }
    }
    gather.finish(&from.join(" ")).ok_or_else(|| TraceError::Source {
        from: from.join(" "),
        reason: "there is no record: nothing to capture".to_owned(),
    })
}
