//! A plot's frame: where a value lies, ticks and their names. Drawn once for all plots, in a box of fixed size that the
//! page scales.

use std::fmt::Write;

use super::super::format::{duration, number};
use super::{attributes, escaped};

/// The box, in units of the view.
pub(super) const WIDTH: f64 = 480.0;
pub(super) const HEIGHT: f64 = 270.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 468.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 226.0;

/// Where a linear axis may end, and in how many parts it is cut then.
const STEPS: [(f64, u32); 8] = [(1.0, 4), (1.5, 3), (2.0, 4), (3.0, 3), (4.0, 4), (5.0, 5), (6.0, 3), (8.0, 4)];

/// Decades of a nanosecond, up to more than an hour.
const ROUND_NS: [f64; 14] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13];

/// Colours of the style sheet for trials; more trials begin again.
pub(super) const COLOURS: usize = 8;

/// How values become places, and how they are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Durations in nanoseconds, each decade as long as the next.
    Latency { from: f64, to: f64 },
    /// Quantiles by nines: 90 %, 99 %, 99.9 % at equal distances.
    Nines { nines: f64 },
    /// Seconds, or records a second, from zero.
    Linear { to: f64 },
}

impl Scale {
    /// From the next 1, 2 or 5 below these durations to the next one above.
    pub(super) fn latency(values: impl Iterator<Item = f64>) -> Scale {
        let (low, high) = values.fold((f64::MAX, 1.0_f64), |(low, high), ns| (low.min(ns.max(1.0)), high.max(ns)));
        let round = |ns: &f64| ROUND_NS.iter().flat_map(|decade| [1.0, 2.0, 5.0].map(|n| n * decade)).find(|r| r >= ns);
        let to = round(&(high * 1.0001)).unwrap_or(high);
        let below = ROUND_NS.iter().flat_map(|decade| [1.0, 2.0, 5.0].map(|n| n * decade));
        let from = below.take_while(|round| *round <= low.min(to / 2.0)).last().unwrap_or(1.0);
        Scale::Latency { from, to }
    }

    /// From zero to a round number that is not below `most`.
    pub(super) fn linear(most: f64) -> Scale {
        let decade = 10_f64.powf(most.max(1e-3).log10().floor());
        let steps = STEPS.map(|(step, _)| step * decade);
        Scale::Linear { to: steps.into_iter().find(|step| *step >= most * 1.0001).unwrap_or(decade * 10.0) }
    }

    /// 0 at its begin, 1 at its end.
    fn share(self, value: f64) -> f64 {
        let share = match self {
            Scale::Latency { from, to } => (value.max(from) / from).log10() / (to / from).log10(),
            Scale::Nines { nines } => -(1.0 - value).max(1e-12).log10() / nines,
            Scale::Linear { to } => value / to,
        };
        share.clamp(0.0, 1.0)
    }

    fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Scale::Latency { from, to } => {
                // Over more than two decades, names of decades are enough.
                let within: &[f64] = if to / from > 100.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let values = ROUND_NS.iter().flat_map(|decade| within.iter().map(move |n| n * decade));
                values.filter(|ns| (from..=to).contains(ns)).map(|ns| (ns, short_duration(ns))).collect()
            }
            Scale::Nines { nines } => [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999]
                .into_iter()
                .filter(|q| -(1.0_f64 - q).log10() <= nines + 1e-9)
                .map(|q| (q, format!("{}", (q * 1e7_f64).round() / 1e5)))
                .collect(),
            Scale::Linear { to } => {
                let leading = (to / 10_f64.powf((to * 1.0001).log10().floor()) * 10.0).round() as u32;
                let parts =
                    STEPS.iter().find(|(step, _)| (step * 10.0) as u32 == leading).map_or(4, |(_, parts)| *parts);
                let values = (0..=parts).map(|n| to * f64::from(n) / f64::from(parts));
                values.map(|value| (value, short_number(value))).collect()
            }
        }
    }
}

/// A power of ten: without the digits that say nothing.
fn short_duration(ns: f64) -> String {
    let text = duration(ns);
    let (value, unit) = text.split_once(' ').unwrap_or((&text, ""));
    let value = if value.contains('.') { value.trim_end_matches('0').trim_end_matches('.') } else { value };
    format!("{value} {unit}")
}

