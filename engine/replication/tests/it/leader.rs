//! The leader's high watermark and the acks that hang on it.

use std::time::Duration;

use logdyno_record::{BrokerId, LeaderEpoch, Nanos, Offset};
use logdyno_replication::LeaderAndIsr;
use logdyno_replication::leader::{Effects, FollowerFetched, LeaderState, OwnLog, ReplicaSettings};

pub(crate) const LAG: Duration = Duration::from_secs(30);

/// A leader on broker 0 of replicas 0, 1, 2 and the time it is told.
pub(crate) struct Scene {
    pub(crate) leader: LeaderState,
    pub(crate) now: Nanos,
}

impl Scene {
    /// Broker 0 becomes leader in epoch 5 of a log of 10 records, of which it knew 7 committed.
    pub(crate) fn with(isr: &[i32], min_insync_replicas: u32) -> Scene {
        let state = LeaderAndIsr {
            leader: BrokerId(0),
            leader_epoch: LeaderEpoch(5),
            partition_epoch: 9,
            isr: ids(isr),
            replicas: ids(&[0, 1, 2]),
        };
        let settings = ReplicaSettings { lag_time_max: LAG, min_insync_replicas };
        let own = OwnLog { end: Offset(10), ack_end: Offset(10) };
        let now = Nanos(1);
        let (leader, _) = LeaderState::new(BrokerId(0), &state, own, Offset(7), settings, now);
        Scene { leader, now }
    }

    pub(crate) fn grow(&mut self, end: i64) -> Effects {
        self.leader.on_own_log(OwnLog { end: Offset(end), ack_end: Offset(end) }, self.now)
    }

    pub(crate) fn fetch(&mut self, follower: i32, offset: i64) -> Effects {
        self.fetch_as(follower, offset, true)
    }

    pub(crate) fn fetch_as(&mut self, follower: i32, offset: i64, eligible: bool) -> Effects {
        let fetched = FollowerFetched {
            follower: BrokerId(follower),
            broker_epoch: 100 + i64::from(follower),
            eligible,
            offset: Offset(offset),
            log_start: None,
        };
        self.leader.on_fetched(fetched, self.now).expect("an assigned replica")
    }

    pub(crate) fn pass(&mut self, time: Duration) -> Effects {
        self.pass_without(-1, time)
    }

    /// With one broker out of service.
    pub(crate) fn pass_without(&mut self, gone: i32, time: Duration) -> Effects {
        self.now = self.now.after(time);
        self.leader.tick(|id| (id.0 != gone).then_some(100 + i64::from(id.0)), self.now)
    }

    pub(crate) fn commit(&mut self, isr: &[i32]) -> Effects {
        let epoch = self.leader.partition_epoch() + 1;
        self.leader.on_isr_committed(&ids(isr), epoch, self.now)
    }

    pub(crate) fn high_watermark(&self) -> i64 {
        self.leader.high_watermark().0
    }
}

pub(crate) fn ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().map(|id| BrokerId(*id)).collect()
}

/// KIP-107: what every live replica has given up is gone, a dead one's is not waited for.
#[test]
fn the_low_watermark_is_the_lowest_start_of_the_living() {
    let mut scene = Scene::with(&[0, 1, 2], 1);
    let low =
        |scene: &Scene, dead: i32| scene.leader.low_watermark(Offset(5), |id| id != BrokerId(dead)).map(|low| low.0);
    let starts = |scene: &mut Scene, follower: i32, log_start: i64| {
        let (offset, log_start) = (Offset(10), Some(Offset(log_start)));
        let follower = BrokerId(follower);
        let fetched = FollowerFetched { follower, broker_epoch: 100, eligible: true, offset, log_start };
        scene.leader.on_fetched(fetched, scene.now).expect("an assigned replica");
    };
    assert_eq!(low(&scene, -1), None, "nobody has said where it starts");
    starts(&mut scene, 1, 5);
    assert_eq!(low(&scene, -1), None, "one has not");
    assert_eq!(low(&scene, 2), Some(5), "but it is dead");
    starts(&mut scene, 2, 3);
    assert_eq!((low(&scene, -1), low(&scene, 2)), (Some(3), Some(5)));
    starts(&mut scene, 2, 8);
    assert_eq!(low(&scene, -1), Some(5), "the leader's own");
}

/// Another `min.insync.replicas` decides about appends from then on, and lets the high watermark go where it rested.
#[test]
fn a_smaller_min_isr_serves_at_once_who_waited() {
    let mut scene = Scene::with(&[0], 2);
    assert!(scene.leader.check_before_append().is_err());
    assert_eq!((scene.grow(20).high_watermark, scene.high_watermark()), (None, 7));
    let settings = ReplicaSettings { lag_time_max: LAG, min_insync_replicas: 1 };
    assert_eq!(scene.leader.reconfigure(settings, scene.now).high_watermark, Some(Offset(7)..Offset(20)));
    assert!(scene.leader.check_before_append().is_ok());
    let stricter = ReplicaSettings { min_insync_replicas: 3, ..settings };
    assert_eq!(scene.leader.reconfigure(stricter, scene.now).high_watermark, None);
    assert!(scene.leader.check_before_append().is_err());
    assert_eq!(scene.high_watermark(), 20, "what was committed stays so");
}

