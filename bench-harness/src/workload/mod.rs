//! A workload file, from text to plan: `paste` lets properties in, `raw` reads TOML and keeps lines, `check` decides what
//! it means, `plan` is the outcome. Nothing is started here.

mod check;
mod error;
pub(crate) mod keys;
mod paste;
mod plan;
mod raw;
mod suggestion;

use std::path::Path;

use crate::load::Shard;

pub use error::{Place, WorkloadError};
pub use plan::{
    DataFile, Extent, FileFormat, Keys, Load, Plan, RecordPlan, RecordSource, RunPlan, Settings, Sizes, TimeField,
    TimeFormat, TopicPlan, Waiting,
};
pub(crate) use suggestion::nearest;

/// What the command line says on top of a workload file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `table.key=value`, as the file would say it; values may go without quotes.
    pub settings: Vec<String>,
    /// Backends instead of the file's.
    pub backends: Option<Vec<String>>,
    /// Targets instead of the file's.
    pub targets: Option<Vec<String>>,
    /// Repetitions instead of the file's.
    pub repetitions: Option<u32>,
    /// The part of the load that this machine has; all of it if it is not said.
    pub shard: Option<Shard>,
    /// When the first record is due, by the wall clock in milliseconds since 1970.
    pub start_unix_ms: Option<i64>,
}

/// Reads and checks a workload file.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Plan, WorkloadError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| WorkloadError::Read { path: path.to_owned(), reason: error.to_string() })?;
    parse(path, &text, overrides)
}

/// Checks a workload's text; `path` is where record files are looked for and what errors name.
pub fn parse(path: &Path, text: &str, overrides: &Overrides) -> Result<Plan, WorkloadError> {
    let mut raw = raw::Raw::parse(path, text)?;
    for setting in &overrides.settings {
        raw.set(setting)?;
    }
    check::plan(path, text, raw, overrides)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::{LoadStep, Ramp};

    fn plan(settings: &[&str]) -> Result<Plan, WorkloadError> {
        let text = "
[records]
file = \"r.jsonl\"
time.field = \"t\"
passes = 3
[producer]
acks=all
compression.type=lz4
linger.ms = 7
[load]
time.scale = \"1/60\"
[run]
warm.up = \"1.5s\"
";
        let overrides =
            Overrides { settings: settings.iter().map(|text| (*text).to_owned()).collect(), ..Overrides::default() };
        parse(Path::new("dir/w.toml"), text, &overrides)
    }

    #[test]
    fn properties_stand_as_they_were_pasted() {
        let plan = plan(&[]).unwrap();
        let pairs: Vec<_> = plan.producer.iter().collect();
        assert_eq!(pairs, [("acks", "all"), ("compression.type", "lz4"), ("linger.ms", "7")]);
        let RecordSource::File { path, format } = plan.records.source else { panic!("{:?}", plan.records) };
        assert_eq!((path.as_path(), format), (Path::new("dir/r.jsonl"), FileFormat::JsonLines));
        assert_eq!(
            (plan.run.warm_up, plan.run.extent),
            (Extent::Time(std::time::Duration::from_millis(1500)), Extent::Passes(3))
        );
    }

    #[test]
    fn steps_and_ramps_are_read_exactly() {
        let step = |rate: &str, ms| LoadStep { rate: rate.parse().unwrap(), duration: Duration::from_millis(ms) };
        let steps = "load.steps=[{ rate = 2.5, duration = \"10s\" }, { rate = \"1/3\", duration = \"500ms\" }]";
        let stepped = plan(&[steps, "records.passes=1"]);
        assert!(stepped.unwrap_err().to_string().contains("`load.steps` says how long each step is"));
        let text = "[records]\nsize = 9\nentropy = 1\n[[load.steps]]\nrate = 2.5\nduration = \"10s\"\n[[load.steps]]\nrate = \"1/3\"\nduration = \"500ms\"\n";
        for overrides in [vec![], vec![steps.to_owned()]] {
            let overrides = Overrides { settings: overrides, ..Overrides::default() };
            let plan = parse(Path::new("w.toml"), text, &overrides).unwrap();
            assert_eq!(plan.load, Load::Steps(vec![step("2.5", 10_000), step("1/3", 500)]));
            assert_eq!(plan.run.extent, Extent::Time(Duration::from_millis(10_500)));
        }
        let expected = Ramp::new("1".parse().unwrap(), "2000".parse().unwrap(), Duration::from_millis(1_500));
        for ramp in [
            &["load.ramp.from=1", "load.ramp.to=1000", "load.ramp.over=1.5s", "load.ramp.to=2000"][..],
            &["load.ramp={ from = 1, to = 2000, over = \"1.5s\" }"],
        ] {
            assert_eq!(plan(ramp).unwrap().load, Load::Ramp(expected.unwrap()));
        }
    }

    /// A setting takes the place of those that exclude it.
    #[test]
    fn the_command_line_replaces() {
        let plan =
            plan(&["producer.linger.ms=0", "load.rate=2.5", "run.duration=5s", "run.warm.up.records=9"]).unwrap();
        assert_eq!(plan.producer.get("linger.ms"), Some("0"));
        assert_eq!(plan.load, Load::Rate("5/2".parse().unwrap()));
        assert_eq!(
            (plan.run.warm_up, plan.run.extent),
            (Extent::Records(9), Extent::Time(std::time::Duration::from_secs(5)))
        );
    }
}