fn short_number(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} M", trimmed(v / 1e6)),
        v if v >= 1e4 => format!("{} k", trimmed(v / 1e3)),
        v if v >= 100.0 => number(v),
        v => trimmed(v),
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A plot being drawn.
pub(super) struct Canvas {
    svg: String,
    x: Scale,
    y: Scale,
}

impl Canvas {
    /// The frame, with a name for those who do not see it.
    pub(super) fn new(name: &str, x: (Scale, &str), y: (Scale, &str)) -> Canvas {
        let mut canvas = Canvas { svg: String::new(), x: x.0, y: y.0 };
        canvas.put(format_args!(
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}"><g class="frame">"#,
            escaped(name)
        ));
        for (value, name) in y.0.ticks() {
            let at = canvas.y_of(value);
            canvas.put(format_args!(r#"<path d="M{LEFT} {at:.1}H{RIGHT}"/>"#));
            canvas.put(format_args!(r#"<text x="{:.1}" y="{:.1}" class="end">{name}</text>"#, LEFT - 6.0, at + 4.0));
        }
        for (value, name) in x.0.ticks() {
            let at = canvas.x_of(value);
            canvas.put(format_args!(r#"<path d="M{at:.1} {BOTTOM}v4"/>"#));
            canvas.put(format_args!(r#"<text x="{at:.1}" y="{:.1}" class="mid">{name}</text>"#, BOTTOM + 18.0));
        }
        let (middle, below) = ((LEFT + RIGHT) / 2.0, HEIGHT - 6.0);
        canvas.put(format_args!(r#"<text x="{middle}" y="{below}" class="mid name">{}</text></g>"#, escaped(x.1)));
        canvas.put(format_args!("<!-- {} -->", escaped(y.1)));
        canvas
    }

    /// A line through these points, as the trial of `index` is drawn.
    pub(super) fn line(&mut self, label: &str, index: usize, points: &[(f64, f64)]) {
        let mut path = String::new();
        for (n, (x, y)) in points.iter().enumerate() {
            let command = if n == 0 { 'M' } else { 'L' };
            path.push_str(&format!("{command}{:.1} {:.1}", self.x_of(*x), self.y_of(*y)));
        }
        let colour = index % COLOURS;
        self.put(format_args!(
            r#"<path class="line c{colour}" data-series="{}" data-points="{}" d="{path}"/>"#,
            escaped(label),
            points.len()
        ));
    }

    /// A marked point: its title is shown when pointed at, its exact value stands in the attributes `data`.
    pub(super) fn mark(&mut self, index: usize, (x, y): (f64, f64), data: &[(&str, String)], title: &str) {
        let (colour, x, y) = (index % COLOURS, self.x_of(x), self.y_of(y));
        self.put(format_args!(
            r#"<circle class="mark c{colour}" cx="{x:.1}" cy="{y:.1}" r="3.5"{}><title>{}</title></circle>"#,
            attributes(data),
            escaped(title)
        ));
    }

    /// The finished drawing.
    pub(super) fn finish(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }

    fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.share(value) * (RIGHT - LEFT)
    }

    fn y_of(&self, value: f64) -> f64 {
        BOTTOM - self.y.share(value) * (BOTTOM - TOP)
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        self.svg.write_fmt(text).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_hold_their_values_and_end_at_round_ones() {
        assert_eq!(Scale::latency([2_500.0, 47_000.0].into_iter()), Scale::Latency { from: 2_000.0, to: 50_000.0 });
        let names: Vec<String> = Scale::linear(13.6).ticks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["0", "5", "10", "15"]);
        assert_eq!(Scale::linear(10_295.0), Scale::Linear { to: 15_000.0 });
        let nines = Scale::Nines { nines: 4.0 };
        assert!((nines.share(0.99) - 0.5).abs() < 1e-9 && nines.share(0.0) == 0.0);
        let names: Vec<String> = nines.ticks().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["0", "50", "90", "99", "99.9", "99.99"]);
        assert_eq!([1e3, 1e7, 1e9].map(short_duration), ["1 µs", "10 ms", "1 s"]);
    }
}