/// Row 64.
#[test]
fn the_high_watermark_waits_for_the_slowest_of_the_isr() {
    let mut scene = Scene::with(&[0, 1, 2], 1);
    assert_eq!(scene.high_watermark(), 7, "followers are unknown until they fetch");
    assert_eq!(scene.fetch(1, 10).high_watermark, None);
    assert_eq!(scene.fetch(2, 10).high_watermark, Some(Offset(7)..Offset(10)));
    assert_eq!(scene.grow(14).high_watermark, None);
    assert_eq!(scene.fetch(1, 14).high_watermark, None, "two of three are not all");
    assert_eq!(scene.fetch(2, 12).high_watermark, Some(Offset(10)..Offset(12)));
    assert_eq!(scene.fetch(2, 14).high_watermark, Some(Offset(12)..Offset(14)));
}

/// What the leader itself could lose to kill -9 is not committed, however many followers have it.
#[test]
fn the_leaders_own_end_counts_only_at_the_ack_level() {
    let mut scene = Scene::with(&[0, 1, 2], 1);
    let visible = OwnLog { end: Offset(20), ack_end: Offset(10) };
    let written = OwnLog { end: Offset(20), ack_end: Offset(20) };
    let now = scene.now;
    assert_eq!(scene.leader.on_own_log(visible, now), Effects::default());
    scene.fetch(1, 20);
    scene.fetch(2, 20);
    assert_eq!(scene.high_watermark(), 10);
    assert_eq!(scene.leader.on_own_log(written, now).high_watermark, Some(Offset(10)..Offset(20)));
    assert_eq!(scene.leader.on_own_log(visible, now), Effects::default(), "a late report changes nothing");
}

#[test]
fn the_high_watermark_never_goes_back() {
    let mut scene = Scene::with(&[0, 1, 2], 1);
    scene.fetch(1, 10);
    scene.fetch(2, 10);
    assert_eq!(scene.fetch(2, 3), Effects::default(), "a follower that lost its disk asks from further back");
    assert_eq!(scene.high_watermark(), 10);
    scene.grow(11);
    scene.fetch(1, 11);
    assert_eq!(scene.high_watermark(), 10);
}

/// Row 64, §7 no. 1: SIGSTOP one of three. Nothing is acknowledged until it has left the ISR.
#[test]
fn a_stopped_follower_holds_acks_back_until_the_isr_shrinks() {
    let mut scene = Scene::with(&[0, 1, 2], 2);
    scene.fetch(1, 10);
    scene.fetch(2, 10);
    scene.grow(11);
    scene.fetch(1, 11);
    assert_eq!(scene.pass(LAG), Effects::default(), "within the lag time it still counts");
    scene.fetch(1, 11);
    let shrink = scene.pass(Duration::from_nanos(1));
    assert_eq!(shrink.high_watermark, None, "a shrink that is only proposed does not count");
    let proposed: Vec<_> = shrink.propose.expect("a proposal").isr.iter().map(|member| member.broker).collect();
    assert_eq!(proposed, ids(&[0, 1]));
    assert_eq!(scene.high_watermark(), 10);
    assert_eq!(scene.commit(&[0, 1]).high_watermark, Some(Offset(10)..Offset(11)));
    assert_eq!(scene.leader.check_after_append(), Ok(()));
}

/// Row 64: the floor under acks=all, before and after the append.
#[test]
fn min_insync_replicas_is_a_floor() {
    let mut scene = Scene::with(&[0, 1], 2);
    assert!(scene.leader.check_before_append().is_ok());
    scene.fetch(1, 10);
    scene.grow(12);
    scene.pass(LAG + LAG);
    assert_eq!(scene.commit(&[0]).high_watermark, None, "the high watermark rests while the ISR is too small");
    let too_few = scene.leader.check_before_append().expect_err("one of two");
    assert_eq!((too_few.in_sync, too_few.needed), (1, 2));
    assert!(scene.leader.check_after_append().is_err());
    scene.fetch(1, 12);
    assert!(scene.leader.check_after_append().is_ok(), "a pending expand counts for what is already appended");
    assert!(scene.leader.check_before_append().is_err(), "but not for what is new");
    assert_eq!(scene.commit(&[0, 1]).high_watermark, Some(Offset(10)..Offset(12)));
}

#[test]
fn a_partition_with_fewer_replicas_than_the_floor_needs_all_of_them() {
    let state = LeaderAndIsr {
        leader: BrokerId(0),
        leader_epoch: LeaderEpoch(0),
        partition_epoch: 0,
        isr: ids(&[0]),
        replicas: ids(&[0]),
    };
    let settings = ReplicaSettings { lag_time_max: LAG, min_insync_replicas: 2 };
    let own = OwnLog { end: Offset(4), ack_end: Offset(3) };
    let (leader, effects) = LeaderState::new(BrokerId(0), &state, own, Offset(0), settings, Nanos(0));
    assert_eq!(leader.check_before_append(), Ok(()));
    assert_eq!(effects.high_watermark, Some(Offset(0)..Offset(3)), "alone, the ack level is all it takes");
}

#[test]
fn a_follower_is_stamped_for_what_it_gained() {
    let mut scene = Scene::with(&[0, 1, 2], 1);
    assert_eq!(scene.fetch(1, 8).replicated, None, "what is older than this leadership was stamped by the last leader");
    scene.grow(15);
    assert_eq!(scene.fetch(1, 12).replicated, Some((BrokerId(1), Offset(8)..Offset(12))));
    assert_eq!(scene.fetch(1, 12).replicated, None);
}

#[test]
fn a_broker_without_a_replica_here_changes_nothing() {
    let mut scene = Scene::with(&[0, 1, 2], 1);
    let stranger =
        FollowerFetched { follower: BrokerId(9), broker_epoch: 1, eligible: true, offset: Offset(10), log_start: None };
    assert_eq!(scene.leader.on_fetched(stranger, scene.now), None);
}
