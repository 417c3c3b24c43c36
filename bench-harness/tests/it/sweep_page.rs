//! A sweep's page: its values are the sweep's, what does not count is marked, and a browser opens it at once.

use std::process::Command;

use logdyno::report::{render_sweep, render_sweeps_html};
use logdyno::result::Durability;
use logdyno::sweep::{CellResult, Factor, Metric, RunSummary, SWEEP_FORMAT, SWEEP_VERSION, Sweep, cells};
use tempfile::TempDir;

use crate::page::{attributes, browse};
use crate::report::result;

/// A sweep whose runs come to what `run` says of a cell's settings and a repetition.
fn sweep(varied: &[&str], repetitions: u32, run: impl Fn(&[&str], u32) -> RunSummary) -> Sweep {
    let factors: Vec<Factor> = varied.iter().map(|text| text.parse().unwrap()).collect();
    let cell = |cell: logdyno::sweep::Cell| {
        let values: Vec<&str> = cell.settings.iter().map(|(_, value)| value.as_str()).collect();
        let runs = (1..=repetitions).map(|repetition| run(&values, repetition)).collect();
        CellResult { cell, runs, crashes: Vec::new() }
    };
    let mut sweep = Sweep {
        format: SWEEP_FORMAT.to_owned(),
        version: SWEEP_VERSION,
        workload: "workloads/flights.toml".to_owned(),
        text: "[records]\n# <script>alert(1)</script>".to_owned(),
        settings: vec!["run.duration=6s".to_owned()],
        environment: result(Vec::new()).environment,
        data: Vec::new(),
        seed: 1,
        repetitions,
        cells: cells(&factors).into_iter().map(cell).collect(),
        factors,
        effects: Vec::new(),
        target: None,
        verify_crash: None,
    };
    sweep.analyse();
    sweep
}

fn run(repetition: u32, level: &str, p99_ms: f64) -> RunSummary {
    RunSummary {
        repetition,
        result: "runs/x/result.json".to_owned(),
        records_per_second: 10_000.0,
        bytes_per_second: 1e6,
        ack_p50_ns: Some(p99_ms * 0.5e6),
        ack_p99_ns: Some(p99_ms * 1e6),
        delivery_p99_ns: Some(p99_ms * 1.1e6),
        bytes_sent_per_byte: Some(0.5),
        verdicts: Vec::new(),
        is_sound: true,
        durability: Some(Durability { level: level.to_owned(), replicas: 3 }),
    }
}

/// As many cells as the largest sweep of the acceptance test has; some runs of it do not count.
fn large() -> Sweep {
    let varied = [
        "backend=buffered,mmap,uring",
        "producer.batch.size=4k..256k*4",
        "producer.compression.type=none,lz4,zstd,gzip",
    ];
    sweep(&varied, 3, |values, repetition| {
        let slow = if values[0] == "uring" { 1.5 } else { 1.0 };
        let codec = if values[2] == "gzip" { 2.0 } else { 1.0 };
        let mut run = run(repetition, "written", (5.0 + f64::from(repetition) / 100.0) * slow * codec);
        if values[0] == "mmap" && values[1] == "4096" {
            run.verdicts = vec!["NOT-STEADY: p99 rose by 12 %".to_owned()];
            run.is_sound = false;
        }
        run
    })
}

/// The heat map of a metric and of two settings.
fn heat<'a>(page: &'a str, name: &str) -> &'a str {
    let region = format!(r#"role="region" aria-label="{name}">"#);
    let after = page.split(&region).nth(1).unwrap_or_else(|| panic!("no heat map {name}"));
    after.split("</table>").next().unwrap()
}

