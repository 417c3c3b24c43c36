//! Prometheus' text format (version 0.0.4): a family of samples per figure.

use std::fmt::Write as _;

/// What a figure does over time.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A page in the making.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// A figure without labels.
    pub(super) fn one(&mut self, name: &str, help: &str, kind: Kind, value: impl std::fmt::Display) {
        self.family(name, help, kind);
        self.sample(name, &[], value);
    }

    /// Begins a figure; its samples follow.
    pub(super) fn family(&mut self, name: &str, help: &str, kind: Kind) {
        if !help.is_empty() {
            let help = help.replace('\\', r"\\").replace('\n', r"\n");
            self.line(format_args!("# HELP {name} {help}"));
        }
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let label = |(name, value): &(&str, &str)| {
            let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            format!("{name}=\"{value}\"")
        };
        let labels = labels.iter().map(label).collect::<Vec<_>>().join(",");
        if labels.is_empty() {
            self.line(format_args!("{name} {value}"));
        } else {
            self.line(format_args!("{name}{{{labels}}} {value}"));
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        self.0.write_fmt(line).unwrap_or_default();
        self.0.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_and_samples() {
        let mut page = Page::default();
        page.one("requests_total", "Requests,\nread.", Kind::Counter, 7);
        page.family("end", "", Kind::Gauge);
        page.sample("end", &[("topic", "a\"b\\c"), ("partition", "0")], -1);
        let expected = "# HELP requests_total Requests,\\nread.\n# TYPE requests_total counter\nrequests_total 7\n\
                        # TYPE end gauge\nend{topic=\"a\\\"b\\\\c\",partition=\"0\"} -1\n";
        assert_eq!(page.finish(), expected);
    }
}
