//! What is drawn of a run on a terminal: a value and an area in, a frame out.

use std::collections::VecDeque;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline, Widget};

use super::Now;
use crate::report::format::{duration, number, percent, whole};
use crate::result::QUANTILES;
use crate::trial::{PathSoFar, Progress};

/// Rows of a frame.
pub const HEIGHT: u16 = 14;

/// Columns of the rows' names.
const NAME: u16 = 16;

/// Columns of a step's bar.
const BAR: usize = 24;

/// How many steps are shown: those that took most.
const STEPS: usize = 5;

/// Rates that are kept: as many as a wide terminal shows.
const RATES_MAX: usize = 240;

/// A run as it is drawn.
#[derive(Clone, Debug, Default)]
pub struct View {
    now: Now,
    /// Acknowledged records a second, from one reading to the next; the newest is the first.
    rates: VecDeque<u64>,
}

impl View {
    /// Of a trial that begins: the `number`-th of `count`.
    #[must_use]
    pub fn of(name: &str, number: usize, count: usize) -> View {
        let now = Now { name: name.to_owned(), number, count, progress: Progress::default() };
        View { now, rates: VecDeque::new() }
    }

    /// Takes in how far the trial is.
    pub fn take(&mut self, progress: &Progress) {
        let before = &self.now.progress;
        let seconds = progress.elapsed.saturating_sub(before.elapsed).as_secs_f64();
        if seconds > 0.0 {
            let records = progress.acknowledged.saturating_sub(before.acknowledged);
            self.rates.push_front((records as f64 / seconds).round() as u64);
            self.rates.truncate(RATES_MAX);
        }
        self.now.progress = progress.clone();
    }

    /// Draws it.
    pub fn draw(&self, area: Rect, frame: &mut Buffer) {
        let mut lines = vec![self.title(), self.records(), self.backlog(), self.rate()];
        lines.extend(self.latency());
        lines.extend(self.steps());
        lines.extend(self.limit());
        Paragraph::new(lines).render(area, frame);
        // Beside the rate in figures.
        let left = NAME + 14;
        if area.width > left && area.height > 3 {
            let beside = Rect { x: area.x + left, y: area.y + 3, width: area.width - left, height: 1 };
            let rates: Vec<u64> = self.rates.iter().take(beside.width.into()).rev().copied().collect();
            Sparkline::default().data(rates).render(beside, frame);
        }
    }

    fn title(&self) -> Line<'static> {
        let Now { name, number, count, progress } = &self.now;
        let part = match (progress.is_measuring, progress.elapsed) {
            (true, _) => "measures",
            (false, Duration::ZERO) => "starts",
            (false, _) => "warms up",
        };
        let seconds = progress.elapsed.as_secs();
        Line::from(vec![
            format!("{number}/{count} {name}").bold(),
            Span::raw(format!(" {part}, {seconds} s")),
            Span::raw("   Ctrl-C ends it and keeps what was done").dim(),
        ])
    }

    fn records(&self) -> Line<'static> {
        let Progress { sent, acknowledged, delivered, failed, .. } = self.now.progress;
        let told =
            format!("{} sent, {} acknowledged, {} delivered", whole(sent), whole(acknowledged), whole(delivered));
        let failed = match failed {
            0 => Span::raw(""),
            some => format!(", {} failed", whole(some)).red(),
        };
        Line::from(vec![named("records"), Span::raw(told), failed])
    }

    fn backlog(&self) -> Line<'static> {
        let progress = &self.now.progress;
        let (backlog, undelivered) = (whole(progress.backlog()), whole(progress.undelivered()));
        Line::from(vec![named("backlog"), Span::raw(format!("{backlog} without an answer, {undelivered} undelivered"))])
    }

    fn rate(&self) -> Line<'static> {
        let rate = self.rates.front().map_or_else(|| "–".to_owned(), |rate| format!("{}/s", number(*rate as f64)));
        Line::from(vec![named("acknowledged"), Span::raw(rate)])
    }

    /// A head and a line for each path; only what the batches so far support.
    fn latency(&self) -> Vec<Line<'static>> {
        let heads: String = QUANTILES.iter().map(|one| format!("{:>10}", one.name)).collect();
        let head = Line::from(vec![named("latency to"), Span::raw(format!("{heads}{:>10}", "max")).dim()]);
        let so_far = self.now.progress.so_far.as_ref();
        let paths = [
            ("  acknowledged", so_far.map(|so_far| &so_far.to_acknowledgement)),
            ("  delivered", so_far.map(|so_far| &so_far.to_delivery)),
        ];
        let lines = paths.into_iter().map(|(name, path)| Line::from(vec![named(name), Span::raw(latencies(path))]));
        std::iter::once(head).chain(lines).collect()
    }

    /// What the records so far waited for until they were acknowledged.
    fn steps(&self) -> Vec<Line<'static>> {
        let Some(so_far) = &self.now.progress.so_far else { return Vec::new() };
        let path = &so_far.to_acknowledgement;
        let mut steps = path.steps.clone();
        steps.sort_by_key(|(_, ns)| std::cmp::Reverse(*ns));
        let head = Line::from(vec![named("time went to"), Span::raw("share of all, and the mean").dim()]);
        let told = steps.into_iter().take(STEPS).map(|(step, ns)| {
            let share = ns as f64 / path.sum_ns.max(1) as f64;
            let bar = "█".repeat((share * BAR as f64).round() as usize);
            let mean = duration(ns as f64 / path.count.max(1) as f64);
            let name = named(&format!("  {}", step.name()));
            Line::from(vec![
                name,
                format!("{bar:BAR$}").cyan(),
                Span::raw(format!(" {:>5} {mean:>10}", percent(share))),
            ])
        });
        std::iter::once(head).chain(told).collect()
    }

    /// Of what its bytes take, the limit that is nearest.
    fn limit(&self) -> Option<Line<'static>> {
        let limit = self.now.progress.limit.as_ref()?;
        let told = format!("its bytes take {} of {}", percent(limit.share), limit.limit);
        Some(Line::from(vec![named("limit"), Span::raw(told)]))
    }
}

