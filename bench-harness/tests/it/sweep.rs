//! `logdyno sweep`: the grid is run, saved, gone on with, and analysed.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use logdyno::sweep;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::program::logdyno;

const SMALL: &str = "[records]\nsize = 50\nentropy = 4\ncount = 400\n[load]\nrate = 20000\n[run]\ntarget = \"null\"\n";

fn scene() -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("small.toml"), SMALL).unwrap();
    dir
}

const GRID: [&str; 8] = [
    "sweep",
    "small.toml",
    "--vary",
    "producer.batch.size=1k,16k",
    "--vary",
    "load.rate=10000..20000+10000",
    "--out",
    "out",
];

/// Every cell as often as asked, in a process of its own, and what is missing is run when it is gone on with.
#[test]
fn a_grid_is_run_and_gone_on_with() {
    let dir = scene();
    let ran = logdyno(&dir, &[&GRID[..], &["--repetitions", "2", "--json"]].concat());
    assert!([0, 5].contains(&ran.code), "{}", ran.stderr);
    let folder = dir.path().join("out");
    let mut saved = sweep::read(&folder).unwrap();
    assert_eq!((saved.cells.len(), saved.runs(), saved.runs_wanted()), (4, 8, 8));
    assert_eq!(serde_json::from_str::<sweep::Sweep>(&ran.stdout).unwrap(), saved);
    for run in saved.cells.iter().flat_map(|cell| &cell.runs) {
        let whole = logdyno::result::read(&folder.join(&run.result)).unwrap();
        assert_eq!(whole.trials.len(), 1, "{}", run.result);
    }
    let set = |cell: usize| saved.cells[cell].cell.settings.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>();
    assert_eq!((set(0), set(3)), (vec!["1024", "10000"], vec!["16384", "20000"]));

    // As if it had been interrupted: one run is missing, and half of another is there.
    let lost = saved.cells[2].runs.pop().unwrap();
    sweep::write(&folder, &saved).unwrap();
    let here = sweep::Sweep { workload: dir.path().join("small.toml").display().to_string(), ..saved.clone() };
    assert_eq!(sweep::least(&here).unwrap(), Duration::from_micros(39_900), "400 records at 10,000/s");
    let ran = logdyno(&dir, &["sweep", "--resume", "out"]);
    assert!([0, 5].contains(&ran.code), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("4 cells, 1 runs to come: their loads alone take 0 s or more")
            && ran.stderr.contains("8 of 8"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("8 of 8 runs") && ran.stdout.contains("What moves throughput"), "{}", ran.stdout);
    let again = sweep::read(&folder).unwrap();
    assert_eq!(again.cells[2].runs.last().unwrap().repetition, lost.repetition);

    let ignored = logdyno(&dir, &["sweep", "--resume", "out", "--repetitions", "5"]);
    assert!(ignored.code != 0 && ignored.stderr.contains("cannot be used with"), "{}", ignored.stderr);
    std::fs::write(dir.path().join("small.toml"), SMALL.replace("50", "60")).unwrap();
    let changed = logdyno(&dir, &["sweep", "--resume", "out"]);
    assert!(changed.code != 0 && changed.stderr.contains("has changed since the sweep began"), "{}", changed.stderr);
}

/// Cells of other records would stand beside each other as if they were of the same.
#[test]
fn a_sweep_is_not_gone_on_with_over_other_records() {
    let dir = TempDir::new().unwrap();
    let lines = dir.path().join("lines.txt");
    std::fs::write(&lines, "one\ntwo\n").unwrap();
    let workload = "[records]\nfile = \"lines.txt\"\n[load]\nrate = 20000\n[run]\ntarget = \"null\"\n";
    std::fs::write(dir.path().join("small.toml"), workload).unwrap();
    let ran =
        logdyno(&dir, &["sweep", "small.toml", "--vary", "producer.linger.ms=0,5", "--budget", "0s", "--out", "out"]);
    assert!(ran.stderr.contains("were left out"), "{}", ran.stderr);
    std::fs::write(&lines, "one\ntoo\n").unwrap();
    let changed = logdyno(&dir, &["sweep", "--resume", "out", "--budget", "0s"]);
    assert!(changed.code == 1 && changed.stderr.contains("lines.txt has changed"), "{}", changed.stderr);
}

/// Everything is checked before the first run.
#[test]
fn mistakes_are_found_before_anything_runs() {
    let dir = scene();
    for (arguments, said) in [
        (&["--vary", "producer.linger.mss=0,5"][..], "linger.ms"),
        (&["--vary", "producer.linger.ms=0,soon"], "linger.ms"),
        (&["--vary", "producer.linger.ms"], "there is no '='"),
        (&["--vary", "producer.linger.ms=0", "--vary", "producer.linger.ms=5"], "twice"),
        (&["--vary", "producer.linger.ms=0 if backend=mmap"], "no --vary before it"),
        (&[], "--vary"),
        (&["--vary", "producer.linger.ms=0", "--budget", "soon"], "90s, 30m or 2h"),
        (
            &["--vary", "producer.linger.ms=0,5", "--target", "log"],
            "those of log on buffered and log on mmap and log on uring: say which with --vary backend=",
        ),
        (
            &[
                "--vary",
                "producer.linger.ms=0,5",
                "--set",
                "run.target=[\"null\",\"log\"]",
                "--set",
                "run.backends=[\"mmap\"]",
            ],
            "null and log on mmap",
        ),
    ] {
        let ran = logdyno(&dir, &[&["sweep", "small.toml", "--out", "out"], arguments].concat());
        assert!(ran.code != 0 && ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
        assert!(!dir.path().join("out").exists(), "{arguments:?}");
    }
}

/// What would not end in time is not begun, and said.
#[test]
fn a_budget_is_kept() {
    let dir = scene();
    let ran = logdyno(&dir, &[&GRID[..], &["--budget", "0s"]].concat());
    assert!(ran.code != 0 && ran.stderr.contains("12 runs were left out"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--resume"), "{}", ran.stderr);
}

/// A sweep whose runs take two seconds each, in the background.
fn slow_sweep(dir: &TempDir, arguments: &[&str]) -> Child {
    let workload = SMALL.replace("20000", "200");
    std::fs::write(dir.path().join("small.toml"), workload).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_logdyno"));
    command.current_dir(dir.path()).arg("sweep").args(arguments);
    // As a shell starts what is typed in a terminal: Ctrl-C goes to the whole group.
    command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until something is so.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process has this folder in its command line.
fn is_at_work_in(folder: &Path) -> bool {
    let folder = folder.to_str().unwrap().as_bytes();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let mut commands = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    commands.any(|command| command.windows(folder.len()).any(|part| part == folder))
}

/// Runs of a sweep that came to their end.
fn whole_results(out: &Path) -> usize {
    let runs = std::fs::read_dir(out.join("runs")).unwrap().filter_map(Result::ok);
    let results = runs.filter_map(|run| logdyno::result::read(&run.path().join("small/result.json")).ok());
    results.filter(|result| !result.trials.is_empty()).count()
}

/// Folders with a run's data that nobody has removed.
fn data_left_in(out: &Path) -> usize {
    let runs = std::fs::read_dir(out.join("runs")).unwrap().filter_map(Result::ok);
    let folders = runs.filter_map(|run| std::fs::read_dir(run.path().join("small")).ok());
    let names = folders.flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.starts_with("data-")).count()
}

/// Ctrl-C ends the run under way with the sweep, kill -9 does, too, and what has been measured is kept each time.
#[test]
fn a_sweep_that_is_interrupted_or_killed_goes_on_where_it_was() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let folder = out.to_str().unwrap();
    let runs = || sweep::read(&out).map_or(0, |saved| saved.runs());
    let grid = ["small.toml", "--vary", "producer.linger.ms=0,5", "--repetitions", "2", "--out", folder];
    let mut resumed: Vec<&str> = vec!["--resume", folder];
    for (signal, arguments) in [(Signal::INT, &grid[..]), (Signal::KILL, &resumed)] {
        let before = runs();
        let mut running = slow_sweep(&dir, arguments);
        // In the middle of a run behind one that was saved.
        eventually("a run was saved", || runs() > before);
        eventually("the next one began", || is_at_work_in(&out.join("runs")));
        match signal {
            Signal::INT => kill_process_group(Pid::from_child(&running), signal).unwrap(),
            _ => kill_process(Pid::from_child(&running), signal).unwrap(),
        }
        let ended = running.wait().unwrap();
        assert!(!ended.success(), "{ended}");
        eventually("its run has ended with it", || !is_at_work_in(&out));
        if signal == Signal::INT {
            assert_eq!(data_left_in(&out), 0, "the run was not ended cleanly");
        }
        assert!(runs() > before, "{signal:?}: what was saved is kept");
        assert_eq!(whole_results(&out), runs(), "{signal:?}: a run went on alone");
    }
    let missing = 4 - runs();
    assert!(missing > 0, "it was not interrupted");
    resumed.push("--json");
    let ran = logdyno(&dir, &[&["sweep"], &resumed[..]].concat());
    assert!([0, 5].contains(&ran.code), "{}", ran.stderr);
    let expected = format!("{missing} runs to come");
    assert!(ran.stderr.contains(&expected) && ran.stderr.contains("4 of 4 runs"), "{expected}: {}", ran.stderr);
    let saved = sweep::read(&out).unwrap();
    let repetitions = saved.cells.iter().map(|cell| cell.runs.iter().map(|run| run.repetition).collect::<Vec<_>>());
    assert_eq!(repetitions.collect::<Vec<_>>(), [[1, 2], [1, 2]]);
}

/// Two at once would run the same cells side by side, and each would throw away what the other saved.
#[test]
fn a_sweep_is_gone_on_with_once_at_a_time_and_by_the_same_program() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("out");
    let mut running =
        slow_sweep(&dir, &["small.toml", "--vary", "producer.linger.ms=0,5", "--out", out.to_str().unwrap()]);
    eventually("it is at work", || is_at_work_in(&out.join("runs")));
    let second = logdyno(&dir, &["sweep", "--resume", "out"]);
    assert!(
        second.code == 1 && second.stderr.contains("another logdyno is at work on this sweep"),
        "{}",
        second.stderr
    );
    kill_process(Pid::from_child(&running), Signal::INT).unwrap();
    running.wait().unwrap();
    let mut saved = sweep::read(&out).unwrap();
    saved.environment.commit = "0123456789ab".to_owned();
    sweep::write(&out, &saved).unwrap();
    let other = logdyno(&dir, &["sweep", "--resume", "out"]);
    assert!(other.code == 1 && other.stderr.contains("logdyno was 0123456789ab"), "{}", other.stderr);
}
