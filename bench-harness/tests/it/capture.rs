//! A log is captured, and what is sent again is as bursty, as skewed and as compressible as it was.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use logdyno::capture::capture;
use logdyno::records::RecordSet;
use logdyno::trace::{self, Trace};
use logdyno::trial::schedule;
use logdyno::workload::{Overrides, parse};
use logdyno_engine::client::{
    Admin, AdminConfig, BytesFormat, NewTopic, ProducerBuilder, ProducerConfig, ProducerRecord,
};
use logdyno_engine::record::{Codec, Compression, partition_for_key};
use tempfile::TempDir;

use crate::program::logdyno;
use crate::serve::Served;

const PARTITIONS: i32 = 3;

/// A record that was written: time, key, value.
type Written = (i64, Option<Bytes>, Bytes);

/// Bursts of up to 60 records within 20 ms, and lulls; keys by a steep law, some null; values of half text.
fn orders() -> Vec<Written> {
    let mut state = 7_u64;
    let mut random = move |end: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % end
    };
    let mut time = 1_700_000_000_000;
    let mut all = Vec::new();
    for _ in 0..120 {
        time += 20 + random(400) as i64;
        for _ in 0..=random(60) {
            let among = random(200);
            let customer = random(1 + among);
            let customer = random(1 + customer);
            let key = (random(10) > 0).then(|| Bytes::from(format!("customer-{customer}")));
            let noise: String = (0..random(40)).map(|_| char::from(b'a' + random(26) as u8)).collect();
            let value = format!("{{\"order\":{},\"state\":\"accepted\",\"note\":\"{noise}\"}}", random(1_000_000));
            all.push((time + random(20) as i64, key, Bytes::from(value)));
        }
    }
    all.sort_by_key(|(time, ..)| *time);
    all
}

/// Brokers that hold the orders.
struct Shop {
    served: Served,
    data: TempDir,
}

impl Shop {
    fn open(orders: &[Written]) -> Shop {
        let data = TempDir::new().unwrap();
        let served = Served::start(&["--backend", "buffered", "--data", data.path().to_str().unwrap()], 1);
        let shop = Shop { served, data };
        let servers = shop.address();
        let admin = Admin::new(AdminConfig::from_pairs([("bootstrap.servers", servers)]).unwrap()).unwrap();
        let topic =
            NewTopic { name: "orders".into(), partitions: PARTITIONS, replication_factor: 1, configs: Vec::new() };
        admin
            .create_topics(&[topic])
            .unwrap()
            .into_iter()
            .for_each(|(_, created)| assert!(created.is_ok(), "{created:?}"));
        let settings = [("bootstrap.servers", servers), ("compression.type", "lz4")];
        let config = ProducerConfig::from_pairs(settings).unwrap();
        let producer = ProducerBuilder::<Bytes, Bytes>::new(config, BytesFormat, BytesFormat).build().unwrap();
        for (time, key, value) in orders {
            let record = ProducerRecord {
                topic: "orders".into(),
                partition: None,
                timestamp: Some(*time),
                key: key.clone(),
                value: Some(value.clone()),
                headers: Vec::new(),
            };
            drop(producer.send_with(record, |sent| drop(sent.unwrap())));
        }
        producer.flush();
        shop
    }

    fn address(&self) -> &str {
        self.served.addresses("listening")[0]
    }

    fn folders(&self) -> Vec<String> {
        let folder = |partition| self.data.path().join(format!("orders-{partition}")).display().to_string();
        (0..PARTITIONS).map(folder).collect()
    }

    /// From its segment files, once it has closed.
    fn captured(self, with_payloads: bool) -> Trace {
        let folders = self.folders();
        assert!(self.served.stop());
        capture(&folders, with_payloads, &mut |told| panic!("{told}")).unwrap()
    }
}

/// What a workload sends of a trace, and when, in nanoseconds from the first.
fn replayed(trace: &Trace, scale: &str) -> Vec<(u64, Option<Bytes>, Bytes)> {
    let dir = TempDir::new().unwrap();
    trace::write(&dir.path().join("orders.trace"), trace).unwrap();
    let text = format!(
        "[records]\ntrace = \"orders.trace\"\n[topic]\npartitions = {PARTITIONS}\n[load]\ntime.scale = \"{scale}\"\n"
    );
    let plan = parse(&dir.path().join("w.toml"), &text, &Overrides::default()).unwrap();
    let records = RecordSet::load(&plan).unwrap();
    let schedule = schedule(&plan, &records);
    let sent = |number| {
        let record = records.at(number);
        (schedule.intended_ns(number).unwrap(), record.key.clone(), record.value.clone())
    };
    (0..records.len()).map(sent).collect()
}

