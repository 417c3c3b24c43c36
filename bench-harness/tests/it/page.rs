//! The HTML page: its values are the result's, and a browser shows it without complaint.

use std::path::Path;
use std::process::Command;

use logdyno::limits::Share;
use logdyno::measure::{Interval, OverTime};
use logdyno::report::{render_html, reporters};
use logdyno::result::{CrashKind, CrashedCell, Crashes, LimitUse, Outcome, RunResult, Verdict, VerdictKind};
use tempfile::TempDir;

use crate::report::{measured, result};

fn two_backends() -> RunResult {
    let interval = |n: u64| Interval {
        length_ns: 500_000_000,
        acknowledged: 1_000 + n,
        records: 1_000,
        p50_ns: 900_000,
        p99_ns: 4_000_000 + n * 100_000,
        max_ns: 9_000_000,
    };
    let mut measured = measured(4_000);
    measured.over_time = Some(OverTime { interval_ns: 500_000_000, intervals: (0..3).map(interval).collect() });
    let share = |limit: &str, share| Share { limit: limit.to_owned(), share };
    measured.limits = Some(LimitUse {
        measured: "2026-01-02T03:04:05Z".to_owned(),
        objections: Vec::new(),
        binding: Some("the 2 processors".to_owned()),
        shares: vec![share("the 2 processors", 0.37), share("CRC-32C of one thread", 0.003)],
    });
    let refused = Outcome::Refused { reason: "io_uring is <off> & gone".to_owned() };
    result(vec![
        ("buffered", Outcome::Measured(Box::new(measured.clone()))),
        ("mmap", Outcome::Measured(Box::new(measured))),
        ("uring", refused),
    ])
}

/// All values of an attribute, in the order of the page.
pub(crate) fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!(r#"{name}=""#);
    page.split(begin.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// The plot of this title.
fn plot<'a>(page: &'a str, title: &str) -> &'a str {
    let figure = page.split("<figure>").find(|figure| figure.contains(&format!("<h3>{title}</h3>")));
    figure.unwrap_or_else(|| panic!("no plot {title}")).split("</figure>").next().unwrap()
}

