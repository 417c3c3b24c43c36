//! The program: what it prints, saves and returns.

use std::os::unix::ffi::OsStrExt;

use assert_cmd::Command;
use logdyno::result;
use tempfile::TempDir;

const WORKLOAD: &str = "\
[workload]
question = \"Does it work?\"
[records]
size = 40
entropy = 3.5
keys = 7
distinct = 500
passes = 2
[topic]
partitions = 3
[load]
rate = 5000
[run]
target = \"null\"
warm.up.records = 100
";

#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn logdyno(dir: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("logdyno").unwrap();
    let output = command.current_dir(dir.path()).args(arguments).output().unwrap();
    Output {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn scene() -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("small.toml"), WORKLOAD).unwrap();
    dir
}

/// What the program returns, and says on stderr, if nobody reads what it prints.
fn unread(dir: &TempDir, arguments: &[&str]) -> (i32, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_logdyno"));
    let ended = program.current_dir(dir.path()).args(arguments).stdout(writer).output().unwrap();
    (ended.status.code().unwrap(), String::from_utf8(ended.stderr).unwrap())
}

/// On a busy machine the generator may be late, which makes a run not count.
fn assert_ran(output: &Output) {
    assert!([0, 5].contains(&output.code), "{}: {}", output.code, output.stderr);
    assert!(output.code == 0 || output.stdout.contains("GENERATOR-BOUND"), "{}", output.stdout);
    assert!(!output.stdout.contains("INVALID"), "{}", output.stdout);
}

#[test]
fn the_saved_result_draws_the_same_report_again() {
    let dir = scene();
    let ran = logdyno(&dir, &["run", "small.toml", "--out", "out", "--repetitions", "2"]);
    assert_ran(&ran);
    for saved in ["out/small", "out/small/result.json"] {
        let again = logdyno(&dir, &["report", saved]);
        assert_eq!((again.code, again.stdout), (0, ran.stdout.clone()));
    }
    assert!(ran.stdout.contains("1,000 of 1,000") && ran.stdout.contains("null #2"), "{}", ran.stdout);
    assert!(ran.stderr.contains("saved 2 trials in out/small/result.json"), "{}", ran.stderr);
    assert!(!dir.path().join("out/small/data-none-1").exists(), "the data of a trial are removed");
}

#[test]
fn json_is_the_saved_document() {
    let dir = scene();
    let settings = ["--set", "load.rate=4000", "--set", "producer.batch.size=0"];
    let ran = logdyno(&dir, &[&["run", "small.toml", "--out", "out", "--json"][..], &settings].concat());
    let printed: result::RunResult = serde_json::from_str(&ran.stdout).unwrap();
    let saved = result::read(&dir.path().join("out/small")).unwrap();
    assert_eq!(printed, saved);
    assert_eq!(saved.workload.text, WORKLOAD);
    assert_eq!(saved.workload.overrides, ["load.rate=4000", "producer.batch.size=0"]);
    let result::Outcome::Measured(measured) = &saved.trials[0].outcome else { panic!("{saved:?}") };
    assert_eq!(measured.offered_per_second, Some(4000.0));
    assert_eq!((measured.records.sent, measured.records.passes, measured.records.measured), (1000, 2, 900));
    // Without room for two, each record is a batch: 900 samples, for p50 and p99 and no more.
    let quantiles = &measured.to_acknowledgement.quantiles;
    let told: Vec<_> = quantiles.iter().map(|one| (one.quantile.as_str(), one.ns.is_some())).collect();
    assert_eq!(told, [("p50", true), ("p99", true), ("p99.9", false), ("p99.99", false)]);
    assert_eq!(quantiles[2].absent.as_deref(), Some("900 independent samples (batches), and it takes 3688"));
}

