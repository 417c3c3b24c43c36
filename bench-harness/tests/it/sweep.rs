//! `logdyno sweep`: the grid is run, saved, gone on with, and analysed.

use logdyno::sweep;
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
    let ran = logdyno(&dir, &["sweep", "--resume", "out"]);
    assert!([0, 5].contains(&ran.code), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 runs to come") && ran.stderr.contains("8 of 8"), "{}", ran.stderr);
    assert!(ran.stdout.contains("8 of 8 runs") && ran.stdout.contains("What moves throughput"), "{}", ran.stdout);
    let again = sweep::read(&folder).unwrap();
    assert_eq!(again.cells[2].runs.last().unwrap().repetition, lost.repetition);

    std::fs::write(dir.path().join("small.toml"), SMALL.replace("50", "60")).unwrap();
    let changed = logdyno(&dir, &["sweep", "--resume", "out"]);
    assert!(changed.code != 0 && changed.stderr.contains("has changed since the sweep began"), "{}", changed.stderr);
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
