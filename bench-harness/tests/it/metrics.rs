//! `run --metrics`: what a scrape sees while a run is under way.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::program::logdyno;

const WORKLOAD: &str = "\
[workload]
question = \"What is it doing?\"
[records]
size = 40
entropy = 3.5
distinct = 500
passes = 2
[load]
rate = 5000
[run]
target = \"null\"
warm.up.records = 100
";

fn scrape(address: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

/// The value of the first sample of this name, if it is there.
fn value(answer: &str, name: &str) -> Option<f64> {
    let line = answer.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_scrape_during_a_run_has_its_figures() {
    let dir = TempDir::new().unwrap();
    // Longer than any test may take: it is interrupted once it has shown what it is asked for.
    std::fs::write(dir.path().join("long.toml"), WORKLOAD.replace("passes = 2", "passes = 100000")).unwrap();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("logdyno"))
        .current_dir(dir.path())
        .args(["run", "long.toml", "--out", "out", "--metrics", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = lines.find_map(|line| Some(line.strip_prefix("metrics on http://")?.replace("/metrics", "")));
    let address = address.expect("it says where");
    let latency = "logdyno_latency_seconds_count{";
    let answer = std::iter::repeat_with(|| scrape(&address))
        .find(|answer| value(answer, latency).is_some_and(|count| count > 0.0))
        .unwrap();
    // SAFETY: a signal to a child that has not been waited for, so that its number is still its own.
    assert_eq!(unsafe { libc::kill(child.id().cast_signed(), libc::SIGINT) }, 0);
    drop(lines.collect::<Vec<_>>());
    child.wait().unwrap();
    assert!(answer.contains("\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
    assert!(answer.contains("logdyno_sent_records_total{run=\"long on null\",trial=\"1\"} "), "{answer}");
    let [sent, acknowledged, delivered] =
        ["sent", "acknowledged", "delivered"].map(|name| value(&answer, &format!("logdyno_{name}_records_total")));
    assert!(sent >= acknowledged && acknowledged >= value(&answer, latency), "{answer}");
    assert!(delivered > Some(0.0) && value(&answer, "logdyno_measuring") == Some(1.0), "{answer}");
    assert!(answer.ends_with("# EOF\n"), "{answer}");
}

#[test]
fn nobody_elses_address_is_taken() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("small.toml"), WORKLOAD).unwrap();
    let refused = logdyno(&dir, &["run", "small.toml", "--metrics", "0.0.0.0:9464"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("0.0.0.0 can be reached from other machines"), "{}", refused.stderr);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = logdyno(&dir, &["run", "small.toml", "--metrics", &address]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("--metrics {address}")), "{}", refused.stderr);
}
