//! Reports of few records, in the orders in which threads may bring them.

use logdyno_engine::record::{BrokerId, CloseReason, Offset, Stage, TopicPartition};

use super::*;
use crate::measure::{Consecutive, Distribution, Step};
use crate::target::AckPoint;
use crate::topics::Topics;

/// The content's digest of every record of the source.
const CONTENT: u64 = 77;

const PATH: Path = Path {
    batching: true,
    keeps_replicas: true,
    has_network: true,
    appended: true,
    written: true,
    replicated: true,
    high_watermark: true,
    fetched: true,
    acknowledged_after: AckPoint::HighWatermark,
};

fn settings(path: Path) -> JoinSettings {
    let digests = Arc::from([CONTENT]);
    let start = Nanos(0);
    let topics = Arc::new(Topics::one("t", 1));
    JoinSettings { topics, producers: 1, path, digests, start, start_ms: 0, checks_timestamps: true }
}

fn ticket(number: u64, intended: u64) -> Ticket {
    Ticket { number, intended: Nanos(intended), called: Nanos(intended + 1) }
}

fn batch(base: Option<i64>, records: u32, created: u64) -> ProducedBatch {
    ProducedBatch {
        partition: TopicPartition::new("t", 0),
        base_offset: base.map(Offset),
        records,
        bytes_uncompressed: 100,
        bytes_sent: 50,
        close_reason: CloseReason::Linger,
        retries: 0,
        created: Nanos(created),
        closed: Nanos(created + 10),
        drained: Nanos(created + 11),
        compressed: Nanos(created + 12),
        sent: Nanos(created + 13),
        acknowledged: Nanos(created + 40),
    }
}

fn stamps(end: i64, at: u64) -> Vec<Passed> {
    let stages = [
        Stage::Appended,
        Stage::Written,
        Stage::Replicated(BrokerId(2)),
        Stage::HighWatermark,
        Stage::Fetched,
        Stage::Delivered,
    ];
    let stamp = |(order, stage)| Passed { stage, partition: 0, end: Offset(end), at: Nanos(at + order) };
    (0..).zip(stages).map(stamp).collect()
}

/// Number, intended time and offset of records that were acknowledged.
fn receipts(records: impl IntoIterator<Item = (u64, u64, Option<i64>)>) -> Consecutive<Ticket> {
    let mut receipts = Consecutive::default();
    for (number, intended, offset) in records {
        receipts.push(0, offset.map(Offset), ticket(number, intended));
    }
    receipts
}

/// Offset and intended time of records that came out.
fn deliveries(records: impl IntoIterator<Item = (i64, u64)>) -> Consecutive<u64> {
    let mut deliveries = Consecutive::default();
    for (offset, intended) in records {
        deliveries.push(0, Some(Offset(offset)), with_timestamp(CONTENT, (intended / 1_000_000) as i64));
    }
    deliveries
}

/// When each of the four records was to be sent.
fn intended(n: u64) -> u64 {
    100 + 5 * n + 80 * (n / 3)
}

/// A batch of three records and one of one, with everything that is reported of them.
fn everything() -> Inbox {
    Inbox {
        produced: vec![batch(Some(0), 3, 100), batch(Some(3), 1, 200)],
        passed: stamps(3, 120).into_iter().chain(stamps(4, 220)).collect(),
        receipts: receipts((0..4).map(|n| (n, intended(n), Some(n as i64)))),
        deliveries: deliveries((0..4).map(|n| (n, 100))),
        failed: Vec::new(),
    }
}

fn measured(joined: &Joined) -> (u64, u64, u64) {
    (
        joined.parts[0].to_acknowledgement.total.count(),
        joined.parts[0].to_acknowledgement.total.sum_ns(),
        joined.parts[0].to_delivery.total.sum_ns(),
    )
}

/// To the acknowledgement: 140 − 100, − 105, − 110; 240 − 195. To the delivery: 125 − …; 225 − 195.
const EXPECTED: (u64, u64, u64) = (4, 40 + 35 + 30 + 45, 25 + 20 + 15 + 30);

