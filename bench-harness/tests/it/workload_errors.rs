//! What is wrong with a workload is said with file and line before anything starts: exit code 2.

use assert_cmd::Command;
use tempfile::TempDir;

const SOUND: &str = "\
[records]
file = \"r.jsonl\"
key = \"k\"

[producer]
acks=all
linger.ms = 5

[load]
rate = 1000

[run]
target = \"null\"
";

/// Runs `text`; code and stderr, with the directory's name taken out.
fn run(text: &str, arguments: &[&str]) -> (i32, String) {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("w.toml"), text).unwrap();
    std::fs::write(dir.path().join("r.jsonl"), "{\"k\":1}\n{\"k\":2}\n{\"k\":3\n").unwrap();
    std::fs::write(dir.path().join("ok.jsonl"), "{\"k\":1,\"t\":5}\n{\"k\":2,\"t\":4}\n").unwrap();
    let mut command = Command::cargo_bin("logdyno").unwrap();
    let output = command.current_dir(dir.path()).args(["run", "w.toml"]).args(arguments).output().unwrap();
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(!dir.path().join("results").exists(), "nothing was started");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn check(text: &str, arguments: &[&str], expected: &str) {
    let (code, stderr) = run(text, arguments);
    assert_eq!((code, stderr.trim_end()), (2, format!("logdyno: {expected}").as_str()));
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_a_suggestion() {
    let with = |from: &str, to: &str| SOUND.replace(from, to);
    check(&with("rate", "rat"), &[], "w.toml:10: unknown key `load.rat`: did you mean `rate`?");
    check(&with("target", "targt"), &[], "w.toml:13: unknown key `run.targt`: did you mean `target`?");
    check(&with("key =", "kye ="), &[], "w.toml:3: unknown key `records.kye`: did you mean `key`?");
    check(&with("[load]", "[laod]"), &[], "w.toml:9: unknown table `laod`: did you mean `load`?");
    let with_topic = |key: &str| format!("{SOUND}[topic]\n{key} = 3\n");
    check(&with_topic("cuont"), &[], "w.toml:15: unknown key `topic.cuont`: did you mean `count`?");
    check(&with_topic("partition"), &[], "w.toml:15: unknown key `topic.partition`: did you mean `partitions`?");
    check(
        &with("linger.ms", "lingr.ms"),
        &[],
        "w.toml:7: unknown producer setting `lingr.ms`: did you mean `linger.ms`?",
    );
    check(&with("\"null\"", "\"nul\""), &[], "w.toml:13: unknown target `nul`: did you mean `null`?");
}

#[test]
fn a_value_out_of_its_limits_is_named_with_its_line() {
    let with = |from: &str, to: &str| SOUND.replace(from, to);
    check(
        &with("rate = 1000", "rate = -5"),
        &[],
        "w.toml:10: `load.rate` cannot be `-5`: it takes a number above 0, such as 2500, 0.5 or \"1/3600\"",
    );
    check(&with("acks=all", "acks=some"), &[], "w.toml:6: `acks` cannot be `some`: it takes one of all, -1, 0, 1");
    check(
        &with("linger.ms = 5", "linger.ms = soon"),
        &[],
        "w.toml:7: `linger.ms` cannot be `soon`: it takes a whole number without unit",
    );
    check(
        &with("acks=all", "enable.idempotence=yes"),
        &[],
        "w.toml:6: `enable.idempotence` cannot be `yes`: it takes `true` or `false`",
    );
}

/// Nothing is read and ignored.
#[test]
fn keys_that_do_not_go_together_are_named() {
    let with = |from: &str, to: &str| SOUND.replace(from, to);
    check(
        &with("key =", "keys ="),
        &[],
        "w.toml:3: `records.keys` is for records that are made up: these come from a `file`",
    );
    check(
        &with("file = \"r.jsonl\"", "size = 10\nentropy = 1"),
        &[],
        "w.toml:4: `records.key` is for records of a `file`: these are made up",
    );
    check(
        &with("rate = 1000", "in.flight = 5\narrivals = \"poisson\""),
        &[],
        "w.toml:11: `load.arrivals` cannot be `poisson`: it says how the records of a `rate` arrive, and none is given",
    );
    check(
        &with("rate = 1000", "rate = 1000\narrivals = \"uneven\""),
        &[],
        "w.toml:11: `load.arrivals` cannot be `uneven`: it takes \"even\" or \"poisson\"",
    );
    let both = with("rate = 1000", "rate = 1000\nin.flight = 5");
    let (code, stderr) = run(&both, &[]);
    assert!(code == 2 && stderr.contains("w.toml:11: [load] needs exactly one of"), "{stderr}");
}

#[test]
fn text_that_is_no_toml_is_named_with_its_line() {
    let (code, stderr) = run("[records]\nfile \"r.jsonl\"\n", &[]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("logdyno: w.toml:2: "), "{stderr}");
}

#[test]
fn a_broken_line_of_a_record_file_is_named() {
    let (code, stderr) = run(SOUND, &[]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("logdyno: r.jsonl:3: no JSON: "), "{stderr}");
    let missing = SOUND.replace("r.jsonl", "none.jsonl");
    check(&missing, &[], "none.jsonl cannot be read: No such file or directory (os error 2)");
}

#[test]
fn what_the_command_line_sets_is_checked_alike() {
    check(
        SOUND,
        &["--set", "producer.linger.ms=x"],
        "--set producer.linger.ms=x: `linger.ms` cannot be `x`: it takes a whole number without unit",
    );
    check(SOUND, &["--set", "linger=1"], "--set linger=1: it takes table.key=value, such as producer.linger.ms=0");
    check(SOUND, &["--set", "load.rates=1"], "--set load.rates=1: unknown key `load.rates`: did you mean `rate`?");
    check(SOUND, &["--target", "embeded"], "--target: unknown target `embeded`: did you mean `embedded`?");
    let args = ["--target", "embedded", "--backend", "bufered"];
    check(SOUND, &args, "--backend: unknown backend `bufered`: did you mean `buffered`?");
}

/// What only the target knows is asked of it, and still has its line.
#[test]
fn broker_and_topic_settings_are_checked_by_the_target() {
    let text = SOUND.replace("r.jsonl", "ok.jsonl").replace("\"null\"", "\"embedded\"");
    let broker = format!("{text}\n[broker]\nnum.partition=3\n");
    check(&broker, &[], "w.toml:16: there is no broker setting 'num.partition'; did you mean 'num.partitions'?");
    let topic = format!("{text}\n[topic]\nsegment.byte=3000\n");
    let (code, stderr) = run(&topic, &[]);
    assert!(code == 2 && stderr.starts_with("logdyno: w.toml:16: "), "{stderr}");
}

#[test]
fn times_that_fall_are_named() {
    let text = SOUND
        .replace("file = \"r.jsonl\"", "file = \"ok.jsonl\"\ntime.field = \"t\"")
        .replace("rate = 1000", "time.scale = 1");
    check(
        &text,
        &[],
        "ok.jsonl:2: its time is before that of the line above: sort the file by time, or send it at a rate",
    );
}

#[test]
fn a_run_without_a_measured_part_is_refused() {
    let text = SOUND.replace("r.jsonl", "ok.jsonl") + "warm.up.passes = 1\n";
    check(&text, &[], "w.toml: nothing is left to measure: the warm-up takes 2 records and the run has 2");
}

/// What stands within a list is named with its own line.
#[test]
fn what_is_wrong_with_steps_or_a_ramp_is_named_with_its_line() {
    let with = |load: &str| SOUND.replace("rate = 1000", load);
    let of_step = |step: &str| with(&format!("steps = [\n  {{ rate = 5, duration = \"1s\" }},\n  {step},\n]"));
    let check = |text: &str, expected: &str| check(text, &[], expected);
    check(&of_step("{ rat = 5, duration = \"1s\" }"), "w.toml:12: unknown key `load.steps.rat`: did you mean `rate`?");
    check(&of_step("{ rate = 5 }"), "w.toml:12: a step needs a `rate` (records a second) and a `duration`");
    check(
        &of_step("{ rate = 0, duration = \"1s\" }"),
        "w.toml:12: `load.steps.rate` cannot be `0`: it takes a number above 0, such as 2500, 0.5 or \"1/3600\"",
    );
    check(
        &of_step("{ rate = 5, duration = \"0s\" }"),
        "w.toml:12: `load.steps.duration` cannot be `0s`: it takes a time above 0",
    );
    let list = "it takes a list of up to 100 steps, such as [{ rate = 1000, duration = \"10s\" }, { rate = 5000, duration = \"10s\" }]";
    check(&with("steps = 5"), &format!("w.toml:10: `load.steps` cannot be `5`: {list}"));
    check(&with("steps = []"), &format!("w.toml:10: `load.steps` cannot be ``: {list}"));
    let sound = "steps = [{ rate = 5, duration = \"1s\" }]";
    check(
        &format!("{}duration = \"1s\"\n", with(sound)),
        "w.toml: `load.steps` says how long each step is: take out `run.duration`, `records.count` and `records.passes`",
    );
    let one = "[load] needs exactly one of `rate` (records a second, open loop), `steps` (one rate after another, open loop), `ramp` (to a rate, open loop), `time.scale` (the records' own times × this, open loop) and `in.flight` (closed loop)";
    check(&with(&format!("rate = 1000\n{sound}")), &format!("w.toml:11: {one}"));
    check(
        &with("ramp.from = 10\nramp.over = \"1s\""),
        "w.toml:10: a ramp needs `ramp.from` and `ramp.to` (records a second) and `ramp.over` (a time)",
    );
    check(
        &with("ramp = { from = \"1/99999999999999999\", to = 7, over = \"20h\" }"),
        "w.toml:10: `load.ramp.over` cannot be `20h`: with these rates it has too many digits to be exact: round them, or make it shorter",
    );
}

#[test]
fn sizes_and_keys_that_contradict_each_other_are_named_with_their_line() {
    let with = |lines: &str| SOUND.replace("file = \"r.jsonl\"\nkey = \"k\"", lines);
    let check = |lines: &str, expected: &str| check(&with(lines), &[], expected);
    let ways = "the sizes of made-up records are one of `size` (bytes), `size.min` and `size.max` (with `size.skew` for Zipf's law), and `size.from` (a file)";
    check("entropy = 1\nsize.min = 50", &format!("w.toml:3: {ways}"));
    check("size.from = \"ok.jsonl\"\nsize.max = 50", &format!("w.toml:3: {ways}"));
    check(
        "size.min = 50\nsize.max = 49",
        "w.toml:3: `records.size.max` cannot be `49`: it takes a whole number from 50 to 67108864",
    );
    check(
        "size = { min = 8, max = 60000000, skew = 1 }",
        "w.toml:2: `records.size.skew` cannot be `1`: Zipf's law takes at most 16,777,216 sizes: bring size.min and size.max closer",
    );
    check(
        "size = 50\nkeys.from = \"ok.jsonl\"",
        "w.toml:3: the keys of made-up records are `keys` (how many, with `key.skew` for Zipf's law), or those of a file: `keys.from` with `key`, the field that holds them",
    );
    check(
        "size.from = \"ok.bin\"",
        "w.toml:2: `records.size.from` cannot be `ok.bin`: say `format`: jsonl, csv or text",
    );
    check(
        "size.from = \"gone.jsonl\"\nentropy = 1",
        "gone.jsonl cannot be read: No such file or directory (os error 2)",
    );
    check(
        "size.from = \"r.jsonl\"",
        "w.toml:2: made-up records need an `entropy` (bits per byte, 0 to 8): what a codec can do depends on it",
    );
    check(
        "file = \"ok.jsonl\"\nsize.from = \"ok.jsonl\"",
        "w.toml:3: `records.size.from` is for records that are made up: these come from a `file`",
    );
}
