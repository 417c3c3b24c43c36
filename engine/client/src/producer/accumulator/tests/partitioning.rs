//! Which partition a record without a key gets.

use super::*;

/// Rows 36 and 53; Kafka's testBuiltInPartitionerFractionalBatches: a partition is left at a batch boundary only.
#[test]
fn sticky_appends_fill_whole_batches_before_they_move_on() {
    let bench = bench(AccumulatorSettings { adaptive: false, ..settings() });
    let choices = Choices { partitions: 3, available: &[0, 1, 2] };
    for _ in 0..300 {
        bench.append_to(Target::Sticky(choices), &[7; 50]).unwrap();
    }
    let leaders = led(&[1, 1, 1]);
    let mut sizes = Vec::new();
    bench.accumulator.begin_flush();
    loop {
        let taken = bench.drain(&leaders, 1, usize::MAX);
        if taken.is_empty() {
            break;
        }
        sizes.extend(taken.iter().map(ProducerBatch::estimated_size));
    }
    let fractional = sizes.iter().filter(|size| **size < BATCH_SIZE * 9 / 10).count();
    assert!(fractional <= 1, "only the last batch may be cut short: {sizes:?}");
}

/// §4.4: partitions with longer queues get less.
#[test]
fn adaptive_partitioning_learns_queue_lengths() {
    let bench = bench(settings());
    for partition in 0..3 {
        bench.append(partition, 1000);
    }
    for _ in 0..3 {
        bench.append(1, 1000);
    }
    bench.append(2, 1000);
    bench.ready_at(&led(&[1, 1, 1]));
    let choices = Choices { partitions: 3, available: &[0, 1, 2] };
    let mut counts = [0; 3];
    for _ in 0..900 {
        let sticky = bench.topic.sticky.peek(choices);
        counts[sticky.partition as usize] += 1;
        bench.topic.sticky.update(&sticky, u64::MAX / 4, true, choices);
    }
    // Queues of 1, 4 and 2 batches: weights 4, 1 and 3.
    assert!((counts[0] - 450_i32).abs() <= 8 && (counts[1] - 112_i32).abs() <= 8, "{counts:?}");
}

/// partitioner.availability.timeout.ms: a broker that takes nothing for longer is avoided.
#[test]
fn a_broker_that_takes_nothing_is_avoided() {
    let bench = bench(AccumulatorSettings { availability_timeout: Some(Duration::from_millis(100)), ..settings() });
    let leaders = led(&[1, 2]);
    bench.append(0, 1000);
    bench.append(1, 1000);
    let mut latencies = NodeLatencies::default();
    latencies.note(2, bench.clock.now(), true);
    bench.clock.advance(Duration::from_millis(101));
    latencies.note(2, bench.clock.now(), false);
    bench.accumulator.ready(&leaders, &latencies, bench.clock.now());
    let choices = Choices { partitions: 2, available: &[0, 1] };
    let first = bench.topic.sticky.peek(choices);
    bench.topic.sticky.update(&first, u64::MAX / 4, true, choices);
    for _ in 0..20 {
        let sticky = bench.topic.sticky.peek(choices);
        assert_eq!(sticky.partition, 0);
        bench.topic.sticky.update(&sticky, u64::MAX / 4, true, choices);
    }
}
