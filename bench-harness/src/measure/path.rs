//! Where a record's time went: its critical path, as pure arithmetic on stamps.
//!
//! A record takes two paths that share their beginning: from its intended time to its acknowledgement, and to its
//! delivery. Each path is cut at the stamps into steps. A stamp that lies before the one ahead of it, or behind the
//! path's end (stamps come from several threads), is moved to it; so the steps of a path add up to its duration exactly,
//! whatever the stamps are. What runs side by side (the leader's own log, its followers) is charged to what ended last.

use logdyno_engine::record::Nanos;
use serde::{Deserialize, Serialize};

use crate::target::{AckPoint, Path};

/// A step of a path, named by what the record waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// The load generator: from the intended time to the call of `send`.
    Schedule,
    /// Metadata and `buffer.memory`: to the record's place in a batch.
    Admit,
    /// The batch: to its closing, by size, linger or flush.
    Batch,
    /// A free request in flight: to the sender's taking the batch up.
    Queue,
    /// The codec.
    Compress,
    /// The request: to its hand-over to the socket.
    Send,
    /// Network and leader: to the append to the leader's log.
    Append,
    /// The leader's own log: to the ack level. Charged if it ended after replication.
    Disk,
    /// The followers: to the last in-sync one's fetch of what follows. Charged if it ended after the leader's own log.
    Replicate,
    /// To the high watermark's passing.
    HighWatermark,
    /// The answer: to its being decoded by the producer.
    Acknowledge,
    /// The consumer's fetch: to the answer's being decoded.
    Fetch,
    /// To `poll`'s handing the record out.
    Deliver,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Step; 13] = [
        Step::Schedule,
        Step::Admit,
        Step::Batch,
        Step::Queue,
        Step::Compress,
        Step::Send,
        Step::Append,
        Step::Disk,
        Step::Replicate,
        Step::HighWatermark,
        Step::Acknowledge,
        Step::Fetch,
        Step::Deliver,
    ];

    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Step::Schedule => "schedule",
            Step::Admit => "admit",
            Step::Batch => "batch",
            Step::Queue => "queue",
            Step::Compress => "compress",
            Step::Send => "send",
            Step::Append => "append",
            Step::Disk => "disk",
            Step::Replicate => "replicate",
            Step::HighWatermark => "high-watermark",
            Step::Acknowledge => "acknowledge",
            Step::Fetch => "fetch",
            Step::Deliver => "deliver",
        }
    }

    /// What the time is spent on, in a few words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Step::Schedule => "the generator was late",
            Step::Admit => "metadata, buffer memory",
            Step::Batch => "the batch filled or lingered",
            Step::Queue => "for a free request in flight",
            Step::Compress => "the codec",
            Step::Send => "to the socket",
            Step::Append => "network, leader's append",
            Step::Disk => "leader's log to the ack level, where last",
            Step::Replicate => "followers' fetches, where last",
            Step::HighWatermark => "watermark passes",
            Step::Acknowledge => "answer to the producer",
            Step::Fetch => "answer to the consumer",
            Step::Deliver => "consumer's poll",
        }
    }
}

/// Nanoseconds by step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepTimes([u64; Step::ALL.len()]);

impl StepTimes {
    /// Of one step.
    #[must_use]
    pub fn get(&self, step: Step) -> u64 {
        self.0[step as usize]
    }

    /// Gives a step another time.
    #[cfg(test)]
    pub(super) fn set(&mut self, step: Step, ns: u64) {
        self.0[step as usize] = ns;
    }

    /// These with a record's own.
    #[must_use]
    pub(super) fn with(mut self, own: &OwnTimes) -> StepTimes {
        self.0.iter_mut().zip(own.0).for_each(|(sum, ns)| *sum = sum.saturating_add(ns));
        self
    }

    /// A record's own, and the others.
    pub(super) fn parted(mut self) -> (OwnTimes, StepTimes) {
        let mut own = OwnTimes::default();
        own.0.iter_mut().zip(&mut self.0).for_each(|(own, ns)| *own = std::mem::take(ns));
        (own, self)
    }

    /// Adds a sum of times.
    pub(super) fn add(&mut self, other: &StepTimes) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, ns)| *sum = sum.saturating_add(ns));
    }

    /// These of `count` records.
    #[must_use]
    pub(super) fn times(mut self, count: u64) -> StepTimes {
        self.0.iter_mut().for_each(|ns| *ns = ns.saturating_mul(count));
        self
    }

    /// Of all steps: the path's duration.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// A batch's stamps. What a target does not stamp is `None`.
#[derive(Clone, Copy, Debug)]
pub struct BatchMoments {
    /// Its first record entered the accumulator.
    pub created: Nanos,
    /// It took no further record.
    pub closed: Nanos,
    /// The sender took it up.
    pub drained: Nanos,
    /// It was sealed.
    pub compressed: Nanos,
    /// Its request was handed to the socket.
    pub sent: Nanos,
    /// The answer had been decoded.
    pub acknowledged: Nanos,
    /// The leader's log took it.
    pub appended: Option<Nanos>,
    /// The leader's log reached the ack level.
    pub written: Option<Nanos>,
    /// The last follower that the high watermark waited for asked for what follows.
    pub replicated: Option<Nanos>,
    /// The high watermark passed.
    pub high_watermark: Option<Nanos>,
}

