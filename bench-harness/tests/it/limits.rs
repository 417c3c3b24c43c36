//! `logdyno limits`, and a run's part of them.

use logdyno::limits::{self, Direction, Io, Limits};
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
    let run = |arguments: &[&str]| {
        let limits = ["run", "small.toml", "--out", "out", "--limits", "saved/limits.json"];
        let ran = logdyno(&dir, &[&limits, arguments].concat());
        let line = ran.stdout.lines().find(|line| line.contains("of CRC-32C of one thread"));
        (line.unwrap_or_else(|| panic!("{ran:?}")).to_owned(), result::read(&dir.path().join("out/small")).unwrap())
    };
    let (line, _) = run(&[]);
    assert!(!line.contains("loopback"), "nothing goes over a connection: {line}");
    let (line, saved) = run(&["--target", "embedded", "--backend", "buffered"]);
    assert!(line.contains("of loopback TCP"), "{line}");
    let result::Outcome::Measured(trial) = &saved.trials[0].outcome else { panic!("{saved:?}") };
    let shares = limits::shares(&found, &saved.workload, Some("buffered"), trial);
    assert!(shares.is_sorted_by(|one, other| one.share >= other.share), "{shares:?}");
    let loopback = shares.iter().find(|share| share.limit == "loopback TCP").unwrap().share;
    let sent = trial.batches.work.as_ref().unwrap().bytes_sent as f64 / trial.counted_seconds();
    let copies = f64::from(trial.copies.unwrap()) + 1.0;
    assert!((loopback * found.loopback.bytes_per_second / (sent * copies) - 1.0).abs() < 1e-9);
    let used = trial.limits.as_ref().unwrap();
    assert_eq!((&used.shares, used.binding.as_deref()), (&shares, Some(shares[0].limit.as_str())));
    let processors = shares.iter().find(|share| share.limit.ends_with(" processors")).unwrap().share;
    let cpu_ns = trial.usage.as_ref().unwrap().process.cpu_ns() as f64;
    assert!(
        (processors * trial.counted_seconds() * found.environment.cores as f64 / (cpu_ns / 1e9) - 1.0).abs() < 1e-9
    );
    limits_are_found_if_they_fit(&dir, found);
}

/// Limits in their default place are taken if they are of this mount and of today; if not, it is said, and only who names them gets
/// them, with what speaks against them.
fn limits_are_found_if_they_fit(dir: &TempDir, fitting: Limits) {
    let default = dir.path().join("results/local/limits.json");
    let run = |arguments: &[&str]| {
        let ran = logdyno(dir, &[&["run", "small.toml", "--out", "again"], arguments].concat());
        let saved = result::read(&dir.path().join("again/small")).unwrap();
        let result::Outcome::Measured(trial) = saved.trials.into_iter().next().unwrap().outcome else {
            panic!("{ran:?}")
        };
        (ran, trial.limits)
    };
    assert_eq!(run(&[]).1, None, "there are none");
    limits::write(&default, &fitting).unwrap();
    let (ran, used) = run(&[]);
    assert!(used.unwrap().objections.is_empty() && ran.stdout.contains("Part of the physical limits"), "{ran:?}");

    let mut elsewhere = fitting.clone();
    "tmpfs on /elsewhere".clone_into(&mut elsewhere.environment.file_system);
    let mut old = fitting;
    "2020-01-01T00:00:00Z".clone_into(&mut old.environment.began);
    for (limits, why) in [(elsewhere, "they are of another file system: tmpfs on /elsewhere"), (old, "hours before")] {
        limits::write(&default, &limits).unwrap();
        let (ran, used) = run(&[]);
        assert!(
            used.is_none() && ran.stderr.contains("limits.json is not used: ") && ran.stderr.contains(why),
            "{ran:?}"
        );
        let (ran, used) = run(&["--limits", "results/local/limits.json"]);
        assert!(used.unwrap().objections[0].contains(why) && ran.stdout.contains(why), "{ran:?}");
    }
    std::fs::write(&default, "{}").unwrap();
    assert!(run(&[]).0.stderr.contains("limits.json is not used: ") && run(&[]).1.is_none());
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