#[test]
fn a_run_is_exported_as_it_would_be_reported() {
    let dir = scene();
    let ran = logdyno(&dir, &["run", "small.toml", "--out", "out", "--export", "go=run.go", "--export", "junit=-"]);
    let go = std::fs::read_to_string(dir.path().join("run.go")).unwrap();
    // A busy machine may make the generator late: that run has a failure in JUnit's document, and no line in Go's.
    let counts = !ran.stdout.contains("GENERATOR-BOUND");
    assert!(ran.code == if counts { 0 } else { 5 }, "{}: {}", ran.code, ran.stderr);
    assert_eq!(go.contains("BenchmarkLogdyno/workload=small/"), counts, "{go}");
    for (format, exported) in [("go", &go), ("junit", &ran.stdout)] {
        let reported = logdyno(&dir, &["report", "out/small", "--format", format]);
        assert_eq!((reported.code, &reported.stdout), (0, exported), "stdout holds the document and no table");
    }
    for (wrong, why) in [
        ("go", "it takes FORMAT=FILE, such as junit=results.xml"),
        ("xml=a", "there is no format `xml`: there are go, bencher, "),
        ("go=", "go needs a file to go to, or - for stdout"),
    ] {
        let refused = logdyno(&dir, &["run", "small.toml", "--export", wrong]);
        assert!(refused.code == 2 && refused.stderr.contains(why), "{refused:?}");
    }
    let unwritable = logdyno(&dir, &["run", "small.toml", "--out", "again", "--export", "go=no/such/folder"]);
    assert!(unwritable.code != 0 && unwritable.stderr.contains("no/such/folder cannot be written"), "{unwritable:?}");
}

/// HdrHistogram's own reader finds every tag, with as many values as records were measured.
#[test]
fn the_interval_log_holds_every_histogram() {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    let dir = scene();
    assert_ran(&logdyno(&dir, &["run", "small.toml", "--out", "out"]));
    let log = std::fs::read(dir.path().join("out/small/latency.hlog")).unwrap();
    let mut tags = Vec::new();
    for entry in IntervalLogIterator::new(&log) {
        let LogEntry::Interval(interval) = entry.unwrap() else { continue };
        let bytes = base64_decoded(interval.encoded_histogram());
        let histogram: hdrhistogram::Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
        assert_eq!(histogram.len(), 900, "{:?}", interval.tag());
        tags.push(interval.tag().unwrap().as_str().to_owned());
    }
    assert!(
        tags.contains(&"null/1/ack/total".to_owned()) && tags.contains(&"null/1/delivery/deliver".to_owned()),
        "{tags:?}"
    );
}

fn base64_decoded(text: &str) -> Vec<u8> {
    let digit = |byte: u8| {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|known| *known == byte)
    };
    let digits: Vec<usize> = text.bytes().filter_map(digit).collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let number =
            group.iter().enumerate().fold(0_usize, |number, (place, digit)| number | digit << (18 - 6 * place));
        bytes.extend((0..group.len() - 1).map(|byte| (number >> (16 - 8 * byte)) as u8));
    }
    bytes
}

#[test]
fn a_closed_loop_runs_for_its_time() {
    let dir = TempDir::new().unwrap();
    let text = "[records]\nsize = 20\nentropy = 8\n[load]\nin.flight = 10\n[run]\ntarget = \"null\"\nwarm.up = \"50ms\"\nduration = \"300ms\"\n";
    std::fs::write(dir.path().join("closed.toml"), text).unwrap();
    let ran = logdyno(&dir, &["run", "closed.toml", "--out", "out", "--json"]);
    let saved: result::RunResult = serde_json::from_str(&ran.stdout).unwrap();
    let result::Outcome::Measured(measured) = &saved.trials[0].outcome else { panic!("{saved:?}") };
    assert_eq!(measured.offered_per_second, None);
    assert!(measured.measured_ns >= 290_000_000, "{}", measured.measured_ns);
    assert!(measured.records.measured > 0 && measured.records.measured < measured.records.sent);
}

#[test]
fn the_engines_brokers_serve_it_from_the_command_line() {
    let dir = scene();
    let arguments = ["run", "small.toml", "--target", "embedded", "--backend", "buffered", "--out", "out"];
    let ran = logdyno(&dir, &arguments);
    assert_ran(&ran);
    assert!(ran.stdout.contains("all 500 records in each of 2 passes verified") || ran.code == 5, "{}", ran.stdout);
    assert!(ran.stdout.contains("yes buffered, write calls"), "{}", ran.stdout);
}

