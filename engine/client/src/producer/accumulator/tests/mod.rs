//! Kafka's RecordAccumulatorTest, with a clock that the test moves.

mod partitioning;
mod sizes;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use logdyno_record::{Compression, Offset};

use super::*;
use crate::network::{Leader, Leaders};
use crate::producer::batch::RecordParts;
use crate::producer::completion::Outcome;

#[derive(Default)]
struct ManualClock(AtomicU64);

impl ManualClock {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.load(Ordering::Relaxed))
    }

    fn wall_ms(&self) -> i64 {
        0
    }
}

/// Partition → (node, epoch); topics have as many partitions as are led.
#[derive(Clone, Default)]
struct Led(HashMap<i32, Leader>);

impl Leaders for Led {
    fn leader(&self, partition: &TopicPartition) -> Option<Leader> {
        self.0.get(&partition.partition).copied()
    }

    fn partitions(&self, _: &str) -> usize {
        self.0.len()
    }
}

fn led(nodes: &[i32]) -> Led {
    Led((0..).zip(nodes).map(|(partition, node)| (partition, Leader { node: *node, epoch: 1 })).collect())
}

struct Bench {
    clock: Arc<ManualClock>,
    accumulator: Arc<Accumulator>,
    topic: Arc<TopicQueues>,
    index: Mutex<DrainIndex>,
}

const LINGER: Duration = Duration::from_millis(10);
const BATCH_SIZE: usize = 1024;

fn settings() -> AccumulatorSettings {
    AccumulatorSettings {
        batch_size: BATCH_SIZE,
        linger: LINGER,
        buffer_memory: 64 * 1024,
        codec: Codec::new(Compression::None),
        delivery_timeout: Duration::from_secs(120),
        adaptive: true,
        availability_timeout: None,
    }
}

fn bench(settings: AccumulatorSettings) -> Bench {
    let clock = Arc::new(ManualClock::default());
    clock.advance(Duration::from_secs(1));
    let count = AtomicU64::new(0);
    let random: Random = Arc::new(move || count.fetch_add(1, Ordering::Relaxed) as u32);
    let accumulator = Arc::new(Accumulator::new(settings, clock.clone(), random));
    let topic = accumulator.topic(&Arc::from("t"));
    Bench { clock, accumulator, topic, index: Mutex::default() }
}

impl Bench {
    fn append_to(&self, target: Target<'_>, value: &[u8]) -> Result<Appended, ClientError> {
        let record = RecordParts { timestamp: 5, key: None, value: Some(value), headers: &[] };
        self.accumulator.append(&self.topic, target, record, &mut None, Nanos(0), || ())
    }

    fn append(&self, partition: i32, size: usize) -> Appended {
        self.append_to(Target::Partition(partition), &vec![7; size]).unwrap()
    }

    fn ready_at(&self, leaders: &Led) -> Ready {
        self.accumulator.ready(leaders, &NodeLatencies::default(), self.clock.now())
    }

    fn ready_nodes(&self, leaders: &Led) -> Vec<i32> {
        self.ready_at(leaders).nodes.into_keys().collect()
    }

    fn drain(&self, leaders: &Led, node: i32, max_bytes: usize) -> Vec<ProducerBatch> {
        let Some(queues) = self.ready_at(leaders).nodes.remove(&node) else { return Vec::new() };
        let now = self.clock.now();
        let mut taken = self.accumulator.drain(node, &queues, leaders, max_bytes, &mut self.index.lock().unwrap(), now);
        for batch in &mut taken {
            batch.seal(&|| now).unwrap();
            batch.attempts += 1;
        }
        taken
    }

    fn land(&self, batch: &ProducerBatch) {
        self.topic.queue(batch.partition().partition).lock().landed(batch.attempts > 1);
    }
}

fn acknowledged(batch: &ProducerBatch) -> logdyno_record::ProducedBatch {
    batch.report(Some(Offset(0)), Nanos(0))
}