impl BatchMoments {
    /// The own steps of a record that was to be sent at `intended` and for which `send` was called at `called`, if it was in the
    /// batch when that closed. Stamps of several threads may say otherwise.
    #[must_use]
    pub fn own(&self, intended: Nanos, called: Nanos) -> Option<OwnTimes> {
        let called = called.max(intended);
        // Only the first record of a batch can wait for memory: later ones find the batch made.
        let created = self.created.max(called);
        let is_regular = created <= self.closed;
        is_regular.then(|| OwnTimes([called.0 - intended.0, created.0 - called.0, self.closed.0 - created.0]))
    }
}

/// The way of a batch's records along one of the two paths.
#[derive(Clone, Copy, Debug)]
pub struct Course<'a> {
    batch: &'a BatchMoments,
    goal: Goal,
}

#[derive(Clone, Copy, Debug)]
enum Goal {
    Acknowledgement(AckPoint),
    Delivery { fetched: Option<Nanos>, delivered: Nanos },
}

/// The steps that each record of a batch has for itself: the first of [`Step::ALL`], to the batch's closing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnTimes(pub [u64; OwnTimes::COUNT]);

impl OwnTimes {
    /// How many steps they are.
    pub const COUNT: usize = 3;

    /// Adds another record's.
    pub(super) fn add(&mut self, other: &OwnTimes) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, ns)| *sum = sum.saturating_add(ns));
    }

    /// Of all of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl<'a> Course<'a> {
    /// To the acknowledgement.
    #[must_use]
    pub fn to_acknowledgement(path: &Path, batch: &'a BatchMoments) -> Course<'a> {
        Course { batch, goal: Goal::Acknowledgement(path.acknowledged_after) }
    }

    /// To the delivery: when a consumer had the records, and when `poll` handed them out.
    #[must_use]
    pub fn to_delivery(batch: &'a BatchMoments, fetched: Option<Nanos>, delivered: Nanos) -> Course<'a> {
        Course { batch, goal: Goal::Delivery { fetched, delivered } }
    }

    /// All steps of a record that was to be sent at `intended` and for which `send` was called at `called`.
    #[must_use]
    pub fn steps(&self, intended: Nanos, called: Nanos) -> StepTimes {
        let mut walk = Walk::new(intended, self.end());
        walk.pass(Step::Schedule, Some(called));
        // Only the first record of a batch can wait for memory: later ones find the batch made.
        walk.pass(Step::Admit, Some(self.batch.created));
        walk.pass(Step::Batch, Some(self.batch.closed));
        self.behind_closing(walk)
    }

    /// Whether the records that have [steps of their own](BatchMoments::own) have just these on this course, and
    /// [`shared`](Course::shared) are their others.
    #[must_use]
    pub fn ends_behind_closing(&self) -> bool {
        self.batch.closed <= self.end()
    }

    /// The steps from the batch's closing on.
    #[must_use]
    pub fn shared(&self) -> StepTimes {
        self.behind_closing(Walk::new(self.batch.closed, self.end()))
    }

    fn end(&self) -> Nanos {
        match self.goal {
            Goal::Acknowledgement(_) => self.batch.acknowledged,
            Goal::Delivery { delivered, .. } => delivered,
        }
    }

    fn behind_closing(&self, mut walk: Walk) -> StepTimes {
        let batch = self.batch;
        walk.pass(Step::Queue, Some(batch.drained));
        walk.pass(Step::Compress, Some(batch.compressed));
        walk.pass(Step::Send, Some(batch.sent));
        match self.goal {
            Goal::Acknowledgement(AckPoint::Sent) => walk.end(Step::Acknowledge),
            Goal::Acknowledgement(AckPoint::Written) => {
                walk.pass(Step::Append, batch.appended);
                walk.pass(Step::Disk, batch.written);
                walk.end(Step::Acknowledge)
            }
            Goal::Acknowledgement(AckPoint::HighWatermark) => {
                walk.commit(batch);
                walk.end(Step::Acknowledge)
            }
            Goal::Delivery { fetched, .. } => {
                walk.commit(batch);
                walk.pass(Step::Fetch, fetched);
                walk.end(Step::Deliver)
            }
        }
    }
}

/// A path on the way: where it stands, and what the steps so far took.
struct Walk {
    at: Nanos,
    end: Nanos,
    times: StepTimes,
}

impl Walk {
    fn new(start: Nanos, end: Nanos) -> Walk {
        Walk { at: start, end: end.max(start), times: StepTimes::default() }
    }

    /// Moves on to `moment`, within what is left of the path, and charges the time to `step`.
    fn pass(&mut self, step: Step, moment: Option<Nanos>) {
        let Some(moment) = moment else { return };
        let moment = moment.clamp(self.at, self.end);
        self.times.0[step as usize] += moment.0 - self.at.0;
        self.at = moment;
    }

    /// The leader's own log and the followers run side by side; the high watermark follows.
    fn commit(&mut self, batch: &BatchMoments) {
        self.pass(Step::Append, batch.appended);
        if batch.replicated > batch.written {
            self.pass(Step::Replicate, batch.replicated);
        } else {
            self.pass(Step::Disk, batch.written);
        }
        self.pass(Step::HighWatermark, batch.high_watermark);
    }

    fn end(mut self, step: Step) -> StepTimes {
        self.pass(step, Some(self.end));
        self.times
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FULL: Path = Path {
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

    fn batch(moments: [u64; 10]) -> BatchMoments {
        let [created, closed, drained, compressed, sent, appended, written, replicated, high_watermark, acknowledged] =
            moments.map(Nanos);
        BatchMoments {
            created,
            closed,
            drained,
            compressed,
            sent,
            acknowledged,
            appended: Some(appended),
            written: Some(written),
            replicated: Some(replicated),
            high_watermark: Some(high_watermark),
        }
    }

    #[test]
    fn the_wait_is_charged_to_what_ended_last() {
        let moments = [12, 20, 23, 27, 28, 40, 90, 70, 95, 110];
        let steps = |moments| Course::to_acknowledgement(&FULL, &batch(moments)).steps(Nanos(10), Nanos(11));
        let disk_last = steps(moments);
        assert_eq!((disk_last.get(Step::Disk), disk_last.get(Step::Replicate)), (50, 0));
        let mut moments = moments;
        moments[6] = 60;
        let followers_last = steps(moments);
        assert_eq!((followers_last.get(Step::Disk), followers_last.get(Step::Replicate)), (0, 30));
    }

    #[test]
    fn every_step_of_both_paths() {
        let batch = batch([12, 20, 23, 27, 28, 40, 90, 70, 95, 110]);
        let steps = |course: Course<'_>| course.steps(Nanos(10), Nanos(11)).0;
        assert_eq!(steps(Course::to_acknowledgement(&FULL, &batch)), [1, 1, 8, 3, 4, 1, 12, 50, 0, 5, 15, 0, 0]);
        let delivery = Course::to_delivery(&batch, Some(Nanos(120)), Nanos(125));
        assert_eq!(steps(delivery), [1, 1, 8, 3, 4, 1, 12, 50, 0, 5, 0, 25, 5]);
    }

    #[test]
    fn what_an_acknowledgement_does_not_wait_for_is_not_on_its_path() {
        let batch = batch([12, 20, 23, 27, 28, 40, 90, 700, 705, 110]);
        let steps = |acknowledged_after| {
            Course::to_acknowledgement(&Path { acknowledged_after, ..FULL }, &batch).steps(Nanos(10), Nanos(11)).0
        };
        assert_eq!(steps(AckPoint::Written), [1, 1, 8, 3, 4, 1, 12, 50, 0, 0, 20, 0, 0]);
        assert_eq!(steps(AckPoint::Sent), [1, 1, 8, 3, 4, 1, 0, 0, 0, 0, 82, 0, 0]);
    }

    proptest! {
        /// Also where stamps of different threads are out of order. A record's own steps and what its batch shares are the whole.
        #[test]
        fn steps_add_up_to_the_path_exactly(
            moments in prop_oneof![any::<[u32; 10]>(), ascending()],
            own in prop_oneof![any::<[u32; 4]>(), Just([0, 0, u32::MAX, u32::MAX])],
            stamped: [bool; 5],
        ) {
            let mut batch = batch(moments.map(u64::from));
            let [intended, called, fetched, delivered] = own.map(|moment| Nanos(u64::from(moment)));
            let drop = |moment: &mut Option<Nanos>, keep: bool| *moment = moment.filter(|_| keep);
            drop(&mut batch.appended, stamped[0]);
            drop(&mut batch.written, stamped[1]);
            drop(&mut batch.replicated, stamped[2]);
            drop(&mut batch.high_watermark, stamped[3]);
            let fetched = Some(fetched).filter(|_| stamped[4]);
            let to_delivery = Course::to_delivery(&batch, fetched, delivered);
            for (course, end) in
                [(Course::to_acknowledgement(&FULL, &batch), batch.acknowledged), (to_delivery, delivered)]
            {
                let steps = course.steps(intended, called);
                prop_assert_eq!(steps.total(), end.0.saturating_sub(intended.0));
                if let Some(own) = batch.own(intended, called).filter(|_| course.ends_behind_closing()) {
                    prop_assert_eq!(course.shared().with(&own), steps);
                    prop_assert_eq!(steps.parted(), (own, course.shared()));
                }
            }
        }
    }

    fn ascending() -> impl Strategy<Value = [u32; 10]> {
        any::<[u32; 10]>().prop_map(|mut moments| {
            moments.sort_unstable();
            moments
        })
    }
}