/// Variance by mean of the counts in windows: 1 for Poisson arrivals, more for bursts.
fn fano(times_ns: impl Iterator<Item = u64>, window_ns: u64) -> f64 {
    let mut counts: BTreeMap<u64, f64> = BTreeMap::new();
    times_ns.for_each(|time| *counts.entry(time / window_ns).or_default() += 1.0);
    let windows = (counts.keys().last().unwrap() + 1) as f64;
    let mean = counts.values().sum::<f64>() / windows;
    let empty = windows - counts.len() as f64;
    let squares: f64 = counts.values().map(|count| (count - mean).powi(2)).sum::<f64>() + empty * mean * mean;
    squares / windows / mean
}

/// The share of the `k` commonest keys.
fn top_share<'a>(keys: impl Iterator<Item = &'a Option<Bytes>>, k: usize) -> f64 {
    let mut counts: HashMap<&Bytes, u64> = HashMap::new();
    let all = keys.flatten().map(|key| *counts.entry(key).or_default() += 1).count() as f64;
    let mut counts: Vec<u64> = counts.into_values().collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    counts.iter().take(k).sum::<u64>() as f64 / all
}

fn compressed_share<'a>(values: impl Iterator<Item = &'a Bytes>) -> f64 {
    let all: Vec<u8> = values.flat_map(|value| value.to_vec()).collect();
    let mut sum = 0;
    for chunk in all.chunks(16 << 10) {
        let mut out = Vec::new();
        Codec::new(Compression::Zstd).compress(chunk, &mut out).unwrap();
        sum += out.len();
    }
    sum as f64 / all.len() as f64
}

fn assert_close(name: &str, original: f64, replayed: f64) {
    assert!((replayed / original - 1.0).abs() < 0.05, "{name}: {original} became {replayed}");
}

/// A quarter as long in time: the same bursts in windows a quarter as long.
#[test]
fn a_replay_keeps_burstiness_key_skew_sizes_partitions_and_compressibility() {
    let orders = orders();
    let trace = Shop::open(&orders).captured(false);
    assert_eq!((trace.header.records, trace.header.has_payloads), (orders.len() as u64, false));
    let sent = replayed(&trace, "1/4");
    let begin = orders[0].0;
    let original_ns = || orders.iter().map(|(time, ..)| (time - begin) as u64 * 1_000_000);
    for window_ms in [10, 50, 400] {
        let (original, again) = (
            fano(original_ns(), window_ms * 1_000_000),
            fano(sent.iter().map(|(time, ..)| *time), window_ms * 250_000),
        );
        assert!(original > 4.0, "the orders come in bursts: {original}");
        assert_close(&format!("Fano factor in {window_ms} ms"), original, again);
    }
    for k in [1, 5, 20] {
        let (original, again) =
            (top_share(orders.iter().map(|(_, key, _)| key), k), top_share(sent.iter().map(|(_, key, _)| key), k));
        assert_close(&format!("share of the {k} commonest keys"), original, again);
    }
    let values = |all: &mut dyn Iterator<Item = Bytes>| all.collect::<Vec<Bytes>>();
    let (was, is) = (
        values(&mut orders.iter().map(|(.., value)| value.clone())),
        values(&mut sent.iter().map(|(.., value)| value.clone())),
    );
    let mut sizes = [&was, &is].map(|values| values.iter().map(Bytes::len).collect::<Vec<usize>>());
    sizes.iter_mut().for_each(|sizes| sizes.sort_unstable());
    assert_eq!(sizes[0], sizes[1]);
    assert_close("compressed share", compressed_share(was.iter()), compressed_share(is.iter()));
    for ((_, key, _), record) in sent.iter().zip(&trace.records) {
        let Some(key) = key else { continue };
        assert_eq!(partition_for_key(key, PARTITIONS), record.partition as i32, "a key stays in its partition");
        assert_eq!(key.len() as u32, trace.keys[record.key.unwrap() as usize].bytes);
    }
    let text = format!("{trace:?}");
    assert!(!text.contains("customer") && !text.contains("accepted"), "nothing of the content is in it");
}

