//! Results as one HTML page that needs nothing else: no script, no network, no font. The plots are drawn here, as SVG.
//!
//! Tables are those of the text report, cell by cell, so the two cannot differ; each plot names its values in
//! `data-` attributes and titles, for readers and tests that do not look at pixels.

mod attribution;
mod axis;
mod batches;
mod classes;
mod grid;
mod over_time;
mod percentiles;
mod roofline;
mod stack;
mod sweep;

use askama::Template;

use self::classes::{Class, classes};
use self::grid::Grid;
pub use self::sweep::render_sweeps_html;
use super::cells::NOTHING;
use super::crashes::{CRASHES_TITLE, crashes};
use super::heading::unseen;
use super::limits::parts;
use super::rest::rest;
use super::steps::{slowest_of, steps};
use super::taken::taken;
use super::verdicts::sound;
use super::work::{batches, counters};
use super::{PARTS_TITLE, REST_TITLE, TAKEN_TITLE, label, measured_of};
use crate::result::{Environment, Measured, Outcome, RunResult, Trial};

/// The whole page of one or several results.
pub fn render_html(results: &[RunResult]) -> Result<String, askama::Error> {
    Page { title: title(results), results: results.iter().map(section).collect() }.render()
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    title: String,
    results: Vec<Section>,
}