fn named(name: &str) -> Span<'static> {
    Span::raw(format!("{name:width$}", width = usize::from(NAME)))
}

fn latencies(path: Option<&PathSoFar>) -> String {
    let cell = |ns: Option<u64>| format!("{:>10}", ns.map_or_else(|| "–".to_owned(), |ns| duration(ns as f64)));
    let quantile = |name| path?.quantiles.iter().find(|(quantile, _)| quantile.name == name).map(|(_, ns)| *ns);
    let quantiles: String = QUANTILES.iter().map(|one| cell(quantile(one.name))).collect();
    quantiles + &cell(path.filter(|path| path.count > 0).map(|path| path.max_ns))
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::limits::Share;
    use crate::measure::Step;
    use crate::trial::SoFar;

    fn measuring() -> View {
        let mut view = View::of("flights on mmap", 2, 3);
        for second in 1..=4 {
            let path = PathSoFar {
                count: 400,
                sum_ns: 2_000_000_000,
                max_ns: 9_000_000,
                quantiles: vec![(QUANTILES[0], 4_500_000), (QUANTILES[1], 8_000_000)],
                steps: vec![(Step::Disk, 500_000_000), (Step::Batch, 1_500_000_000)],
            };
            view.take(&Progress {
                elapsed: Duration::from_secs(second),
                sent: 1000 * second * second + 90,
                acknowledged: 1000 * second * second,
                failed: 10,
                delivered: 990 * second * second,
                request_bytes: 0,
                copies: 1,
                has_network: true,
                is_measuring: true,
                so_far: Some(SoFar { part: 1, to_acknowledgement: path.clone(), to_delivery: path }),
                limit: Some(Share { limit: "loopback TCP".to_owned(), share: 0.12 }),
            });
        }
        view
    }

    fn drawn(view: &View, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame.area(), frame.buffer_mut())).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_frame_shows_every_figure() {
        insta::assert_snapshot!(drawn(&measuring(), 80, HEIGHT), @r#"
        "2/3 flights on mmap measures, 4 s   Ctrl-C ends it and keeps what was done      "
        "records         16,090 sent, 16,000 acknowledged, 15,840 delivered, 10 failed   "
        "backlog         80 without an answer, 160 undelivered                           "
        "acknowledged    7,000/s       ▁▃▅█                                              "
        "latency to             p50       p99     p99.9    p99.99       max              "
        "  acknowledged     4.50 ms   8.00 ms         –         –   9.00 ms              "
        "  delivered        4.50 ms   8.00 ms         –         –   9.00 ms              "
        "time went to    share of all, and the mean                                      "
        "  batch         ██████████████████        75 %    3.75 ms                       "
        "  disk          ██████                    25 %    1.25 ms                       "
        "limit           its bytes take 12 % of loopback TCP                             "
        "                                                                                "
        "                                                                                "
        "                                                                                "
        "#);
    }

    #[test]
    fn before_anything_is_measured_nothing_is_made_up() {
        let frame = drawn(&View::of("flights on mmap", 1, 3), 80, HEIGHT);
        assert!(frame.contains("1/3 flights on mmap starts, 0 s") && !frame.contains("time went to"), "{frame}");
        let line = frame.lines().find(|line| line.contains("  acknowledged ")).unwrap();
        assert_eq!(line.matches('–').count(), QUANTILES.len() + 1, "{frame}");
    }

    #[test]
    fn any_terminal_is_large_enough() {
        for (width, height) in [(1, 1), (20, 2), (31, 4), (300, 60)] {
            drawn(&measuring(), width, height);
        }
    }
}
