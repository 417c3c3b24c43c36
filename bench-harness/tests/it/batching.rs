//! What batch sizes and partitioners do to batches, counted and not timed.

use logdyno::target::EmbeddedTarget;

use logdyno_engine::storage::kinds;

use crate::scene::Scene;

/// Records of a batch on average, where no more than 200 are under way: what does not fill a batch waits for the linger.
fn records_per_batch(producer: &str) -> f64 {
    let text = format!(
        "
[records]
size = 120
entropy = 3
count = 2000
[topic]
partitions = 10
[producer]
linger.ms=40
{producer}
[load]
in.flight = 200
[run]
backends = [\"buffered\"]
"
    );
    let measured = Scene::new(&text).measure(EmbeddedTarget, &kinds());
    assert_eq!((measured.records.delivered, measured.batches.records), (2000, 2000), "{:?}", measured.verdicts);
    measured.batches.records as f64 / measured.batches.batches as f64
}

/// Row 45.
#[test]
fn a_larger_batch_size_carries_more_records_in_a_batch() {
    let [small, large] = [512, 8192].map(|size| records_per_batch(&format!("batch.size={size}")));
    assert!(small < 5.0 && large > 4.0 * small, "{small} and {large}");
}

/// Row 52: turns spread the records over all partitions, so none of them fills a batch.
#[test]
fn round_robin_makes_smaller_batches_than_the_sticky_partitioner() {
    let sticky = records_per_batch("batch.size=8192");
    let turns = records_per_batch("batch.size=8192\npartitioner.class=RoundRobinPartitioner");
    assert!(turns <= 25.0 && sticky > 1.5 * turns, "{sticky} and {turns}");
}