/// One result.
struct Section {
    name: String,
    question: String,
    command: String,
    facts: Vec<(&'static str, String)>,
    is_debug: bool,
    verdicts: Vec<Card>,
    classes: Vec<Class>,
    plots: Vec<Plot>,
    /// Whether some trial says how near to the hardware's limits it came.
    has_limits: bool,
    tables: Vec<(&'static str, Grid)>,
    slowest: Vec<String>,
    proof: Vec<Proof>,
    settings: Vec<(&'static str, Vec<(String, String)>)>,
    workload: String,
}

/// A trial's verdict.
struct Card {
    label: String,
    /// A class of the style sheet: `good`, `bad` or `doubtful`.
    tone: &'static str,
    word: &'static str,
    reasons: Vec<String>,
}

/// A plot with what it shows in words.
pub(super) struct Plot {
    title: &'static str,
    caption: &'static str,
    legend: Vec<(String, String)>,
    svg: String,
    /// The same as a table, for those who do not see it or want the numbers.
    values: Grid,
}

struct Proof {
    label: String,
    holds: bool,
    name: String,
    detail: String,
}

fn title(results: &[RunResult]) -> String {
    results.iter().map(|result| result.workload.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn section(result: &RunResult) -> Section {
    let measured: Vec<(String, &Measured)> = measured_of(result);
    let workload = &result.workload;
    Section {
        name: workload.name.clone(),
        question: workload.question.clone(),
        command: result.environment.command.clone(),
        facts: facts(result),
        is_debug: result.environment.build == "debug",
        verdicts: result.trials.iter().map(|trial| card(result, trial)).collect(),
        classes: classes(result, &measured),
        plots: plots(&measured),
        has_limits: measured.is_empty() || measured.iter().any(|(_, measured)| measured.limits.is_some()),
        tables: if measured.is_empty() { Vec::new() } else { tables(result, &measured) },
        slowest: slowest_of(&measured),
        proof: proof(&measured),
        settings: vec![
            ("producer", workload.producer.clone()),
            ("consumer", workload.consumer.clone()),
            ("topic", workload.topic_configs.clone()),
            ("broker", workload.broker.clone()),
        ],
        workload: workload.text.clone(),
    }
}

fn facts(result: &RunResult) -> Vec<(&'static str, String)> {
    let workload = &result.workload;
    let targets = if result.trials.is_empty() { NOTHING.to_owned() } else { result.targets().join(" and ") };
    let mut facts = vec![
        (
            "target",
            format!("{targets}, {}, {}", counted(workload.brokers, "broker"), counted(workload.producers, "producer")),
        ),
        ("records", format!("{} · {}", super::format::whole(workload.records), workload.load)),
        ("topic", workload.topic.clone()),
    ];
    facts.extend(machine_facts(&result.environment));
    facts.extend(unseen(result).map(|sentence| ("stages", sentence)));
    facts
}

/// Where and by what it was made.
fn machine_facts(machine: &Environment) -> Vec<(&'static str, String)> {
    vec![
        ("machine", format!("{}, {} cores, {} MiB", machine.processor, machine.cores, machine.memory_mib)),
        ("system", format!("Linux {} · {}", machine.kernel, machine.file_system)),
        ("logdyno", format!("{} ({}, {} build)", machine.version, machine.commit, machine.build)),
        ("began", machine.began.clone()),
    ]
}

fn counted(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn card(result: &RunResult, trial: &Trial) -> Card {
    let (tone, word, reasons) = match &trial.outcome {
        Outcome::Refused { reason } => ("doubtful", "REFUSED", vec![reason.clone()]),
        Outcome::Failed { reason } => ("bad", "FAILED", vec![reason.clone()]),
        Outcome::Measured(measured) => match measured.verdicts.first() {
            None => ("good", "VERIFIED", vec![sound(result, measured)]),
            Some(first) => {
                let reason = |verdict: &crate::result::Verdict| format!("{}: {}", verdict.kind.name(), verdict.reason);
                ("bad", first.kind.name(), measured.verdicts.iter().map(reason).collect())
            }
        },
    };
    Card { label: label(result, trial), tone, word, reasons }
}

fn plots(trials: &[(String, &Measured)]) -> Vec<Plot> {
    let steady: Vec<(String, &Measured)> = trials.iter().filter(|(_, m)| !m.is_backlogged()).cloned().collect();
    let plots = [
        percentiles::plot(&steady, "Latency to the acknowledgement", |m| &m.to_acknowledgement.total),
        percentiles::plot(&steady, "Latency to the delivery", |m| &m.to_delivery.total),
        over_time::throughput(trials),
        over_time::latency(&steady),
        attribution::plot(&steady, "Where the time went: to the acknowledgement", |m| &m.to_acknowledgement),
        attribution::plot(&steady, "Where the time went: to the delivery", |m| &m.to_delivery),
        batches::plot(trials),
        roofline::plot(trials),
    ];
    plots.into_iter().flatten().collect()
}

fn tables(result: &RunResult, trials: &[(String, &Measured)]) -> Vec<(&'static str, Grid)> {
    let rest = rest(trials).map(|table| (REST_TITLE, table.into()));
    let others = vec![
        ("Steps to the acknowledgement", steps(trials, |m| &m.to_acknowledgement).into()),
        ("Steps to the delivery", steps(trials, |m| &m.to_delivery).into()),
        ("Batches", batches(trials).into()),
        ("Work for each record acknowledged or delivered in the measured part", counters(trials).into()),
    ];
    let taken = taken(trials).map(|table| (TAKEN_TITLE, table.into()));
    let parts = parts(trials).map(|table| (PARTS_TITLE, table.into()));
    let crashes = crashes(result).map(|table| (CRASHES_TITLE, table.into()));
    crashes.into_iter().chain(rest).chain(others).chain(parts).chain(taken).collect()
}

fn proof(trials: &[(String, &Measured)]) -> Vec<Proof> {
    let of = |(label, measured): &(String, &Measured)| {
        let label = label.clone();
        measured.proof.clone().into_iter().map(move |evidence| Proof {
            label: label.clone(),
            holds: evidence.holds,
            name: evidence.name,
            detail: evidence.detail,
        })
    };
    trials.iter().flat_map(of).collect()
}

/// Attributes of these names, each behind a space.
fn attributes(named: &[(&str, String)]) -> String {
    named.iter().map(|(name, value)| format!(r#" {name}="{}""#, escaped(value))).collect()
}

/// Text that is safe within SVG.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