#[test]
fn reports_of_what_is_no_result_say_so() {
    let dir = scene();
    let missing = logdyno(&dir, &["report", "none.json"]);
    assert_eq!(missing.code, 1);
    assert_eq!(missing.stderr, "logdyno: none.json cannot be read: No such file or directory (os error 2)\n");
    std::fs::write(dir.path().join("other.json"), "{\"format\": \"logdyno-result\", \"version\": 99}").unwrap();
    let other = logdyno(&dir, &["report", "other.json"]);
    assert_eq!(other.code, 1);
    assert!(other.stderr.contains("it must have format `logdyno-result` and version 1"), "{}", other.stderr);
}

/// Ctrl-C: the trial under way is dropped, those before are saved, and it is said.
#[test]
fn an_interrupt_ends_it_and_keeps_what_was_done() {
    use std::io::{BufRead, BufReader};

    let dir = scene();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("logdyno"))
        .current_dir(dir.path())
        .args(["run", "small.toml", "--out", "out", "--repetitions", "500"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("2/500") && line.ends_with("starts")));
    // SAFETY: a signal to a child that has not been waited for, so that its number is still its own.
    assert_eq!(unsafe { libc::kill(child.id().cast_signed(), libc::SIGINT) }, 0);
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(rest.iter().any(|line| line.starts_with("interrupted: ")), "{rest:?}");
    let saved = result::read(&dir.path().join("out/small")).unwrap();
    assert!((1..500).contains(&saved.trials.len()), "{}", saved.trials.len());
    let said = format!("saved {} trials in out/small/result.json", saved.trials.len());
    assert!(rest.contains(&said), "{rest:?}");
}

/// A workload for one's own CSV runs as it was written, and one that is there is not written over.
#[test]
fn a_workload_for_records_of_ones_own_runs_as_written() {
    let dir = TempDir::new().unwrap();
    let lines: String = (0..400).map(|n| format!("{n},\"a, b\",{}\n", n % 7)).collect();
    std::fs::write(dir.path().join("mine.csv"), format!("id,\"a \"\"name\"\"\",group\n{lines}")).unwrap();
    let init = logdyno(&dir, &["init", "own.toml", "--records", "mine.csv"]);
    assert_eq!(init.code, 0, "{}", init.stderr);
    let text = std::fs::read_to_string(dir.path().join("own.toml")).unwrap();
    assert!(
        text.contains("file = \"mine.csv\"") && text.contains(r#"# Its fields: "id", "a \"name\"", "group""#),
        "{text}"
    );
    let again = logdyno(&dir, &["init", "own.toml"]);
    assert!(
        again.code == 1 && again.stderr.contains("own.toml is there already and stays as it is"),
        "{}",
        again.stderr
    );
    let short = ["--set", "run.duration=1s", "--set", "run.warm.up=0s", "--set", "records.key=group"];
    let ran = logdyno(
        &dir,
        &[&["run", "own.toml", "--target", "null", "--html", "page.html", "--out", "out"][..], &short].concat(),
    );
    assert_ran(&ran);
    assert!(std::fs::read_to_string(dir.path().join("page.html")).unwrap().contains("own.toml"));
}

#[test]
fn init_writes_nothing_that_run_would_refuse() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("empty.csv"), "a,b\n").unwrap();
    let init = logdyno(&dir, &["init", "own.toml", "--records", "empty.csv"]);
    assert!(init.code == 2 && init.stderr.contains("empty.csv"), "{}: {}", init.code, init.stderr);
    assert!(!dir.path().join("own.toml").exists());
    assert_eq!(logdyno(&dir, &["init"]).code, 0);
    assert!(std::fs::read_to_string(dir.path().join("workload.toml")).unwrap().contains("entropy"));
}