#[test]
fn with_payloads_the_very_records_come_again() {
    let orders = orders();
    let sent = replayed(&Shop::open(&orders).captured(true), "1");
    let sorted = |mut all: Vec<(Option<Bytes>, Bytes)>| {
        all.sort();
        all
    };
    let was = sorted(orders.into_iter().map(|(_, key, value)| (key, value)).collect());
    assert!(was == sorted(sent.into_iter().map(|(_, key, value)| (key, value)).collect()));
}

#[test]
fn a_topic_gives_the_trace_of_its_files() {
    let shop = Shop::open(&orders());
    let of_topic =
        capture(&[format!("kafka://{}/orders", shop.address())], true, &mut |told| panic!("{told}")).unwrap();
    let of_files = shop.captured(true);
    assert_eq!((&of_topic.keys, &of_topic.records), (&of_files.keys, &of_files.records));
    assert!(of_topic.values == of_files.values);
}

#[test]
fn the_program_captures_and_replays() {
    let shop = Shop::open(&orders());
    let folders = shop.folders();
    assert!(shop.served.stop());
    let dir = TempDir::new().unwrap();
    let arguments: Vec<&str> =
        ["capture"].into_iter().chain(folders.iter().map(String::as_str)).chain(["--out", "orders.trace"]).collect();
    let captured = logdyno(&dir, &arguments);
    assert_eq!(captured.code, 0, "{}", captured.stderr);
    let (_, workload) = captured.stdout.split_once("replays it:\n").expect("it prints a workload");
    std::fs::write(dir.path().join("w.toml"), workload).unwrap();
    let ran = logdyno(&dir, &["run", "w.toml", "--target", "null", "--set", "load.time.scale=1/100", "--out", "out"]);
    assert!([0, 5].contains(&ran.code) && !ran.stdout.contains("INVALID"), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("replayed from orders.trace"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_captured_is_named() {
    let dir = TempDir::new().unwrap();
    let refused = |from: PathBuf| capture(&[from.display().to_string()], false, &mut |_| ()).unwrap_err().to_string();
    assert!(refused(dir.path().join("orders-0")).contains("orders-0: No such file"));
    assert!(refused(dir.path().to_owned()).contains("TOPIC-0"));
    std::fs::create_dir(dir.path().join("orders-0")).unwrap();
    assert!(refused(dir.path().join("orders-0")).contains("no segment file"));
    let no_topic = capture(&["kafka://127.0.0.1:9092".to_owned()], false, &mut |_| ()).unwrap_err().to_string();
    assert!(no_topic.contains("kafka://host:port/topic"), "{no_topic}");
}

/// A flipped bit in the middle is an error; a last batch that is not whole yet is passed over, and said.
#[test]
fn a_damaged_segment_is_refused_and_a_torn_tail_is_told() {
    let shop = Shop::open(&orders());
    let folder = PathBuf::from(&shop.folders()[0]);
    let whole = shop.data.path().to_owned();
    assert!(shop.served.stop());
    let segment = folder.join("00000000000000000000.log");
    let bytes = std::fs::read(&segment).unwrap();
    let records = |told: &mut Vec<String>| {
        let from = [folder.display().to_string()];
        capture(&from, false, &mut |sentence| told.push(sentence.to_owned())).map(|trace| trace.header.records)
    };
    let all = records(&mut Vec::new()).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() - 5]).unwrap();
    let mut told = Vec::new();
    assert!(records(&mut told).unwrap() < all && told[0].contains("left out"), "{told:?}");
    let mut flipped = bytes.clone();
    flipped[100] ^= 0b100;
    std::fs::write(&segment, flipped).unwrap();
    assert!(records(&mut Vec::new()).unwrap_err().to_string().contains("the batch at 0 is damaged"));
    drop(whole);
}

#[test]
fn a_trace_has_its_own_records_keys_and_times() {
    let text = "[records]\ntrace = \"t.trace\"\nsize = 9\n[load]\nrate = 1\n";
    let error = parse(Path::new("w.toml"), text, &Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("w.toml:3: `records.size` does not go with a `trace`"), "{error}");
}
