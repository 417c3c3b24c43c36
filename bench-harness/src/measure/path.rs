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

    /// Adds another record's times to a sum.
    pub(super) fn add(&mut self, other: &StepTimes) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, ns)| *sum = sum.saturating_add(ns));
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

/// A record's own stamps.
#[derive(Clone, Copy, Debug)]
pub struct RecordMoments {
    /// When it was to be sent.
    pub intended: Nanos,
    /// When `send` was called.
    pub called: Nanos,
    /// When a consumer had it.
    pub fetched: Option<Nanos>,
    /// When `poll` handed it out.
    pub delivered: Nanos,
}

/// The steps to the acknowledgement.
#[must_use]
pub fn to_acknowledgement(path: &Path, batch: &BatchMoments, record: &RecordMoments) -> StepTimes {
    let mut walk = Walk::new(record.intended, batch.acknowledged);
    walk.produce(batch, record);
    if path.acknowledged_after != AckPoint::Sent {
        walk.pass(Step::Append, batch.appended);
    }
    match path.acknowledged_after {
        AckPoint::Sent => {}
        AckPoint::Written => walk.pass(Step::Disk, batch.written),
        AckPoint::HighWatermark => walk.commit(batch),
    }
    walk.end(Step::Acknowledge)
}

/// The steps to the delivery.
#[must_use]
pub fn to_delivery(batch: &BatchMoments, record: &RecordMoments) -> StepTimes {
    let mut walk = Walk::new(record.intended, record.delivered);
    walk.produce(batch, record);
    walk.pass(Step::Append, batch.appended);
    walk.commit(batch);
    walk.pass(Step::Fetch, record.fetched);
    walk.end(Step::Deliver)
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

    fn produce(&mut self, batch: &BatchMoments, record: &RecordMoments) {
        self.pass(Step::Schedule, Some(record.called));
        // Only the first record of a batch can wait for memory: later ones find the batch made.
        self.pass(Step::Admit, Some(batch.created));
        self.pass(Step::Batch, Some(batch.closed));
        self.pass(Step::Queue, Some(batch.drained));
        self.pass(Step::Compress, Some(batch.compressed));
        self.pass(Step::Send, Some(batch.sent));
    }

    /// The leader's own log and the followers run side by side; the high watermark follows.
    fn commit(&mut self, batch: &BatchMoments) {
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

    fn record(moments: [u64; 4]) -> RecordMoments {
        let [intended, called, fetched, delivered] = moments.map(Nanos);
        RecordMoments { intended, called, fetched: Some(fetched), delivered }
    }

    #[test]
    fn the_wait_is_charged_to_what_ended_last() {
        let moments = [12, 20, 23, 27, 28, 40, 90, 70, 95, 110];
        let record = record([10, 11, 120, 125]);
        let disk_last = to_acknowledgement(&FULL, &batch(moments), &record);
        assert_eq!((disk_last.get(Step::Disk), disk_last.get(Step::Replicate)), (50, 0));
        let mut moments = moments;
        moments[6] = 60;
        let followers_last = to_acknowledgement(&FULL, &batch(moments), &record);
        assert_eq!((followers_last.get(Step::Disk), followers_last.get(Step::Replicate)), (0, 30));
    }

    #[test]
    fn every_step_of_both_paths() {
        let batch = batch([12, 20, 23, 27, 28, 40, 90, 70, 95, 110]);
        let record = record([10, 11, 120, 125]);
        assert_eq!(to_acknowledgement(&FULL, &batch, &record).0, [1, 1, 8, 3, 4, 1, 12, 50, 0, 5, 15, 0, 0]);
        assert_eq!(to_delivery(&batch, &record).0, [1, 1, 8, 3, 4, 1, 12, 50, 0, 5, 0, 25, 5]);
    }

    #[test]
    fn what_an_acknowledgement_does_not_wait_for_is_not_on_its_path() {
        let batch = batch([12, 20, 23, 27, 28, 40, 90, 700, 705, 110]);
        let record = record([10, 11, 720, 725]);
        let leader = Path { acknowledged_after: AckPoint::Written, ..FULL };
        assert_eq!(to_acknowledgement(&leader, &batch, &record).0, [1, 1, 8, 3, 4, 1, 12, 50, 0, 0, 20, 0, 0]);
        let nobody = Path { acknowledged_after: AckPoint::Sent, ..FULL };
        assert_eq!(to_acknowledgement(&nobody, &batch, &record).0, [1, 1, 8, 3, 4, 1, 0, 0, 0, 0, 82, 0, 0]);
    }

    proptest! {
        /// Also where stamps of different threads are out of order.
        #[test]
        fn steps_add_up_to_the_path_exactly(moments: [u32; 10], own: [u32; 4], stamped: [bool; 5]) {
            let mut batch = batch(moments.map(u64::from));
            let mut record = record(own.map(u64::from));
            let drop = |moment: &mut Option<Nanos>, keep: bool| *moment = moment.filter(|_| keep);
            drop(&mut batch.appended, stamped[0]);
            drop(&mut batch.written, stamped[1]);
            drop(&mut batch.replicated, stamped[2]);
            drop(&mut batch.high_watermark, stamped[3]);
            drop(&mut record.fetched, stamped[4]);
            let to_ack = to_acknowledgement(&FULL, &batch, &record).total();
            prop_assert_eq!(to_ack, batch.acknowledged.0.saturating_sub(record.intended.0));
            let delivered = to_delivery(&batch, &record).total();
            prop_assert_eq!(delivered, record.delivered.0.saturating_sub(record.intended.0));
        }
    }
}