/// Row 69: a lone record waits for linger.ms and no longer; the time to look again says exactly when.
#[test]
fn a_lone_record_is_ready_when_linger_is_over() {
    let bench = bench(settings());
    let one = led(&[1]);
    bench.append(0, 10);
    let ready = bench.ready_at(&one);
    assert!(ready.nodes.is_empty());
    assert_eq!(ready.look_again, Some(bench.clock.now().after(LINGER)));
    bench.clock.advance(LINGER - Duration::from_nanos(1));
    assert!(bench.ready_nodes(&one).is_empty());
    bench.clock.advance(Duration::from_nanos(1));
    assert_eq!(bench.ready_nodes(&one), [1]);
    let taken = bench.drain(&one, 1, usize::MAX);
    assert_eq!(acknowledged(&taken[0]).close_reason, CloseReason::Linger);
}

/// Row 69: a full batch goes at once. Row 67: no batch is larger than batch.size, and full ones are nearly so.
#[test]
fn a_full_batch_is_ready_at_once_and_within_batch_size() {
    let bench = bench(settings());
    let one = led(&[1]);
    let mut appends = 0;
    while bench.ready_nodes(&one).is_empty() {
        bench.append(0, 100);
        appends += 1;
    }
    let taken = bench.drain(&one, 1, usize::MAX);
    let report = acknowledged(&taken[0]);
    assert_eq!(report.close_reason, CloseReason::Size);
    assert_eq!(report.records, appends - 1, "the last append began the next batch");
    assert!(report.bytes_sent as usize <= BATCH_SIZE && report.bytes_sent as usize > BATCH_SIZE * 9 / 10 - 110);
}

/// Row 67: a record larger than batch.size gets a batch of its own.
#[test]
fn a_large_record_gets_its_own_batch() {
    let bench = bench(settings());
    let one = led(&[1]);
    bench.append(0, 10);
    bench.append(0, 2 * BATCH_SIZE);
    bench.append(0, 10);
    bench.clock.advance(LINGER);
    let counts: Vec<u32> = (0..3)
        .map(|_| {
            let taken = bench.drain(&one, 1, usize::MAX);
            bench.land(&taken[0]);
            taken[0].records()
        })
        .collect();
    assert_eq!(counts, [1, 1, 1]);
}

/// Row 67: batch.size=0 disables batching, also for the smallest records.
#[test]
fn batch_size_zero_means_a_batch_per_record() {
    let bench = bench(AccumulatorSettings { batch_size: 0, ..settings() });
    for _ in 0..3 {
        bench.append(0, 0);
    }
    assert_eq!(bench.topic.queue(0).lock().len(), 3);
    assert_eq!(bench.ready_nodes(&led(&[1])), [1]);
}

/// Row 46: during a flush everything is ready, and the reason says so.
#[test]
fn a_flush_makes_every_batch_ready() {
    let bench = bench(settings());
    let two = led(&[1, 2]);
    bench.append(0, 10);
    bench.append(1, 10);
    assert!(bench.ready_nodes(&two).is_empty());
    bench.accumulator.begin_flush();
    assert_eq!(bench.ready_nodes(&two), [1, 2]);
    let taken = bench.drain(&two, 2, usize::MAX);
    assert_eq!(acknowledged(&taken[0]).close_reason, CloseReason::Flush);
    bench.accumulator.end_flush();
    assert!(bench.ready_nodes(&two).is_empty());
}

