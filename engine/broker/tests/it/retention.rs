//! Retention in running brokers: old segments go on leader and follower, clients see the log start move.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::cluster::{Fetch, batch, channel, create, metadata, produce, run, single, start, values};

/// Names of a partition's segment files, also of those that wait for their removal.
fn segments(dir: &Path, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join(folder)).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found: Vec<String> = names.filter(|name| name.contains(".log")).collect();
    found.sort();
    found
}

/// Asks again until it is so; the test's own time limit ends what never is.
async fn until(mut so: impl AsyncFnMut() -> bool) {
    while !so().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Row 16. Records of 2023 are over the default 7 days: the active segment is rolled and goes. Offsets go on.
#[test]
fn old_records_go_and_new_ones_stay() {
    let single = single("log.retention.check.interval.ms=50\nlog.retention.hours=168\n");
    run(async {
        let channel = channel(&single.broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        assert_eq!(produce(&channel, "t", batch(&["old", "older"]), -1).await.base_offset, 0);
        until(async || Fetch::from(0).call(&channel, "t").await.error_code == 1).await;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
        let young = batch_at(i64::try_from(now).expect("before the year 292 million"), "young");
        assert_eq!(produce(&channel, "t", young, -1).await.base_offset, 2);
        let fetched = Fetch::from(2).call(&channel, "t").await;
        assert_eq!((fetched.log_start_offset, values(fetched.records)), (2, vec!["young".to_owned()]));
    });
    single.broker.stop().expect("a clean stop");
}

fn batch_at(timestamp: i64, value: &str) -> bytes::Bytes {
    use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression};
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
    builder.append(timestamp, None, Some(value.as_bytes()), &[]);
    builder.build(&BatchOptions::default()).expect("a batch").bytes().clone()
}

/// Row 16. A follower deletes by itself, and removes its files after `file.delete.delay.ms`.
#[test]
fn leader_and_follower_delete_and_remove() {
    let more = "log.retention.check.interval.ms=50\nlog.segment.delete.delay.ms=0\nlog.retention.ms=-1\n";
    let dirs: Vec<TempDir> = (0..2).map(|_| TempDir::new().expect("a directory")).collect();
    let first = start(1, dirs[0].path(), None, more);
    let second = start(2, dirs[1].path(), first.controller_address(), more);
    run(async {
        let any = channel(&first).await;
        assert_eq!(create(&any, "t", 1, 2).await, 0);
        let mut leader = -1;
        until(async || {
            leader = metadata(&any, "t").await.topics[0].partitions.first().map_or(-1, |found| found.leader_id.0);
            leader > 0
        })
        .await;
        let leader = channel(if leader == 1 { &first } else { &second }).await;
        until(async || produce(&leader, "t", batch(&["old"]), -1).await.error_code == 0).await;
        for dir in &dirs {
            assert_eq!(segments(dir.path(), "t-0"), ["00000000000000000000.log"], "nothing is over age -1");
        }
        crate::configs::set(&leader, "t", "retention.ms", "1000").await;
        for dir in &dirs {
            until(async || segments(dir.path(), "t-0") == ["00000000000000000001.log"]).await;
        }
    });
    second.stop().expect("a clean stop");
    first.stop().expect("a clean stop");
}