#[test]
fn shells_and_man_learn_every_command() {
    let dir = TempDir::new().unwrap();
    let bash = logdyno(&dir, &["completions", "bash"]).stdout;
    assert_eq!(logdyno(&dir, &["man", "man1"]).code, 0);
    for command in ["init", "run", "report", "serve", "doctor", "dump"] {
        assert!(
            bash.contains(&format!("logdyno__subcmd__{command}")) || bash.contains(&format!("logdyno__{command}")),
            "{command}"
        );
        let page = std::fs::read_to_string(dir.path().join(format!("man1/logdyno-{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
    }
}

/// A Rust toolchain alone builds the program, and the program says how to have more.
#[cfg(not(feature = "kafka"))]
#[test]
fn without_librdkafka_a_cluster_as_target_says_how_to_build_with_it() {
    let ran = logdyno(&scene(), &["run", "small.toml", "--target", "kafka://127.0.0.1:9092"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("cargo build --release --features kafka"), "{}", ran.stderr);
}

#[test]
fn a_target_that_is_named_twice_is_refused() {
    let ran = logdyno(&scene(), &["run", "small.toml", "--target", "null", "--target", "null"]);
    assert!(ran.code == 2 && ran.stderr.contains("target null is named twice"), "{ran:?}");
}

#[test]
fn targets_side_by_side_have_both_names() {
    let dir = scene();
    let arguments =
        ["run", "small.toml", "--target", "null", "--target", "log", "--backend", "buffered", "--out", "out"];
    let ran = logdyno(&dir, &arguments);
    assert_ran(&ran);
    assert!(ran.stdout.contains("small · null and log") && ran.stdout.contains("\n log buffered "), "{}", ran.stdout);
    assert_eq!(result::read(&dir.path().join("out/small")).unwrap().targets(), ["null", "log"]);
}

/// The second one's result would stand where the first one's stood.
#[test]
fn workloads_of_one_name_are_not_run_together() {
    let dir = scene();
    let twice = logdyno(&dir, &["run", "small.toml", "./small.toml", "--out", "out"]);
    assert!(twice.code == 1 && twice.stderr.contains("are both named small"), "{}", twice.stderr);
    assert!(!dir.path().join("out").exists());
}

/// A run that was killed has left its logs: the next one in the same folder would read them as its own.
#[test]
fn data_of_a_run_that_was_killed_is_removed() {
    let dir = scene();
    let left = dir.path().join("out/small/data-buffered-1");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("left"), "over").unwrap();
    let ran = logdyno(&dir, &["run", "small.toml", "--target", "log", "--backend", "buffered", "--out", "out"]);
    assert_ran(&ran);
    assert!(ran.stderr.contains("is left of a run that was killed"), "{}", ran.stderr);
    assert!(!left.exists());
}

/// `logdyno report R --json | head -c 100`: a reader that has read enough makes no command fail, and a run is saved all the same.
#[test]
fn a_reader_that_closes_the_pipe_is_the_end_and_no_error() {
    let dir = scene();
    let (code, said) = unread(&dir, &["run", "small.toml", "--out", "out"]);
    assert!([0, 5].contains(&code) && said.contains("saved 1 trials"), "{code}: {said}");
    std::fs::write(dir.path().join("00000000000000000000.index"), [0; 8]).unwrap();
    for arguments in [
        &["report", "out/small"][..],
        &["report", "out/small", "--json"],
        &["report", "out/small", "--format", "omb"],
        &["settings", "--json"],
        &["settings"],
        &["completions", "bash"],
        &["dump", "00000000000000000000.index"],
        &["--help"],
    ] {
        assert_eq!(unread(&dir, arguments), (0, String::new()), "{arguments:?}");
    }
}

/// A folder whose name is no UTF-8 is a folder, and what is saved says the command as a shell takes it.
#[test]
fn any_argument_can_be_told() {
    let dir = scene();
    let out = std::ffi::OsStr::from_bytes(b"out\xff");
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_logdyno"));
    let run = ["run", "small.toml", "--set", "workload.question=Is it $HOME?", "--out"];
    let ended = program.current_dir(dir.path()).args(run).arg(out).output().unwrap();
    assert!([Some(0), Some(5)].contains(&ended.status.code()), "{}", String::from_utf8_lossy(&ended.stderr));
    let saved = result::read(&dir.path().join(out).join("small")).unwrap();
    let told = "run small.toml --set 'workload.question=Is it $HOME?' --out 'out\u{fffd}'";
    assert!(saved.environment.command.ends_with(told), "{}", saved.environment.command);
}
