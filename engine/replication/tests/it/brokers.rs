//! Replicas of one partition, each as on a broker of its own, with the test for a network and a controller.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use logdyno_record::{
    Batch, BatchBuilder, BatchOptions, BrokerId, Clock, Codec, Compression, LeaderEpoch, Nanos, Offset, Probe,
    ProducedBatch, Stage, TopicPartition,
};
use logdyno_replication::leader::ReplicaSettings;
use logdyno_replication::{
    Acks, AlterIsr, FollowerAnswer, FollowerFetch, Isolation, IsrChanges, LeaderAndIsr, Replica, ReplicaError,
};
use logdyno_segment_log::{Appended, LogRead};

use crate::disk::Disk;

pub(crate) const LAG: Duration = Duration::from_secs(30);
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Time that stands still until it is moved.
#[derive(Default)]
pub(crate) struct ManualClock(AtomicU64);

impl Clock for ManualClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.load(Ordering::Relaxed))
    }

    fn wall_ms(&self) -> i64 {
        1_000
    }
}

/// Keeps every stamp.
#[derive(Default)]
pub(crate) struct Stamps(pub(crate) Mutex<Vec<(Stage, Range<Offset>)>>);

impl Probe for Stamps {
    fn produced(&self, _: &ProducedBatch) {}

    fn requested(&self, _: u32, _: u64) {}

    fn passed(&self, stage: Stage, _: &TopicPartition, offsets: Range<Offset>, _: Nanos) {
        self.0.lock().expect("no panic").push((stage, offsets));
    }
}

/// A controller that keeps proposals until the test decides. All brokers are in service in incarnation 1.
#[derive(Default)]
pub(crate) struct Desk(pub(crate) Mutex<Vec<AlterIsr>>);

impl IsrChanges for Desk {
    fn propose(&self, change: AlterIsr) {
        self.0.lock().expect("no panic").push(change);
    }

    fn broker_epoch(&self, _: BrokerId) -> Option<i64> {
        Some(1)
    }
}

pub(crate) struct Brokers {
    pub(crate) replicas: BTreeMap<i32, Arc<Replica>>,
    pub(crate) metadata: LeaderAndIsr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) stamps: Arc<Stamps>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) disk: Disk,
}

/// Receives the outcome of an append.
pub(crate) type Outcome = mpsc::Receiver<Result<Appended, ReplicaError>>;

impl Brokers {
    /// Brokers 0 to `count` - 1, all in sync; 0 leads in epoch 0.
    pub(crate) fn of(count: i32, min_insync_replicas: u32) -> Brokers {
        let ids: Vec<_> = (0..count).map(BrokerId).collect();
        let metadata = LeaderAndIsr {
            leader: BrokerId(0),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
            isr: ids.clone(),
            replicas: ids.clone(),
        };
        let (clock, stamps, desk) = (Arc::<ManualClock>::default(), Arc::<Stamps>::default(), Arc::<Desk>::default());
        clock.0.store(1, Ordering::Relaxed);
        let mut brokers = Brokers { replicas: BTreeMap::new(), metadata, clock, stamps, desk, disk: Disk::new() };
        for id in 0..count {
            brokers.start(id, Offset(0), min_insync_replicas);
        }
        brokers.announce();
        brokers
    }

    /// Starts a broker on the log that it has.
    pub(crate) fn start(&mut self, id: i32, high_watermark: Offset, min_insync_replicas: u32) {
        let settings = ReplicaSettings { lag_time_max: LAG, min_insync_replicas };
        let (clock, stamps, desk) =
            (Arc::clone(&self.clock) as _, Arc::clone(&self.stamps) as _, Arc::clone(&self.desk) as _);
        let log = self.disk.open(id);
        let replica = Replica::new(BrokerId(id), log, high_watermark, settings, clock, stamps, desk);
        self.replicas.insert(id, replica);
    }

    /// Kills a broker and starts it again with the high watermark of its checkpoint.
    pub(crate) fn restart(&mut self, id: i32, high_watermark: Offset) {
        drop(self.replicas.remove(&id));
        self.disk.close(id);
        self.start(id, high_watermark, 1);
    }

    /// Tells every replica the metadata.
    pub(crate) fn announce(&self) {
        for id in self.replicas.keys() {
            self.tell(*id);
        }
    }

    pub(crate) fn tell(&self, id: i32) {
        if self.metadata.leader == BrokerId(id) {
            self.replicas[&id].become_leader(&self.metadata).expect("a sound log");
        } else {
            self.replicas[&id].become_follower(&self.metadata);
        }
    }

    /// Moves leadership, as the metadata would.
    pub(crate) fn elect(&mut self, leader: i32) {
        self.metadata.leader = BrokerId(leader);
        self.metadata.leader_epoch.0 += 1;
        self.metadata.partition_epoch += 1;
    }

