//! `read_committed` over a partition that Apache Kafka wrote, with committed, aborted and open transactions.

use std::fs;
use std::path::Path;

use logdyno_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use logdyno_wire::messages::{BrokerId, ListOffsetsRequest};
use tempfile::TempDir;

use crate::cluster::{Fetch, channel, create, name, run, start};

/// What Kafka said: `golden/transactions/said-by-kafka.txt`.
const HIGH_WATERMARK: i64 = 59;
const LAST_STABLE: i64 = 55;

/// In the place of the empty partition that a broker has made.
fn take_over(partition: &Path) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../segment-log/tests/golden/transactions");
    for entry in fs::read_dir(golden).expect("the golden files") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|kind| kind != "txt") {
            fs::copy(&path, partition.join(path.file_name().expect("a name"))).expect("copied");
        }
    }
}

/// Rows 110 and 111, G7: what a consumer gets, and where the log ends for it, depends on its isolation level.
#[test]
fn what_is_not_decided_is_for_read_uncommitted() {
    let dir = TempDir::new().expect("a directory");
    let more = "broker.session.timeout.ms=2000\n";
    let broker = start(1, dir.path(), None, more);
    run(async { assert_eq!(create(&channel(&broker).await, "t", 1, 1).await, 0) });
    broker.stop().expect("a clean stop");
    take_over(&dir.path().join("t-0"));
    let broker = start(1, dir.path(), None, more);
    run(async {
        let channel = channel(&broker).await;
        for (level, end) in [(0, HIGH_WATERMARK), (1, LAST_STABLE)] {
            let partition = ListOffsetsPartition::default().with_timestamp(-1).with_current_leader_epoch(-1);
            let topic = ListOffsetsTopic::default().with_name(name("t")).with_partitions(vec![partition]);
            let latest = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_isolation_level(level);
            loop {
                let asked = latest.clone().with_topics(vec![topic.clone()]);
                let found = channel.call(asked, None).await.expect("an answer").topics.remove(0).partitions.remove(0);
                if found.error_code == 0 {
                    assert_eq!(found.offset, end, "isolation level {level}");
                    break;
                }
                tokio::task::yield_now().await;
            }
            let (mut at, mut aborted) = (0, Vec::new());
            while at < end {
                let request = Fetch::from(at).request("t").with_isolation_level(level);
                let fetched =
                    channel.call(request, Some(12)).await.expect("an answer").responses.remove(0).partitions.remove(0);
                assert_eq!((fetched.error_code, fetched.high_watermark), (0, HIGH_WATERMARK));
                assert_eq!(fetched.last_stable_offset, LAST_STABLE);
                assert_eq!(fetched.aborted_transactions.is_some(), level == 1);
                let told = fetched.aborted_transactions.unwrap_or_default();
                aborted.extend(told.iter().map(|it| (it.producer_id.0, it.first_offset)));
                let batches = logdyno_record::batches(fetched.records.expect("records"));
                at = batches.last().expect("a batch").expect("a whole one").header().next_offset().0;
            }
            assert_eq!(at, end);
            aborted.sort_unstable();
            aborted.dedup();
            assert_eq!(aborted.len(), if level == 1 { 7 } else { 0 }, "{aborted:?}");
        }
    });
    broker.stop().expect("a clean stop");
}
