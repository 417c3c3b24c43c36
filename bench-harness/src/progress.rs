//! How far a run is: a live view on a terminal, a line now and then when piped. On stderr: results go to stdout.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use crate::campaign::Watch;
use crate::live::screen;
use crate::live::view::View;
use crate::result::Outcome;
use crate::trial::Progress;

/// How often a line is written when piped.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Shows the progress of trials.
#[derive(Debug)]
pub struct Watcher {
    /// On a terminal.
    live: Option<Live>,
    title: String,
    said: Instant,
}

/// What is drawn on a terminal.
#[derive(Debug)]
struct Live {
    view: View,
    has_colours: bool,
}

impl Live {
    fn draw(&self) {
        // A terminal that went away does not end the run.
        screen::draw(&self.view, self.has_colours).unwrap_or_default();
    }
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
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let can_draw = std::env::var_os("TERM").is_some_and(|terminal| terminal != "dumb");
        let live = (std::io::stderr().is_terminal() && can_draw)
            .then(|| Live { view: View::default(), has_colours: !is_set("NO_COLOR") });
        Watcher { live, title: String::new(), said: Instant::now() }
    }
}

impl Watch for Watcher {
    fn begins(&mut self, name: &str, number: usize, count: usize) {
        self.title = format!("{number}/{count} {name}");
        self.said = Instant::now();
        match &mut self.live {
            Some(live) => {
                live.view = View::of(name, number, count);
                live.draw();
            }
            None => eprintln!("{}: starts", self.title),
        }
    }

    fn progress(&mut self, progress: &Progress) {
        if let Some(live) = &mut self.live {
            live.view.take(progress);
            live.draw();
        } else if self.said.elapsed() >= PLAIN_EVERY {
            self.said = Instant::now();
            let part = if progress.is_measuring { "measures" } else { "warms up" };
            eprintln!(
                "{}: {part}, {:.0} s: {} sent, {} acknowledged, {} delivered",
                self.title,
                progress.elapsed.as_secs_f64(),
                progress.sent,
                progress.acknowledged,
                progress.delivered
            );
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
        if self.live.is_some() {
            screen::erase().unwrap_or_default();
        }
        eprintln!("{}: {line}", self.title);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // What a panic has said stands below the frame, and shall stay.
        if self.live.is_some() && !std::thread::panicking() {
            screen::erase().unwrap_or_default();
        }
    }
}