    /// The controller commits the oldest proposal.
    pub(crate) fn commit_isr(&mut self) {
        let change = self.desk.0.lock().expect("no panic").remove(0);
        assert_eq!(change.proposal.partition_epoch, self.metadata.partition_epoch, "built on the present state");
        self.metadata.isr = change.proposal.isr.iter().map(|member| member.broker).collect();
        self.metadata.partition_epoch += 1;
        self.announce();
    }

    pub(crate) fn produce(&self, id: i32, records: u32, acks: Acks) -> Outcome {
        self.produce_in(id, records, acks, None)
    }

    pub(crate) fn produce_in(&self, id: i32, records: u32, acks: Acks, epoch: Option<i32>) -> Outcome {
        let (sender, receiver) = mpsc::channel();
        let done = Box::new(move |outcome| drop(sender.send(outcome)));
        let deadline = self.clock.now().after(TIMEOUT);
        let refused = self.replicas[&id].append(&batch(records, id), acks, epoch.map(LeaderEpoch), deadline, done);
        assert!(refused.is_none(), "the disk has room");
        receiver
    }

    /// One fetch of a follower, if it has a position to fetch from; whether it came to anything.
    pub(crate) fn fetch(&self, id: i32) -> bool {
        let follower = &self.replicas[&id];
        let Some(position) = follower.fetch_position() else { return false };
        let fetch = FollowerFetch {
            log_start: None,
            follower: BrokerId(id),
            broker_epoch: 1,
            from: position.offset,
            last_fetched_epoch: position.last_fetched_epoch,
            current_epoch: Some(position.leader_epoch),
            max_bytes: 1 << 20,
            at_least_one: true,
        };
        let leader = &self.replicas[&position.leader.0];
        match leader.fetch_as_follower(fetch) {
            Ok(FollowerAnswer::Data(slice)) => {
                let LogRead::Ready(read) = slice.read else { panic!("what was just written is at hand") };
                let batches = read.batches.concat().into();
                follower
                    .apply_fetched(
                        position.leader_epoch,
                        position.offset,
                        batches,
                        slice.high_watermark,
                        slice.log_start,
                    )
                    .expect("what the leader has fits")
            }
            Ok(FollowerAnswer::Diverging(end)) => {
                follower.on_diverging(position.leader_epoch, end).expect("a sound log").is_some()
            }
            Err(_) => false,
        }
    }

    /// Fetches until both are where the leader is and know its high watermark.
    pub(crate) fn catch_up(&self, ids: &[i32]) {
        for _ in 0..6 {
            for id in ids {
                self.settle(*id);
                assert!(self.fetch(*id), "broker {id} fetches");
            }
        }
    }

    /// Waits until the log of a broker is at its ack level.
    pub(crate) fn settle(&self, id: i32) {
        let (sender, receiver) = mpsc::channel();
        self.replicas[&id].when_settled(Box::new(move |settled| drop(sender.send(settled))));
        receiver.recv().expect("called").expect("a sound log");
    }

    /// Moves time and lets every replica look at it.
    pub(crate) fn pass(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).expect("a short time");
        let now = Nanos(self.clock.0.fetch_add(nanos, Ordering::Relaxed) + nanos);
        for replica in self.replicas.values() {
            replica.tick(now);
        }
    }

    pub(crate) fn high_watermark(&self, id: i32) -> i64 {
        self.replicas[&id].high_watermark().0
    }

    pub(crate) fn end(&self, id: i32) -> i64 {
        self.replicas[&id].log().end_offset().0
    }

    /// All that a consumer gets from a leader.
    pub(crate) fn consumed(&self, id: i32) -> Vec<u8> {
        let slice = self.replicas[&id]
            .fetch_as_consumer(Offset(0), 1 << 20, true, None, Isolation::ReadUncommitted)
            .expect("a leader");
        match slice.read {
            LogRead::Ready(read) => read.batches.concat(),
            LogRead::Wait(_) => panic!("what was just written is at hand"),
        }
    }

    /// The whole log of a broker as bytes.
    pub(crate) fn bytes(&self, id: i32) -> Vec<u8> {
        let log = self.replicas[&id].log();
        let slice = log.read_blocking(Offset(0), log.end_offset(), 1 << 20, true).expect("a sound log");
        slice.batches.concat()
    }
}

/// A batch whose content tells who took it.
pub(crate) fn batch(records: u32, taken_by: i32) -> Batch {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 1024);
    for index in 0..records {
        let value = format!("record {index} at broker {taken_by}");
        builder.append(5, None, Some(value.as_bytes()), &[]);
    }
    builder.build(&BatchOptions::default()).expect("a batch")
}
