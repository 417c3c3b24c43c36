//! Kafka's settings in hours and minutes that stand for one in milliseconds, where that one is not given.

use std::collections::BTreeMap;

/// Name, milliseconds of its unit, and the setting it stands for; a finer unit counts before a coarser one.
const COARSER: &[(&str, i64, &str)] = &[
    ("log.retention.hours", 3_600_000, "log.retention.ms"),
    ("log.retention.minutes", 60_000, "log.retention.ms"),
    ("log.roll.hours", 3_600_000, "log.roll.ms"),
    ("log.roll.jitter.hours", 3_600_000, "log.roll.jitter.ms"),
];

/// What such settings come to: the unit, and the value in milliseconds, of each setting that they stand for.
#[derive(Default)]
pub(super) struct Coarser {
    finest: BTreeMap<&'static str, (i64, i64)>,
}

impl Coarser {
    /// Takes a setting; `None` if it is none of these, else whether its value is good.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Option<Result<(), String>> {
        let (_, unit, target) = COARSER.iter().find(|(coarser, _, _)| *coarser == name)?;
        let number = value.parse::<i32>().ok().filter(|number| *number >= -1);
        let Some(number) = number else { return Some(Err(format!("it is a whole number from -1 to {}", i32::MAX))) };
        let ms = if number < 0 { -1 } else { i64::from(number) * unit };
        let finest = self.finest.entry(target).or_insert((*unit, ms));
        if *unit < finest.0 {
            *finest = (*unit, ms);
        }
        Some(Ok(()))
    }

    /// The settings in milliseconds that are to be set if they have not been.
    pub(super) fn in_ms(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.finest.iter().map(|(target, (_, ms))| (*target, ms.to_string()))
    }
}