#[test]
fn the_order_in_which_reports_come_makes_no_difference() {
    let mut join = Join::new(settings(PATH));
    join.begin(Nanos(0));
    join.take_in(&mut everything());
    assert_eq!(join.held(), 0);
    assert_eq!(measured(&join.finish()), EXPECTED);

    // One kind of report at a time, in each order, a report at a time.
    for first in 0..4 {
        let mut join = Join::new(settings(PATH));
        join.begin(Nanos(0));
        let mut all = everything();
        for kind in (0..4).map(|kind| (kind + first) % 4) {
            let mut inbox = Inbox::default();
            match kind {
                0 => inbox.produced = std::mem::take(&mut all.produced),
                1 => inbox.passed = std::mem::take(&mut all.passed),
                2 => inbox.receipts = std::mem::take(&mut all.receipts),
                _ => inbox.deliveries = std::mem::take(&mut all.deliveries),
            }
            join.take_in(&mut inbox);
        }
        let joined = join.finish();
        assert_eq!(measured(&joined), EXPECTED, "first {first}");
        assert!(joined.violations.sentences(&Topics::one("t", 1)).is_empty());
    }
}

/// The steps that a batch shares weigh all its records.
#[test]
fn steps_are_weighted_by_records() {
    let mut join = Join::new(settings(PATH));
    join.begin(Nanos(0));
    join.take_in(&mut everything());
    let joined = join.finish();
    let step = |step: Step| &joined.parts[0].to_acknowledgement.steps[step as usize];
    assert!(Step::ALL.iter().all(|each| step(*each).count() == 4));
    assert_eq!((step(Step::Compress).sum_ns(), step(Step::Append).sum_ns()), (4, 3 * 7 + 7));
    let sum: u64 = joined.parts[0].to_acknowledgement.steps.iter().map(Distribution::sum_ns).sum();
    assert_eq!(sum, joined.parts[0].to_acknowledgement.total.sum_ns());
    assert_eq!((joined.parts[0].panel.batches, joined.parts[0].panel.records), (2, 4));
}

/// The cut goes by the intended time, also within a batch.
#[test]
fn warm_up_is_cut_within_a_batch() {
    let mut join = Join::new(settings(PATH));
    join.begin(Nanos(110));
    join.take_in(&mut everything());
    let joined = join.finish();
    assert_eq!(measured(&joined), (2, 30 + 45, 15 + 30));
    assert_eq!((joined.acknowledged_count, joined.delivered_count), (4, 4));
}

/// A cut within a batch goes by the intended time too: each part has its own records with all their steps, and the batch counts where
/// its first measured record is.
#[test]
fn parts_are_cut_within_a_batch() {
    let mut join = Join::new(settings(PATH)).cut_at(&[Nanos(105), Nanos(190)]);
    join.begin(Nanos(0));
    join.take_in(&mut everything());
    let joined = join.finish();
    let counts = joined.parts.iter().map(|part| part.to_acknowledgement.total.count()).collect::<Vec<_>>();
    assert_eq!(counts, [1, 2, 1]);
    for part in &joined.parts {
        for path in [&part.to_acknowledgement, &part.to_delivery] {
            let steps: u64 = path.steps.iter().map(Distribution::sum_ns).sum();
            assert_eq!(steps, path.total.sum_ns());
            assert!(path.steps.iter().all(|step| step.count() == path.total.count()));
        }
    }
    assert_eq!(joined.parts.iter().map(|part| part.panel.batches).collect::<Vec<_>>(), [1, 0, 1]);
}

/// With acks=0 a record's offset is its place in the partition.
#[test]
fn without_offsets_records_are_counted() {
    let mut join = Join::new(settings(Path { acknowledged_after: AckPoint::Sent, ..PATH }));
    join.begin(Nanos(0));
    let mut all = everything();
    all.produced.iter_mut().for_each(|batch| batch.base_offset = None);
    all.receipts = receipts((0..4).map(|n| (n, intended(n), None)));
    join.take_in(&mut all);
    let joined = join.finish();
    assert_eq!(measured(&joined), EXPECTED);
    assert!(joined.violations.sentences(&Topics::one("t", 1)).is_empty());
}