#[test]
fn every_plot_shows_the_values_of_the_result() {
    let result = two_backends();
    let page = render_html(std::slice::from_ref(&result)).unwrap();
    let Outcome::Measured(measured) = &result.trials[0].outcome else { panic!("measured") };
    let quantiles = |of: &logdyno::measure::Distribution| -> Vec<String> {
        let one: Vec<String> = [0.5, 0.99, 0.999].map(|q| of.quantile_ns(q).to_string()).to_vec();
        [one.clone(), one].concat()
    };
    let to_ack = plot(&page, "Latency to the acknowledgement");
    assert_eq!(attributes(to_ack, "data-ns"), quantiles(&measured.to_acknowledgement.total));
    let to_delivery = plot(&page, "Latency to the delivery");
    assert_eq!(attributes(to_delivery, "data-ns"), quantiles(&measured.to_delivery.total));
    let rates = attributes(plot(&page, "Throughput over time"), "data-value");
    assert_eq!(rates, ["2000", "2002", "2004", "2000", "2002", "2004"]);
    let p99 = attributes(plot(&page, "p99 over time"), "data-value");
    assert_eq!(p99[..3], ["4000000", "4100000", "4200000"]);
    let bars = plot(&page, "Where the time went: to the acknowledgement");
    let means: Vec<String> =
        measured.to_acknowledgement.steps.iter().map(|step| step.durations.mean_ns().to_string()).collect();
    assert_eq!(attributes(bars, "data-ns"), [means.clone(), means].concat());
    let slowest = bars.split("<text").find(|part| part.contains("buffered, p99 to max: 10 records")).unwrap();
    assert!(slowest.contains(r#"data-step="batch"><title>batch: 69 % (the batch filled or lingered)"#), "{slowest}");
}

/// The table behind a plot: its rows' cells, without markup.
fn rows(figure: &str) -> Vec<Vec<String>> {
    let text = |cell: &str| cell.split('<').next().unwrap_or_default().split('>').nth(1).unwrap_or_default().to_owned();
    let cells = |row: &str| {
        let row = row.replace("<th", "<td");
        row.split("<td").skip(1).map(text).collect()
    };
    figure.split("<tbody>").nth(1).expect("a table").split("<tr>").skip(1).map(cells).collect()
}

/// Who does not see a plot reads the same values in its table.
#[test]
fn every_plot_has_its_values_in_a_table() {
    let result = two_backends();
    let page = render_html(std::slice::from_ref(&result)).unwrap();
    let figures: Vec<&str> = page.split("<figure>").skip(1).collect();
    assert_eq!(figures.len(), 8);
    for figure in figures {
        let figure = figure.split("</figure>").next().unwrap();
        assert!(figure.contains(r#"role="img" aria-label=""#) && !rows(figure).is_empty(), "{figure}");
    }
    let told = |title| rows(plot(&page, title));
    assert_eq!(told("Latency to the acknowledgement")[0], ["buffered", "1.00 ms", "5.00 ms", "5.00 ms", "–"]);
    assert_eq!(told("Throughput over time")[1], ["0.75", "2,002", "2,002"]);
    assert_eq!(told("Where the time went: to the acknowledgement")[0][2], "90 %");
}

/// The binding limit is named with the share that was used, and why batches were closed with their number.
#[test]
fn limits_and_batches_are_those_of_the_result() {
    let mut result = two_backends();
    let page = render_html(std::slice::from_ref(&result)).unwrap();
    let roofline = plot(&page, "Part of the binding limit");
    assert_eq!(attributes(roofline, "data-share"), ["0.37", "0.37"]);
    assert_eq!(attributes(roofline, "data-limit"), ["the 2 processors", "the 2 processors"]);
    assert_eq!(rows(roofline)[1], ["buffered", "CRC-32C of one thread", "0.3 %"]);
    let batches = plot(&page, "Batches: why they were closed, and how full");
    assert_eq!(attributes(batches, "data-reason"), ["linger", "linger"]);
    assert_eq!(attributes(batches, "data-count"), ["4000", "4000"]);
    assert_eq!(attributes(batches, "data-fill")[0], (90_000.0 / 4_000.0 / 16_384.0).to_string());
    assert!(!page.contains("logdyno limits"), "they are known");

    for trial in &mut result.trials {
        if let Outcome::Measured(measured) = &mut trial.outcome {
            (measured.limits, measured.batches.work) = (None, None);
        }
    }
    let page = render_html(&[result]).unwrap();
    assert!(page.contains("<code>logdyno limits</code> measures them") && !page.contains("data-limit"), "no limits");
    assert!(!page.contains("data-reason"), "a target that hides its batches");
}

/// Each class says what it withstands, and what was lost of what was acknowledged.
#[test]
fn a_class_says_what_it_promises_and_what_was_lost() {
    let mut result = two_backends();
    if let Outcome::Measured(measured) = &mut result.trials[1].outcome {
        measured.durability.level = "durable".to_owned();
        measured.records.delivered -= 3;
    }
    let page = render_html(&[result]).unwrap();
    let class = |promise: &str| {
        let after = page.split(&format!("<h3>An ack promises: {promise}</h3>")).nth(1).expect("the class");
        after.split("</p>").next().unwrap()
    };
    assert!(class("durable on 3 replicas").contains("survives a loss of power"), "{}", class("durable on 3 replicas"));
    assert!(class("durable on 3 replicas").contains(": mmap 3 of 4,000 acknowledged."));
    assert!(class("written on 3 replicas").contains("a killed process, not a loss of power"));
    assert!(class("written on 3 replicas").contains(": buffered 0 of 4,000 acknowledged."));
}

/// What cells lost when they were made to crash stands with their class and in a table, on the page as in text and Markdown.
#[test]
fn what_crashes_have_cost_is_told_everywhere() {
    let mut result = two_backends();
    let crashes = |kind, lost, promised| Crashes {
        kind,
        rounds: 3,
        acknowledged: 1500,
        lost,
        invented: 0,
        promised,
        notes: Vec::new(),
    };
    result.crashed = vec![CrashedCell {
        target: "embedded".to_owned(),
        backend: Some("mmap".to_owned()),
        crashes: vec![crashes(CrashKind::Kill, 0, true), crashes(CrashKind::PowerLoss, 1234, false)],
    }];
    let text = logdyno::report::render(&result);
    let markdown = reporters().into_iter().find(|reporter| reporter.name() == "markdown").unwrap();
    let page = render_html(std::slice::from_ref(&result)).unwrap();
    for drawn in [&text, &markdown.render(std::slice::from_ref(&result)), &page] {
        assert!(drawn.contains("when made to crash under load"), "{drawn}");
        assert!(drawn.contains("power loss") && drawn.contains("1,234") && drawn.contains("no loss"), "{drawn}");
    }
    assert!(page.contains("when made to crash: mmap killed, 0 of 1,500; without power, 1,234 of 1,500."), "its class");
}

/// Text of a user or of the kernel is text, and a backlogged trial has no latency here either.
#[test]
fn nothing_foreign_becomes_markup_and_nothing_void_a_plot() {
    let mut result = two_backends();
    result.workload.question = "<script>alert(1)</script>".to_owned();
    let page = render_html(std::slice::from_ref(&result)).unwrap();
    assert!(!page.contains("<script") && !page.contains("<off>") && !page.contains("src="), "foreign markup");
    for trial in &mut result.trials {
        if let Outcome::Measured(measured) = &mut trial.outcome {
            measured.verdicts.push(Verdict { kind: VerdictKind::Backlogged, reason: "it grew".to_owned() });
        }
    }
    let page = render_html(&[result]).unwrap();
    assert!(page.contains("BACKLOGGED: it grew") && page.contains("<h3>Throughput over time</h3>"));
    assert!(!page.contains("data-quantile") && !page.contains("<h3>p99 over time</h3>"), "latency of a backlog");
}

/// Whatever a result file says of limits and of reasons for closing batches stays text.
#[test]
fn words_of_a_file_do_not_leave_their_attributes() {
    let hostile = r#"a" onload="alert(1)"><script>&amp;"#;
    let mut result = two_backends();
    for trial in &mut result.trials {
        if let Outcome::Measured(measured) = &mut trial.outcome {
            hostile.clone_into(&mut measured.limits.as_mut().unwrap().shares[0].limit);
            measured.batches.work.as_mut().unwrap().close_reasons.insert(hostile.to_owned(), 1_000);
        }
    }
    let page = render_html(&[result]).unwrap();
    for attribute in ["data-limit", "data-reason"] {
        let kept = attributes(&page, attribute);
        let escaped = "a&quot; onload=&quot;alert(1)&quot;&gt;&lt;script&gt;&amp;amp;";
        assert!(kept.contains(&escaped), "{attribute}: {kept:?}");
    }
    assert!(!page.contains(r#"onload=""#) && !page.contains("<script"), "{page}");
}

/// Measured by the browser itself: a script that only the test's copy of the page has.
const LOOK: &str = r#"<script>
const drawn = [...document.querySelectorAll("svg")].filter(svg => svg.getBBox().width > 100 && svg.getBBox().height > 20);
document.documentElement.dataset.drawn = drawn.length;
const reached = [...document.querySelectorAll("a[href],summary,input,[tabindex]")];
const named = node => node.hasAttribute("role") ? node.getAttribute("aria-label") : node.textContent.trim();
document.documentElement.dataset.nameless = reached.filter(node => !named(node) || node.tabIndex > 0).length;
document.documentElement.dataset.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
document.documentElement.dataset.loaded = performance.getEntriesByType("resource").length;
</script>"#;

#[test]
fn a_browser_draws_every_plot_at_any_width_and_complains_of_nothing() {
    if Command::new("chromium").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no `chromium` here, so no browser has looked at the page: apt-get install chromium");
        return;
    }
    let dir = TempDir::new().unwrap();
    let page = render_html(&[two_backends()]).unwrap();
    assert!(page.len() < 3_000_000);
    std::fs::write(dir.path().join("page.html"), page.replace("</body>", &format!("{LOOK}</body>"))).unwrap();
    for width in [400, 1280] {
        let (dom, log) = browse(dir.path(), width);
        assert!(!log.contains("CONSOLE"), "{log}");
        assert_eq!(attributes(&dom, "data-drawn"), ["8"], "{log}");
        assert_eq!(attributes(&dom, "data-nameless"), ["0"], "something that can be reached has no name");
        assert_eq!(attributes(&dom, "data-wide"), ["0"], "scrolls sideways at {width}");
        assert_eq!(attributes(&dom, "data-loaded"), ["0"], "something was fetched");
    }
}

/// The page's document and the browser's log.
pub(crate) fn browse(dir: &Path, width: u32) -> (String, String) {
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("--window-size={width},900"))
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("file://{}", dir.join("page.html").display()))
        .output()
        .unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}
