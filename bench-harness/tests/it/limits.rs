//! `logdyno limits`, and a run's part of them.

use logdyno::limits::{self, Direction, Io};
use logdyno::result;
use tempfile::TempDir;

use crate::program::logdyno;

/// Every limit is measured and saved; a run says how much of each it used, and the greatest part first.
#[test]
fn limits_are_measured_saved_and_compared_with() {
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let measured = logdyno(&dir, &["limits", ".", "--out", "saved/limits.json"]);
    assert_eq!(measured.code, 0, "{}", measured.stderr);
    let found = limits::read(&dir.path().join("saved/limits.json")).unwrap();
    for (io, direction) in [(Io::Buffered, Direction::Write), (Io::Buffered, Direction::Read)] {
        let of = found.bandwidths.iter().filter(|one| one.io == io && one.direction == direction);
        assert!(of.clone().count() == 9 && of.clone().all(|one| one.bytes_per_second > 1e5), "{found:?}");
    }
    let direct = found.bandwidths.iter().filter(|one| one.io == Io::Direct).count();
    assert!(direct == 18 || found.skipped.iter().any(|why| why.starts_with("direct I/O")), "{:?}", found.skipped);
    assert!(found.syncs.iter().all(|sync| sync.p50_ns > 0 && sync.p50_ns <= sync.p99_ns), "{:?}", found.syncs);
    assert_eq!(found.codecs.len(), 4);
    assert!(found.codecs.iter().all(|codec| (0.3..1.0).contains(&codec.ratio)), "text compresses: {:?}", found.codecs);
    assert!(found.loopback.bytes_per_second > 1e6 && found.timers.len() == 2);
    assert!(measured.stdout.contains("Sequential writes through the page cache"), "{}", measured.stdout);

    let text = "[records]\nsize = 100\nentropy = 4\ncount = 2000\n[producer]\ncompression.type=lz4\n[load]\nrate = 20000\n[run]\ntarget = \"null\"\n";
    std::fs::write(dir.path().join("small.toml"), text).unwrap();
    let ran = logdyno(&dir, &["run", "small.toml", "--out", "out", "--limits", "saved/limits.json"]);
    let line = ran.stdout.lines().find(|line| line.contains("of loopback TCP")).unwrap_or_else(|| panic!("{ran:?}"));
    assert!(line.contains("CRC-32C of one thread"), "{line}");
    let saved = result::read(&dir.path().join("out/small")).unwrap();
    let result::Outcome::Measured(trial) = &saved.trials[0].outcome else { panic!("{saved:?}") };
    let shares = limits::shares(&found, &saved.workload, None, trial);
    assert!(shares.is_sorted_by(|one, other| one.share >= other.share), "{shares:?}");
    let loopback = shares.iter().find(|share| share.limit == "loopback TCP").unwrap().share;
    let sent = trial.batches.bytes_sent as f64 / (trial.measured_ns as f64 / 1e9);
    let copies = f64::from(trial.durability.replicas.max(1)) + 1.0;
    assert!((loopback * found.loopback.bytes_per_second / (sent * copies) - 1.0).abs() < 1e-9);
}

#[test]
fn what_is_no_limits_file_is_said() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("small.toml"), "[records]\nsize = 100\nentropy = 4\n[load]\nrate = 10\n").unwrap();
    std::fs::write(dir.path().join("other.json"), "{}").unwrap();
    for (file, said) in [("none.json", "none.json"), ("other.json", "does not hold limits")] {
        let ran = logdyno(&dir, &["run", "small.toml", "--limits", file]);
        assert!(ran.code != 0 && ran.stderr.contains(said), "{}", ran.stderr);
    }
}