/// Row 48.
/// A request takes along what waits for the same broker, one batch per partition, up to max.request.size.
#[test]
fn a_drain_takes_one_batch_per_partition_within_the_request_size() {
    let bench = bench(settings());
    let leaders = led(&[1, 1, 1, 2]);
    for partition in 0..4 {
        bench.append(partition, 900);
        bench.append(partition, 900);
    }
    bench.append(0, 10);
    let taken = bench.drain(&leaders, 1, usize::MAX);
    let partitions: Vec<i32> = taken.iter().map(|batch| batch.partition().partition).collect();
    assert_eq!(partitions, [0, 1, 2]);
    bench.clock.advance(LINGER);
    let next: Vec<i32> = bench.drain(&leaders, 1, 1000).iter().map(|batch| batch.partition().partition).collect();
    assert_eq!(next, [0], "the next batch would make it too large");
    bench.append(0, 10);
    bench.clock.advance(LINGER);
    let after: Vec<i32> = bench.drain(&leaders, 1, 1000).iter().map(|batch| batch.partition().partition).collect();
    assert_eq!(after, [1], "it goes on with what had no room, though partition 0 is ready again");
    let tiny: Vec<i32> = bench.drain(&leaders, 1, 1).iter().map(|batch| batch.partition().partition).collect();
    assert_eq!(tiny, [2], "a first batch always fits");
}

#[test]
fn a_batch_that_has_time_left_is_taken_along() {
    let bench = bench(settings());
    let leaders = led(&[1, 1]);
    bench.append(0, 1000);
    bench.append(0, 1000);
    bench.append(1, 10);
    let taken = bench.drain(&leaders, 1, usize::MAX);
    let reasons: Vec<CloseReason> = taken.iter().map(|batch| acknowledged(batch).close_reason).collect();
    assert_eq!(reasons, [CloseReason::Size, CloseReason::TakenAlong]);
}

/// Memory is given back when a batch is done, not when it is sent (row 65).
#[test]
fn memory_comes_back_on_completion() {
    let bench = bench(AccumulatorSettings { buffer_memory: 2 * BATCH_SIZE, ..settings() });
    let leaders = led(&[1, 1, 1]);
    bench.append(0, 10);
    bench.append(1, 10);
    let error = bench.append_to(Target::Partition(2), &[0; 10]).unwrap_err();
    assert!(matches!(error, ClientError::BufferExhausted { wanted: BATCH_SIZE, .. }), "{error}");
    bench.clock.advance(LINGER);
    let mut taken = bench.drain(&leaders, 1, usize::MAX);
    let in_flight: usize = taken.iter().map(ProducerBatch::estimated_size).sum();
    assert_eq!(bench.accumulator.pool().free(), 2 * BATCH_SIZE - in_flight, "what was sealed is held while in flight");
    for batch in taken.drain(..) {
        batch.complete(Outcome::Acknowledged { base_offset: Offset(0), log_append_time: -1 });
    }
    assert_eq!(bench.accumulator.pool().free(), 2 * BATCH_SIZE);
}

/// §4.1: who waits for memory makes every batch ready.
#[test]
fn waiting_for_memory_makes_batches_ready() {
    let bench = bench(AccumulatorSettings { buffer_memory: BATCH_SIZE, ..settings() });
    let leaders = led(&[1, 1]);
    bench.append(0, 10);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let record = RecordParts { timestamp: 5, key: None, value: Some(b"x"), headers: &[] };
            let deadline = bench.clock.now().after(Duration::from_secs(60));
            bench.accumulator.append(&bench.topic, Target::Partition(1), record, &mut None, deadline, || ()).is_ok()
        });
        while bench.accumulator.pool().waiting() == 0 {
            std::thread::yield_now();
        }
        let taken = bench.drain(&leaders, 1, usize::MAX);
        assert_eq!(acknowledged(&taken[0]).close_reason, CloseReason::MemoryPressure);
        drop(taken);
        assert!(waiter.join().unwrap());
    });
}

