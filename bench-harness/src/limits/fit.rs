//! Whether limits that were measured before are those of a run.

use super::Limits;
use crate::result::Environment;

/// What a machine can do changes: with its neighbours, where it is a virtual one, and with what fills its disk.
const AGE_SECONDS_MAX: u64 = 24 * 3600;

/// What speaks against taking `limits` for those of a run in `here`, as sentences; nothing if they fit.
#[must_use]
pub fn objections(limits: &Limits, here: &Environment) -> Vec<String> {
    let there = &limits.environment;
    let pairs = [
        ("file system", &there.file_system, &here.file_system),
        ("processor", &there.processor, &here.processor),
        ("kernel", &there.kernel, &here.kernel),
        ("build", &there.build, &here.build),
    ];
    let differ = pairs.into_iter().filter(|(_, there, here)| there != here);
    let mut found: Vec<String> =
        differ.map(|(what, there, here)| format!("they are of another {what}: {there}, not {here}")).collect();
    if there.cores != here.cores {
        found.push(format!("they are of {} cores, not {}", there.cores, here.cores));
    }
    match here.seconds_since(there) {
        Some(age) if age <= AGE_SECONDS_MAX => {}
        Some(age) => found.push(format!("they were measured {} hours before", age / 3600)),
        None => found.push("they do not say when they were measured".to_owned()),
    }
    found
}