#[test]
fn the_heat_map_shows_the_means_of_the_sweep_and_the_strongest_settings_first() {
    let page = render_sweeps_html(&[large()]).unwrap();
    let map = heat(&page, "p99 to ack: producer.compression.type × backend");
    let values: Vec<f64> = attributes(map, "data-value").iter().map(|value| value.parse().unwrap()).collect();
    let mean = (5.01_f64 * 5.02 * 5.03).cbrt() * 1e6;
    let expected = [1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 2.0, 1.5, 1.5, 1.5, 3.0].map(|factor| factor * mean);
    assert_eq!(values.len(), expected.len());
    for (value, expected) in values.iter().zip(expected) {
        assert!((value / expected - 1.0).abs() < 1e-9, "{value} {expected}");
    }
    assert!(map.contains(r#"class="h0""#) && map.contains(r#"class="h4""#), "{map}");
    let first = page.find("p99 to ack: producer.compression.type × backend").unwrap();
    assert!(first < page.find("p99 to ack: backend × producer.batch.size").unwrap(), "by effect");
    for choice in ["p50 to ack: ", "throughput", "bytes sent per byte"] {
        assert!(page.contains(&format!(">{}</label>", choice.trim_end_matches(": "))), "{choice} can be chosen");
    }
    assert!(!page.contains("<script"), "foreign markup");
}

/// What does not count is told where it stands, and never has the colour of what is good.
#[test]
fn a_cell_that_does_not_count_is_marked_and_has_no_colour_and_no_rank() {
    let sweep = large();
    let page = render_sweeps_html(std::slice::from_ref(&sweep)).unwrap();
    let map = heat(&page, "p99 to ack: backend × producer.batch.size");
    assert!(map.contains(r#"<td class="void" data-value="">–<small>NOT-STEADY 12 of 12</small></td>"#), "{map}");
    assert!(page.contains("132 of 144 runs are verified") && page.contains("NOT-STEADY 12 of 144"));
    assert!(page.contains(
        "backend=mmap producer.batch.size=4096 producer.compression.type=none, repetition 1: NOT-STEADY: p99 rose"
    ));
    let ranking = page.split(r#"aria-label="All cells">"#).nth(1).unwrap().split("</table>").next().unwrap();
    let rows: Vec<&str> = ranking.split("<tbody>").nth(1).unwrap().split("<tr>").skip(1).collect();
    assert_eq!(rows.len(), 48);
    assert!(rows[0].contains(r#"<th scope="row">1</th>"#) && rows[0].contains("VERIFIED 3 of 3"), "{}", rows[0]);
    let unranked = rows.iter().filter(|row| row.contains(r#"<th scope="row">–</th>"#));
    assert_eq!(unranked.filter(|row| row.contains("NOT-STEADY 3 of 3")).count(), 4);
    assert!(render_sweep(&sweep).contains("(NOT-STEADY 12 of 12)"), "{}", render_sweep(&sweep));
}

/// A cell that loses is not ranked above one that keeps.
#[test]
fn cells_are_ranked_and_coloured_within_one_promise_only() {
    let sweep =
        sweep(&["topic.logdyno.ack.level=visible,durable", "producer.linger.ms=0,5"], 2, |values, repetition| {
            let p99 = if values[0] == "durable" { 20.0 } else { 2.0 };
            run(repetition, values[0], p99 + values[1].parse::<f64>().unwrap())
        });
    let page = render_sweeps_html(std::slice::from_ref(&sweep)).unwrap();
    for (promise, best) in [("durable on 3 replicas", "20.0 ms"), ("visible on 3 replicas", "2.00 ms")] {
        let class = page.split(&format!("<h2>An ack promises: {promise}</h2>")).nth(1).unwrap();
        let class = class.split("<h2>").next().unwrap();
        let ranking = class.split(r#"aria-label="All cells">"#).nth(1).unwrap();
        let first = ranking.split("<tbody>").nth(1).unwrap().split("</tr>").next().unwrap();
        assert!(first.contains(r#"<th scope="row">1</th>"#) && first.contains(best), "{promise}: {first}");
        assert_eq!(
            ranking.split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap().matches("<tr>").count(),
            2
        );
        assert!(class.contains(&format!(r#"from {best} at the best"#)), "{promise}: its own colours");
    }
    let text = render_sweep(&sweep);
    assert!(text.contains("Cells with the lowest p99 to ack, where an ack promises durable on 3 replicas"), "{text}");
}

#[test]
fn a_browser_opens_a_page_of_48_cells_at_once_and_any_map_can_be_chosen() {
    if Command::new("chromium").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no `chromium` here, so no browser has looked at the page: apt-get install chromium");
        return;
    }
    let page = render_sweeps_html(&[large()]).unwrap();
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let dir = TempDir::new().unwrap();
    for width in [400, 1280] {
        std::fs::write(dir.path().join("page.html"), page.replace("</body>", &format!("{LOOK}</body>"))).unwrap();
        let (dom, log) = browse(dir.path(), width);
        assert!(!log.contains("CONSOLE"), "{log}");
        assert_eq!(attributes(&dom, "data-wide"), ["0"], "scrolls sideways at {width}");
        assert_eq!(attributes(&dom, "data-loaded"), ["0"], "something was fetched");
        assert_eq!(attributes(&dom, "data-seen"), ["1"], "one heat map at a time");
        assert_eq!(attributes(&dom, "data-others"), ["15"], "each can be chosen, and is then the only one");
        let took: f64 = attributes(&dom, "data-took")[0].parse().unwrap();
        assert!(took < 2_000.0, "{took} ms until it was laid out");
    }
}

/// Measured by the browser itself: a script that only the test's copy of the page has.
const LOOK: &str = r#"<script>
const maps = () => [...document.querySelectorAll("table.heat")].filter(map => map.getBoundingClientRect().height > 0);
const root = document.documentElement.dataset;
root.seen = maps().length;
root.took = performance.now();
root.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
root.loaded = performance.getEntriesByType("resource").length;
const chosen = new Set();
for (const metric of document.querySelectorAll(":is(main section) > .tabs > input")) {
  metric.click();
  for (const pair of metric.nextElementSibling.nextElementSibling.querySelectorAll("input")) {
    pair.click();
    if (maps().length === 1) chosen.add(maps()[0].parentElement.getAttribute("aria-label"));
  }
}
root.others = chosen.size;
</script>"#;

/// Who reads an interval learns that its two values were picked, in the text and on the page.
#[test]
fn the_interval_says_for_which_pairs_it_holds() {
    let sweep = large();
    let said = "the interval is one that holds for all pairs of them at once";
    assert!(render_sweep(&sweep).contains(said) && render_sweeps_html(&[sweep]).unwrap().contains(said));
}

/// A backlogged cell has a throughput, which is analysed, and no rank; like any other verdict it makes the program exit with 5.
#[test]
fn a_backlogged_cell_counts_with_its_throughput_only() {
    let with = |backlogged: bool| {
        sweep(&["producer.linger.ms=0,5"], 2, |values, repetition| {
            let mut run = run(repetition, "written", 5.0);
            if backlogged && values[0] == "5" {
                run.verdicts = vec!["BACKLOGGED: it grew".to_owned()];
                (run.ack_p50_ns, run.ack_p99_ns, run.delivery_p99_ns) = (None, None, None);
            }
            run
        })
    };
    assert!(with(false).counts() && !with(true).counts());
    let analysed = |sweep: &Sweep, metric| {
        let effects = sweep.effects.iter().find(|(known, _)| *known == metric);
        effects.map_or(0, |(_, effects)| effects.runs)
    };
    let sweep = with(true);
    assert_eq!([Metric::Throughput, Metric::AckP99].map(|metric| analysed(&sweep, metric)), [4, 2]);
    assert!(render_sweep(&sweep).contains("producer.linger.ms=5, repetition 1: BACKLOGGED: it grew"));
}