/// After a retriable error one batch is in flight, and the retried one keeps its place (§7 no. 19).
#[test]
fn a_retried_batch_goes_first_and_alone() {
    let bench = bench(settings());
    let leaders = led(&[1]);
    for _ in 0..4 {
        bench.append(0, 1000);
    }
    let mut first = bench.drain(&leaders, 1, usize::MAX).remove(0);
    let second = bench.drain(&leaders, 1, usize::MAX).remove(0);
    assert!(first.number < second.number, "two are in flight");
    let first_number = first.number;
    bench.land(&first);
    first.not_before = bench.clock.now();
    bench.topic.queue(0).lock().put_back(vec![first]);
    assert!(bench.drain(&leaders, 1, usize::MAX).is_empty(), "the second's fate is not known");
    bench.land(&second);
    drop(second);
    let retried = bench.drain(&leaders, 1, usize::MAX).remove(0);
    assert_eq!(retried.number, first_number);
    assert!(bench.drain(&leaders, 1, usize::MAX).is_empty(), "nothing goes beside a retry");
    bench.land(&retried);
    assert_eq!(bench.drain(&leaders, 1, usize::MAX).len(), 1);
}

/// Kafka mutes a partition, not a connection: the first may have to be sent again, to the new leader.
#[test]
fn a_new_leader_waits_for_what_the_old_one_has_in_flight() {
    for producer in [None, Some(7)] {
        let bench = bench(settings());
        bench.index.lock().unwrap().producer = producer;
        bench.append(0, 1000);
        bench.append(0, 1000);
        let first = bench.drain(&led(&[1]), 1, usize::MAX).remove(0);
        let moved = led(&[2]);
        bench.clock.advance(LINGER);
        assert!(bench.drain(&moved, 2, usize::MAX).is_empty(), "producer {producer:?}");
        bench.land(&first);
        assert_eq!(bench.drain(&moved, 2, usize::MAX).len(), 1, "producer {producer:?}");
    }
}

#[test]
fn a_pause_after_an_error_is_kept_unless_the_leader_changed() {
    let bench = bench(settings());
    let leaders = led(&[1]);
    bench.append(0, 10);
    bench.clock.advance(LINGER);
    let mut batch = bench.drain(&leaders, 1, usize::MAX).remove(0);
    bench.land(&batch);
    let until = bench.clock.now().after(Duration::from_millis(100));
    batch.not_before = until;
    bench.topic.queue(0).lock().put_back(vec![batch]);
    let ready = bench.ready_at(&leaders);
    assert!(ready.nodes.is_empty());
    assert_eq!(ready.look_again, Some(until));
    let moved = Led(HashMap::from([(0, Leader { node: 2, epoch: 2 })]));
    assert_eq!(bench.ready_nodes(&moved), [2]);
}

/// Row 66: delivery.timeout.ms counts from the batch's beginning, also in the queue.
#[test]
fn queued_batches_expire() {
    let bench = bench(AccumulatorSettings { delivery_timeout: Duration::from_millis(50), ..settings() });
    bench.append(0, 10);
    bench.clock.advance(Duration::from_millis(49));
    assert!(bench.accumulator.take_expired(bench.clock.now()).is_empty());
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.accumulator.take_expired(bench.clock.now()).len(), 1);
}

#[test]
fn a_partition_without_leader_is_named_and_not_ready() {
    let bench = bench(settings());
    bench.append(3, 10);
    bench.clock.advance(LINGER);
    let ready = bench.ready_at(&led(&[1]));
    assert!(ready.nodes.is_empty());
    assert_eq!(ready.leaderless.len(), 1);
}

#[test]
fn many_threads_append_and_nothing_is_lost() {
    let bench = bench(AccumulatorSettings { buffer_memory: 64 << 20, ..settings() });
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let bench = &bench;
            scope.spawn(move || {
                let choices = Choices { partitions: 4, available: &[0, 1, 2, 3] };
                for number in 0..2000 {
                    let target = if number % 2 == 0 { Target::Sticky(choices) } else { Target::Partition(thread) };
                    bench.append_to(target, &[1; 40]).unwrap();
                }
            });
        }
    });
    let records: u32 = bench.accumulator.remove_all().iter().map(ProducerBatch::records).sum();
    assert_eq!(records, 8000);
    assert_eq!(bench.accumulator.pool().free(), 64 << 20);
}
