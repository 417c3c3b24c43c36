//! Bars of parts that lie side by side, a bar below the other, each with its name above it.

use super::super::format::percent;
use super::axis::WIDTH;
use super::{attributes, escaped};

const BAR: f64 = 22.0;
const ROW: f64 = 46.0;

/// Narrower parts have no room for a number.
const LABEL_MIN: f64 = 40.0;

/// A bar.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) parts: Vec<Part>,
}

/// A part of a bar.
pub(super) struct Part {
    /// Its colour's class.
    pub(super) class: String,
    /// Of the bar's whole length.
    pub(super) share: f64,
    /// Further attributes by name, for tests and tools.
    pub(super) data: Vec<(&'static str, String)>,
    /// What is shown when it is pointed at.
    pub(super) title: String,
}

/// All bars as one drawing. A bar that its parts do not fill shows how much is missing.
pub(super) fn draw(name: &str, bars: &[Bar]) -> String {
    let height = ROW * bars.len() as f64;
    let mut svg = format!(r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{}">"#, escaped(name));
    for (index, bar) in bars.iter().enumerate() {
        draw_bar(&mut svg, bar, ROW * index as f64);
    }
    svg.push_str("</svg>");
    svg
}

fn draw_bar(svg: &mut String, bar: &Bar, top: f64) {
    let (text_at, bar_at) = (top + 13.0, top + 18.0);
    svg.push_str(&format!(r#"<text x="0" y="{text_at:.1}">{}</text>"#, escaped(&bar.name)));
    svg.push_str(&format!(r#"<rect class="track" x="0" y="{bar_at:.1}" width="{WIDTH}" height="{BAR}"/>"#));
    let mut left = 0.0;
    for part in bar.parts.iter().filter(|part| part.share > 0.0) {
        // What is more than the whole ends where the whole does; the number tells it.
        let width = (part.share * WIDTH).min(WIDTH - left);
        svg.push_str(&format!(
            r#"<rect class="step {}" x="{left:.2}" y="{bar_at:.1}" width="{width:.2}" height="{BAR}" data-bar="{}"{}><title>{}</title></rect>"#,
            part.class,
            escaped(&bar.name),
            attributes(&part.data),
            escaped(&part.title),
        ));
        if width > LABEL_MIN {
            let (middle, y, label) = (left + width / 2.0, top + 33.5, percent(part.share));
            svg.push_str(&format!(r#"<text class="mid on" x="{middle:.1}" y="{y:.1}">{label}</text>"#));
        }
        left += width;
    }
}
