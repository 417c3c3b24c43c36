//! How far a run is: a live line on a terminal, a line now and then when piped. On stderr: results go to stdout.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::campaign::Watch;
use crate::result::Outcome;
use crate::trial::Progress;

/// How often a line is written when piped.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Shows the progress of trials.
#[derive(Debug)]
pub struct Watcher {
    /// On a terminal.
    live: Option<ProgressBar>,
    title: String,
    said: Instant,
}

impl Default for Watcher {
    fn default() -> Watcher {
        Watcher::new()
    }
}

impl Watcher {
    /// One for this process's stderr.
    #[must_use]
    pub fn new() -> Watcher {
        let live = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {prefix}: {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar
        });
        Watcher { live, title: String::new(), said: Instant::now() }
    }
}

impl Watch for Watcher {
    fn begins(&mut self, name: &str, number: usize, count: usize) {
        self.title = format!("{number}/{count} {name}");
        self.said = Instant::now();
        match &self.live {
            Some(bar) => {
                bar.set_prefix(self.title.clone());
                bar.set_message("starts");
            }
            None => eprintln!("{}: starts", self.title),
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let part = if progress.is_measuring { "measures" } else { "warms up" };
        let line = format!(
            "{part}, {:.0} s: {} sent, {} acknowledged, {} delivered",
            progress.elapsed.as_secs_f64(),
            progress.sent,
            progress.acknowledged,
            progress.delivered
        );
        match &self.live {
            Some(bar) => {
                bar.set_message(line);
                bar.tick();
            }
            None if self.said.elapsed() >= PLAIN_EVERY => {
                self.said = Instant::now();
                eprintln!("{}: {line}", self.title);
            }
            None => {}
        }
    }

    fn ended(&mut self, _: &str, outcome: &Outcome) {
        let line = match outcome {
            Outcome::Measured(measured) => match measured.verdicts.first() {
                None => "done".to_owned(),
                Some(verdict) => verdict.kind.name().to_owned(),
            },
            Outcome::Refused { reason } => format!("REFUSED: {reason}"),
            Outcome::Failed { reason } => format!("FAILED: {reason}"),
        };
        match &self.live {
            Some(bar) => bar.println(format!("{}: {line}", self.title)),
            None => eprintln!("{}: {line}", self.title),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(bar) = &self.live {
            bar.finish_and_clear();
        }
    }
}
