//! `logdyno serve` as a process: what it says, what it refuses, what it tells Prometheus.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A running `serve`; killed when dropped.
pub(crate) struct Served {
    child: Child,
    said: Vec<(String, String)>,
}

impl Served {
    /// Starts it and reads its first `lines` lines.
    pub(crate) fn start(arguments: &[&str], lines: usize) -> Served {
        Served::listening("127.0.0.1:0", arguments, lines)
    }

    fn listening(at: &str, arguments: &[&str], lines: usize) -> Served {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logdyno"));
        command.args(["serve", "--listen", at]).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("serve starts");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let said = out.lines().take(lines).map(|line| {
            let line = line.expect("text");
            let (what, address) = line.split_once(' ').expect("what and where");
            (what.to_owned(), address.to_owned())
        });
        let said = said.collect();
        Served { child, said }
    }

    pub(crate) fn addresses(&self, what: &str) -> Vec<&str> {
        self.said.iter().filter(|(said, _)| said == what).map(|(_, address)| address.as_str()).collect()
    }

    /// SIGTERM; whether it ended well.
    pub(crate) fn stop(mut self) -> bool {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, Signal::TERM).expect("it runs");
        self.child.wait().expect("it ends").success()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn http(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn page(address: &str) -> String {
    http(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
}

/// The value of a sample.
fn value(page: &str, sample: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(sample)?.trim().parse().ok())
}

/// What `serve` says on stderr when it refuses to.
fn refused(arguments: &[&str], dir: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_logdyno")).arg("serve").args(arguments).current_dir(dir).output();
    let output = output.expect("it runs");
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn metrics_tell_what_the_broker_does() {
    let served = Served::start(&["--metrics", "127.0.0.1:0"], 2);
    let metrics = served.addresses("metrics")[0];
    let before = page(metrics);
    assert!(before.starts_with("HTTP/1.1 200 OK\r\n"), "{before}");
    // A frame that is no request.
    let mut stream = TcpStream::connect(served.addresses("listening")[0]).expect("connected");
    stream.write_all(&[0xff; 4]).expect("written");
    assert_eq!(stream.read(&mut [0; 8]).expect("an end"), 0);
    let after = page(metrics);
    let grown = |sample| value(&after, sample).expect(sample) - value(&before, sample).expect(sample);
    assert_eq!(grown("logdyno_broker_connections_failed_total"), 1.0);
    for sample in [
        "logdyno_broker_open_connections",
        "logdyno_broker_request_bytes_in_flight",
        "logdyno_broker_replicas",
        "logdyno_storage_appends_total",
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_threads",
    ] {
        assert!(value(&after, sample).is_some_and(|value| value >= 0.0), "{sample} in {after}");
    }
    // Every sample belongs to a family that was announced before it.
    let body = after.split_once("\r\n\r\n").expect("a body").1;
    let mut families = Vec::new();
    for line in body.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(family) => families.push(family.split(' ').next().expect("a name")),
            None if line.starts_with('#') => {}
            None => {
                assert_eq!(Some(line.split(['{', ' ']).next().expect("a name")), families.last().copied(), "{line}")
            }
        }
    }
    assert!(http(metrics, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    assert!(http(metrics, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
    assert!(http(metrics, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    assert!(served.stop());
}

#[test]
fn each_of_several_brokers_has_metrics_of_its_own() {
    let served = Served::start(&["--brokers", "2", "--metrics", "127.0.0.1:0"], 4);
    let (listening, metrics) = (served.addresses("listening"), served.addresses("metrics"));
    assert_eq!((listening.len(), metrics.len()), (2, 2), "{:?}", served.said);
    for address in metrics {
        assert!(value(&page(address), "logdyno_broker_requests_total").is_some());
    }
    assert!(served.stop());
}

/// Whichever way they are named.
#[test]
fn others_may_not_connect_unless_that_is_asked_for() {
    let dir = TempDir::new().expect("a directory");
    std::fs::write(dir.path().join("open"), "listeners=PLAINTEXT://:0,CONTROLLER://127.0.0.1:0\n").expect("written");
    let open = "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://0.0.0.0:0\n";
    std::fs::write(dir.path().join("controller"), open).expect("written");
    for arguments in [
        &["--listen", "0.0.0.0:0"][..],
        &["--listen", "[::]:0"],
        &["--listen", "127.0.0.1:0", "--metrics", "0.0.0.0:0"],
        &["--config", "open"],
        &["--config", "controller"],
    ] {
        let said = refused(arguments, dir.path());
        assert!(said.contains("not a loopback address") && said.contains("--insecure"), "{arguments:?}: {said}");
    }
    let served = Served::listening("0.0.0.0:0", &["--insecure"], 1);
    assert!(served.stop());
}

/// A flag's setting may stand in the file, too.
#[test]
fn flags_win_over_the_file() {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("server.properties");
    let nowhere =
        "log.dirs=/nowhere/at/all\nlisteners=PLAINTEXT://192.0.2.1:1,CONTROLLER://192.0.2.1:2\nlogdyno.backend=none\n";
    std::fs::write(&file, nowhere).expect("written");
    let data = dir.path().join("data");
    let arguments =
        ["--config", file.to_str().expect("text"), "--backend", "buffered", "--data", data.to_str().expect("text")];
    let served = Served::start(&arguments, 1);
    assert!(data.join("meta.properties").exists());
    assert!(served.stop());
}
