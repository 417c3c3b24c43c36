//! A workload in a directory of its own, and its run through the library.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use logdyno::campaign::{Campaign, Ended, Jobs, Watch};
use logdyno::result::{Measured, Outcome};
use logdyno::signal::Stop;
use logdyno::target::Target;
use logdyno::trial::Progress;
use logdyno::workload::{Overrides, parse};
use logdyno_engine::storage::Kind;
use tempfile::TempDir;

/// A directory with a workload.
pub(crate) struct Scene {
    dir: TempDir,
    text: String,
}

/// Says nothing.
pub(crate) struct Silent;

impl Watch for Silent {
    fn begins(&mut self, _: &str, _: usize, _: usize) {}

    fn progress(&mut self, _: &Progress) {}

    fn ended(&mut self, _: &str, _: &Outcome) {}
}

impl Scene {
    pub(crate) fn new(text: &str) -> Scene {
        Scene { dir: TempDir::new().unwrap(), text: text.to_owned() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Runs the workload; what is missing counts as lost after half a second of silence.
    pub(crate) fn run(&self, target: impl Target + 'static, kinds: &[Kind]) -> Ended {
        let targets: Vec<Box<dyn Target>> = vec![Box::new(target)];
        let plan = parse(&self.dir.path().join("scene.toml"), &self.text, &Overrides::default()).unwrap();
        let jobs = Jobs { kinds, targets: &targets };
        let campaign = Campaign::prepare(Arc::new(plan), &jobs).unwrap().patience(Duration::from_millis(500));
        campaign.run(&self.dir.path().join("out"), &Stop::default(), &mut Silent).unwrap()
    }

    /// Runs it and returns the measurements of its only trial.
    pub(crate) fn measure(&self, target: impl Target + 'static, kinds: &[Kind]) -> Measured {
        let ended = self.run(target, kinds);
        match ended.result.trials.into_iter().next().map(|trial| trial.outcome) {
            Some(Outcome::Measured(measured)) => *measured,
            other => panic!("not measured: {other:?}"),
        }
    }
}

/// The reasons of a run's verdicts, with their kinds.
pub(crate) fn verdicts(measured: &Measured) -> Vec<String> {
    measured.verdicts.iter().map(|verdict| format!("{}: {}", verdict.kind.name(), verdict.reason)).collect()
}