/// A record that is delivered and acknowledged, but of which a stage was never told, is not measured, and it is said.
#[test]
fn records_without_a_stamp_are_not_measured() {
    let mut join = Join::new(settings(PATH));
    join.begin(Nanos(0));
    let mut all = everything();
    all.passed.retain(|passed| passed.stage != Stage::Written || passed.end == Offset(3));
    join.take_in(&mut all);
    assert_eq!(join.held(), 1);
    let joined = join.finish();
    assert_eq!((joined.parts[0].to_acknowledgement.total.count(), joined.unmeasured), (3, 1));
}

#[test]
fn what_a_correct_system_does_not_do_is_named() {
    let sentences = |change: &dyn Fn(&mut Inbox)| {
        let mut join = Join::new(settings(PATH));
        join.begin(Nanos(0));
        let mut all = everything();
        change(&mut all);
        join.take_in(&mut all);
        join.finish().violations.sentences(&Topics::one("t", 1))
    };
    let lost = sentences(&|all| all.deliveries = deliveries([(0, 100), (2, 100), (3, 100)]));
    assert_eq!(lost, ["LOST: partition 0, offset 1: acknowledged and never delivered"]);
    let again = sentences(&|all| all.deliveries.append(&mut deliveries([(2, 100)])));
    assert_eq!(again, ["DUPLICATE: partition 0, offset 2: delivered again"]);
    let partly_again = sentences(&|all| {
        all.deliveries = deliveries([(0, 100), (1, 100)]);
        all.deliveries.append(&mut deliveries([(1, 100), (2, 100), (3, 100)]));
    });
    assert_eq!(partly_again, ["DUPLICATE: partition 0, offset 1: delivered again"]);
    let shared = sentences(&|all| all.receipts.append(&mut receipts([(9, 500, Some(3))])));
    assert_eq!(shared, ["OVERWRITTEN: partition 0, offset 3: acknowledged for two records"]);
    let reordered = sentences(&|all| {
        let order = [(1, 100), (0, 105), (2, intended(2)), (3, intended(3))];
        all.receipts = receipts((0..).zip(order).map(|(offset, (number, intended))| (number, intended, Some(offset))));
    });
    assert_eq!(reordered, ["REORDERED: partition 0, offset 1: sent before the record at the offset before it"]);
    let another_time = sentences(&|all| all.deliveries = deliveries([(0, 100), (1, 100), (2, 100), (3, 5_000_000)]));
    assert_eq!(another_time, ["ALTERED: partition 0, offset 3: content or timestamp differ from what was sent"]);
}

/// A run that was broken off because its consumer was too far behind, or met a corrupt batch: what has not come out may be on its way.
#[test]
fn what_a_run_that_was_broken_off_has_not_seen_is_not_lost() {
    let half_read = || {
        let mut join = Join::new(settings(PATH));
        join.begin(Nanos(0));
        join.take_in(&mut Inbox { deliveries: deliveries([(0, 100), (1, 999_000_000)]), ..everything() });
        join
    };
    let sentences = |joined: Joined| joined.violations.sentences(&Topics::one("t", 1));
    let altered = "ALTERED: partition 0, offset 1: content or timestamp differ from what was sent";
    assert_eq!((sentences(half_read().break_off()), half_read().break_off().unmeasured), (vec![altered.to_owned()], 0));
    assert!(sentences(half_read().finish()).iter().any(|sentence| sentence.starts_with("LOST")));
}

/// Receipts of several producers come in any order, one behind the other's.
#[test]
fn receipts_may_come_in_any_order() {
    let mut join = Join::new(settings(PATH));
    join.begin(Nanos(0));
    let mut all = everything();
    for (from, to) in [(3, 4), (1, 3), (0, 1)] {
        all.receipts = receipts((from..to).map(|n| (n, intended(n), Some(n as i64))));
        join.take_in(&mut all);
        assert_eq!(join.held(), if from > 0 { 4 } else { 0 });
    }
    let joined = join.finish();
    assert_eq!(measured(&joined), EXPECTED);
    assert!(joined.violations.sentences(&Topics::one("t", 1)).is_empty());
}

#[test]
fn failed_records_are_counted_with_the_first_reason() {
    let mut join = Join::new(settings(PATH));
    join.take_in(&mut Inbox { failed: vec!["one".into(), "two".into()], ..Inbox::default() });
    assert_eq!(join.finish().failed, (2, Some("one".to_owned())));
}
