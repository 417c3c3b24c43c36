//! Compaction in running brokers: topics say so, leaders and followers do it, producers need keys.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression};
use tempfile::TempDir;

use crate::cluster::{Fetch, batch, channel, create, metadata, produce, run, start, values};
use crate::configs::set;

fn keyed(key: &str, value: &str) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
    builder.append(1_700_000_000_000, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
    builder.build(&BatchOptions::default()).expect("a batch").bytes().clone()
}

/// Bytes of all segments of a partition.
fn size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir.join("t-0")).into_iter().flatten().filter_map(Result::ok);
    let logs = entries.filter(|entry| entry.path().extension().is_some_and(|kind| kind == "log"));
    logs.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

/// Of each key the latest record is left, on leader and follower; a consumer from the start skips what is gone.
#[test]
fn replicas_are_compacted() {
    let more = "log.cleaner.backoff.ms=50\nlog.retention.ms=-1\n";
    let dirs: Vec<TempDir> = (0..2).map(|_| TempDir::new().expect("a directory")).collect();
    let first = start(1, dirs[0].path(), None, more);
    let second = start(2, dirs[1].path(), first.controller_address(), more);
    run(async {
        let any = channel(&first).await;
        assert_eq!(create(&any, "t", 1, 2).await, 0);
        let mut leader = -1;
        while leader < 1 {
            leader = metadata(&any, "t").await.topics[0].partitions.first().map_or(-1, |found| found.leader_id.0);
        }
        let leader = channel(if leader == 1 { &first } else { &second }).await;
        set(&leader, "t", "cleanup.policy", "compact").await;
        set(&leader, "t", "segment.bytes", "1048576").await;
        assert_eq!(produce(&leader, "t", batch(&["without a key"]), -1).await.error_code, 87);
        let large = "v".repeat(100_000);
        for at in 0..40 {
            let key = format!("key-{}", at % 4);
            while produce(&leader, "t", keyed(&key, &format!("{at} {large}")), -1).await.error_code != 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        for dir in &dirs {
            // Four of the sealed part, and the active segment.
            while size(dir.path()) > 1_700_000 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let (mut found, mut at) = (Vec::new(), 0);
        while at < 40 {
            let fetched = Fetch::from(at).call(&leader, "t").await;
            assert_eq!(fetched.error_code, 0, "nothing is out of range");
            let got = values(fetched.records.clone());
            found.extend(got.iter().map(|value| value.split(' ').next().expect("a number").to_owned()));
            let last = logdyno_record::batches(fetched.records.unwrap_or_default()).last().expect("a batch");
            at = last.expect("a whole batch").header().next_offset().0;
        }
        assert!(found.len() < 25 && found.ends_with(&["36", "37", "38", "39"].map(str::to_owned)), "{found:?}");
    });
    second.stop().expect("a clean stop");
    first.stop().expect("a clean stop");
}
