//! Replicas on real logs: what is acknowledged when, what consumers see, and how logs come to agree.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use logdyno_record::{BrokerId, LeaderEpoch, Offset, Stage};
use logdyno_replication::{Acks, Asker, EpochEnd, FollowerFetch, Isolation, IsrRefusal, OffsetSpec, ReplicaError};

use crate::brokers::{Brokers, LAG, Outcome, TIMEOUT};

fn code(outcome: &Outcome) -> i16 {
    outcome.try_recv().expect("an answer").expect_err("a refusal").code()
}

fn is_waiting(outcome: &Outcome) -> bool {
    matches!(outcome.try_recv(), Err(TryRecvError::Empty))
}

/// A callback that counts its calls.
fn counting(counter: &Arc<AtomicU32>) -> Box<dyn FnOnce() + Send> {
    let counter = Arc::clone(counter);
    Box::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    })
}

/// Rows 9 and 64, §7 nos. 1 and 3.
#[test]
fn acks_all_waits_for_every_in_sync_replica_and_so_do_consumers() {
    let brokers = Brokers::of(3, 2);
    let outcome = brokers.produce(0, 3, Acks::All);
    brokers.settle(0);
    for _ in 0..2 {
        assert!(brokers.fetch(1));
        brokers.settle(1);
    }
    assert!(is_waiting(&outcome), "two of three have it");
    assert_eq!(brokers.consumed(0), [], "and nobody may read it");
    assert!(brokers.fetch(2));
    assert!(is_waiting(&outcome), "sent to the third is not had by the third");
    brokers.settle(2);
    assert!(brokers.fetch(2));
    let appended = outcome.try_recv().expect("acknowledged").expect("all have it");
    assert_eq!((appended.first, appended.last), (Offset(0), Offset(2)));
    assert_eq!(brokers.high_watermark(0), 3);
    assert_eq!(brokers.consumed(0), brokers.bytes(0));
    brokers.catch_up(&[1, 2]);
    assert_eq!((brokers.high_watermark(1), brokers.high_watermark(2)), (3, 3));
    assert_eq!(brokers.bytes(1), brokers.bytes(0));
    assert_eq!(brokers.bytes(2), brokers.bytes(0));
}

#[test]
fn acks_one_waits_for_the_leader_alone() {
    let brokers = Brokers::of(3, 2);
    let outcome = brokers.produce(0, 1, Acks::Leader);
    assert!(outcome.recv().expect("an answer").is_ok());
    assert_eq!(brokers.high_watermark(0), 0, "which says nothing about the others");
}

#[test]
fn alone_the_leader_commits_what_is_at_its_ack_level() {
    let brokers = Brokers::of(1, 1);
    assert!(brokers.produce(0, 4, Acks::All).recv().expect("an answer").is_ok());
    assert_eq!(brokers.high_watermark(0), 4);
}

/// Row 64: SIGSTOP a follower.
#[test]
fn a_stopped_follower_delays_acks_until_it_has_left_the_isr() {
    let mut brokers = Brokers::of(3, 2);
    brokers.catch_up(&[1, 2]);
    brokers.pass(LAG - Duration::from_secs(5));
    brokers.catch_up(&[1]);
    let outcome = brokers.produce(0, 1, Acks::All);
    brokers.settle(0);
    brokers.catch_up(&[1]);
    brokers.pass(Duration::from_secs(4));
    assert!(is_waiting(&outcome), "broker 2 is in sync still");
    brokers.catch_up(&[1]);
    brokers.pass(Duration::from_secs(2));
    assert!(is_waiting(&outcome), "its leaving is proposed");
    brokers.commit_isr();
    assert!(outcome.try_recv().expect("acknowledged").is_ok());
    assert_eq!(brokers.replicas[&0].isr(), Some(vec![BrokerId(0), BrokerId(1)]));
    brokers.catch_up(&[2]);
    brokers.commit_isr();
    assert_eq!(brokers.replicas[&0].isr().map(|isr| isr.len()), Some(3), "caught up, it is back");
}

/// Row 64: two stopped, and min.insync.replicas is 2.
#[test]
fn too_few_in_sync_and_nothing_is_appended() {
    let mut brokers = Brokers::of(3, 2);
    brokers.catch_up(&[1, 2]);
    let before = brokers.produce(0, 1, Acks::All);
    brokers.settle(0);
    brokers.pass(LAG + Duration::from_secs(1));
    assert_eq!(code(&before), 7, "its time is over; the records stay");
    brokers.commit_isr();
    let end = brokers.end(0);
    let refused = brokers.produce(0, 1, Acks::All);
    let error = refused.try_recv().expect("an answer").expect_err("a refusal");
    assert_eq!(error.code(), 19);
    assert_eq!(
        error.to_string(),
        "t-0 has 1 replicas in sync, acks=all needs min.insync.replicas=2: nothing was appended; see which brokers are down"
    );
    assert_eq!(brokers.end(0), end);
    assert!(brokers.produce(0, 1, Acks::Leader).recv().expect("an answer").is_ok(), "acks=1 asks for less");
    assert_eq!(brokers.high_watermark(0), 0, "but nothing is committed");
}

#[test]
fn acks_time_out_in_the_tick_that_reaches_their_deadline() {
    let brokers = Brokers::of(2, 1);
    let outcome = brokers.produce(0, 1, Acks::All);
    brokers.pass(TIMEOUT - Duration::from_nanos(1));
    assert!(is_waiting(&outcome));
    brokers.pass(Duration::from_nanos(1));
    assert_eq!(code(&outcome), 7);
    assert_eq!(brokers.replicas[&0].waiting(), (0, 0));
}

/// Row 13's groundwork: leadership is an input, and whoever waited is told to look elsewhere.
#[test]
fn losing_leadership_answers_those_who_wait() {
    let mut brokers = Brokers::of(2, 1);
    let outcome = brokers.produce(0, 1, Acks::All);
    let woken = Arc::new(AtomicU32::new(0));
    let waiting = brokers.replicas[&0].when_high_watermark(Offset(9), counting(&woken));
    brokers.elect(1);
    brokers.announce();
    assert_eq!(code(&outcome), 6);
    assert_eq!(woken.load(Ordering::Relaxed), 1);
    drop(waiting);
    assert_eq!(code(&brokers.produce(0, 1, Acks::All)), 6);
    let fetched = brokers.replicas[&0].fetch_as_consumer(Offset(0), 100, true, None, Isolation::ReadUncommitted);
    assert_eq!(fetched.err().map(|error| error.code()), Some(6), "row 8");
}

/// G6.
#[test]
fn requests_for_another_leadership_are_told_apart() {
    let mut brokers = Brokers::of(2, 1);
    brokers.elect(0);
    brokers.announce();
    assert_eq!(code(&brokers.produce_in(0, 1, Acks::Leader, Some(0))), 74);
    assert_eq!(code(&brokers.produce_in(0, 1, Acks::Leader, Some(2))), 75);
    assert!(brokers.produce_in(0, 1, Acks::Leader, Some(1)).recv().expect("an answer").is_ok());
    let replica = &brokers.replicas[&0];
    let consumer = |epoch| {
        replica.fetch_as_consumer(Offset(0), 100, true, Some(LeaderEpoch(epoch)), Isolation::ReadUncommitted).err()
    };
    assert_eq!(consumer(0).map(|error| error.code()), Some(74));
    assert_eq!(consumer(2).map(|error| error.code()), Some(75));
    assert!(consumer(1).is_none());
    let on_follower =
        brokers.replicas[&1].fetch_as_consumer(Offset(0), 100, true, Some(LeaderEpoch(0)), Isolation::ReadUncommitted);
    assert_eq!(on_follower.err().map(|error| error.code()), Some(74), "the epoch is looked at before the role");
}

#[test]
fn fetches_out_of_range_and_of_strangers_are_refused() {
    let brokers = Brokers::of(2, 1);
    brokers.produce(0, 2, Acks::Leader).recv().expect("an answer").expect("appended");
    let replica = &brokers.replicas[&0];
    let consume = |from| {
        replica
            .fetch_as_consumer(Offset(from), 100, true, None, Isolation::ReadUncommitted)
            .map_err(|error| error.code())
            .err()
    };
    assert_eq!(consume(3), Some(1));
    assert_eq!(consume(-1), Some(1));
    assert_eq!(consume(2), None, "the end is in range, and empty; so is what is not committed yet");
    let stranger = FollowerFetch {
        log_start: None,
        follower: BrokerId(9),
        broker_epoch: 1,
        from: Offset(0),
        last_fetched_epoch: LeaderEpoch::NONE,
        current_epoch: Some(LeaderEpoch(0)),
        max_bytes: 100,
        at_least_one: true,
    };
    assert_eq!(replica.fetch_as_follower(stranger).err().map(|error| error.code()), Some(75));
    let nameless = FollowerFetch { current_epoch: None, ..stranger };
    assert_eq!(replica.fetch_as_follower(nameless).err().map(|error| error.code()), Some(6));
    let ahead = FollowerFetch { follower: BrokerId(1), from: Offset(7), ..stranger };
    assert_eq!(replica.fetch_as_follower(ahead).err().map(|error| error.code()), Some(1));
}

/// KIP-101, on real logs: an old leader comes back with a tail that nobody else has. §7 no. 2.
#[test]
fn an_old_leader_cuts_its_tail_and_has_what_the_others_have() {
    let mut brokers = Brokers::of(3, 1);
    let kept = brokers.produce(0, 2, Acks::All);
    brokers.settle(0);
    brokers.catch_up(&[1, 2]);
    assert!(kept.try_recv().expect("acknowledged").is_ok());
    let lost = brokers.produce(0, 3, Acks::All);
    brokers.settle(0);
    brokers.elect(1);
    brokers.tell(1);
    brokers.tell(2);
    let new = brokers.produce(1, 1, Acks::All);
    brokers.settle(1);
    brokers.tell(0);
    assert_eq!(code(&lost), 6);
    brokers.catch_up(&[0, 2]);
    assert!(new.try_recv().expect("acknowledged").is_ok());
    assert_eq!(brokers.end(0), 3);
    assert_eq!(brokers.bytes(0), brokers.bytes(1));
    assert_eq!(brokers.bytes(2), brokers.bytes(1));
}

/// KIP-279, on real logs: each of two leaders has an epoch that the other never saw.
#[test]
fn two_fast_elections_leave_equal_logs() {
    let mut brokers = Brokers::of(2, 1);
    brokers.produce(0, 2, Acks::Leader).recv().expect("an answer").expect("appended");
    brokers.catch_up(&[1]);
    brokers.produce(0, 2, Acks::Leader).recv().expect("an answer").expect("appended");
    brokers.elect(1);
    brokers.tell(1);
    brokers.produce(1, 5, Acks::Leader).recv().expect("an answer").expect("appended");
    brokers.elect(0);
    brokers.tell(0);
    brokers.produce(0, 1, Acks::Leader).recv().expect("an answer").expect("appended");
    brokers.tell(1);
    brokers.catch_up(&[1]);
    assert_eq!(brokers.end(1), 5);
    assert_eq!(brokers.bytes(1), brokers.bytes(0));
    assert_eq!(brokers.high_watermark(1), 5);
}

/// A leader that comes back with less than was committed has lost it: what others have may be the last copies.
#[test]
fn what_was_committed_is_not_cut_for_a_leader_that_has_lost_it() {
    let mut brokers = Brokers::of(2, 1);
    let kept = brokers.produce(0, 3, Acks::All);
    brokers.settle(0);
    brokers.catch_up(&[1]);
    assert!(kept.try_recv().expect("acknowledged").is_ok());
    brokers.elect(0);
    brokers.announce();
    let (follower, epoch) = (&brokers.replicas[&1], brokers.metadata.leader_epoch);
    let parted = follower.on_diverging(epoch, EpochEnd { epoch: LeaderEpoch(0), end: Offset(1) });
    assert!(matches!(parted, Err(ReplicaError::CommittedElsewhere { end: Offset(1), .. })), "{parted:?}");
    let emptied = follower.on_out_of_range(epoch, Offset(0), Offset(0)).expect_err("three records would be gone");
    assert!(emptied.to_string().contains("give the leader its data back"), "{emptied}");
    assert_eq!((brokers.end(1), brokers.high_watermark(1)), (3, 3));
}

#[test]
fn an_answer_from_an_earlier_leadership_is_ignored() {
    let mut brokers = Brokers::of(2, 1);
    brokers.produce(0, 2, Acks::Leader).recv().expect("an answer").expect("appended");
    let bytes = brokers.bytes(0);
    brokers.elect(0);
    brokers.announce();
    let follower = &brokers.replicas[&1];
    let late = follower.apply_fetched(LeaderEpoch(0), Offset(0), bytes.clone().into(), Offset(2), Offset(0));
    assert!(!late.expect("no error"));
    assert_eq!(brokers.end(1), 0);
    let twice = follower.apply_fetched(LeaderEpoch(1), Offset(5), bytes.into(), Offset(2), Offset(0));
    assert!(!twice.expect("no error"), "not the end of this log");
}

/// G7.
#[test]
fn a_new_leader_does_not_name_an_end_before_it_knows_what_is_committed() {
    let mut brokers = Brokers::of(2, 1);
    brokers.produce(0, 2, Acks::Leader).recv().expect("an answer").expect("appended");
    brokers.fetch(1);
    brokers.settle(1);
    brokers.elect(1);
    brokers.announce();
    let latest = |brokers: &Brokers| brokers.replicas[&1].latest_offset(None).map_err(|error| error.code());
    assert_eq!(latest(&brokers), Err(78));
    let end = brokers.replicas[&1].list_offset(OffsetSpec::Latest, Asker::Replica, None).expect("for a replica");
    assert_eq!(end.map(|found| found.offset), Some(Offset(2)));
    brokers.catch_up(&[0]);
    assert_eq!(latest(&brokers), Ok(Offset(2)));
}

#[test]
fn fetches_that_wait_are_woken_once_and_not_after_they_have_gone() {
    let brokers = Brokers::of(1, 1);
    let (at_mark, at_end, gone) =
        (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let replica = &brokers.replicas[&0];
    let first = replica.when_high_watermark(Offset(1), counting(&at_mark));
    let second = replica.when_log_end(Offset(1), counting(&at_end));
    drop(replica.when_high_watermark(Offset(1), counting(&gone)));
    for _ in 0..2 {
        brokers.produce(0, 1, Acks::All).recv().expect("an answer").expect("appended");
    }
    let counts = [&at_mark, &at_end, &gone].map(|counter| counter.load(Ordering::Relaxed));
    assert_eq!(counts, [1, 1, 0]);
    drop((first, second));
    drop(replica.when_log_end(Offset(2), counting(&gone)));
    assert_eq!(gone.load(Ordering::Relaxed), 1, "what is there already wakes at once");
}

#[test]
fn the_leader_stamps_replication_and_the_high_watermark() {
    let brokers = Brokers::of(2, 1);
    let outcome = brokers.produce(0, 3, Acks::All);
    brokers.settle(0);
    brokers.catch_up(&[1]);
    assert!(outcome.try_recv().expect("acknowledged").is_ok());
    let stamps = brokers.stamps.0.lock().expect("no panic");
    let of = |stage| stamps.iter().filter(|stamp| stamp.0 == stage).map(|stamp| stamp.1.clone()).collect::<Vec<_>>();
    assert_eq!(of(Stage::Replicated(BrokerId(1))), [Offset(0)..Offset(3)]);
    assert_eq!(of(Stage::HighWatermark), [Offset(0)..Offset(3)]);
}

#[test]
fn a_restarted_replica_starts_from_its_checkpoint_and_leads_only_in_a_new_epoch() {
    let mut brokers = Brokers::of(1, 1);
    brokers.produce(0, 4, Acks::All).recv().expect("an answer").expect("appended");
    brokers.restart(0, Offset(2));
    assert_eq!(brokers.high_watermark(0), 2);
    assert_eq!(code(&brokers.produce(0, 1, Acks::Leader)), 6, "not before the metadata say so");
    brokers.elect(0);
    brokers.announce();
    assert_eq!(brokers.high_watermark(0), 4);
    let end = brokers.replicas[&0].end_offset_for_epoch(LeaderEpoch(0), None).expect("a leader").expect("known");
    assert_eq!((end.epoch, end.end), (LeaderEpoch(0), Offset(4)), "the new epoch begins where the old log ended");
    brokers.produce(0, 1, Acks::All).recv().expect("an answer").expect("appended");
    let batches: Vec<_> = logdyno_record::batches(brokers.bytes(0).into()).map(|batch| batch.expect("sound")).collect();
    let epochs: Vec<_> = batches.iter().map(|batch| batch.header().leader_epoch.0).collect();
    assert_eq!(epochs, [0, 1]);
}

#[test]
fn a_refused_join_is_proposed_anew_by_the_next_fetch() {
    let mut brokers = Brokers::of(2, 1);
    brokers.metadata.isr = vec![BrokerId(0)];
    brokers.metadata.partition_epoch += 1;
    brokers.announce();
    brokers.fetch(1);
    let first = brokers.desk.0.lock().expect("no panic").remove(0);
    let proposal = first.proposal.clone();
    let replica = &brokers.replicas[&0];
    replica.on_isr_refused(proposal.leader_epoch, proposal.partition_epoch, IsrRefusal::Ineligible);
    brokers.fetch(1);
    assert_eq!(*brokers.desk.0.lock().expect("no panic"), [first]);
}

#[test]
fn offline_nobody_is_served_and_old_news_are_ignored() {
    let mut brokers = Brokers::of(2, 1);
    brokers.elect(0);
    brokers.announce();
    let old = logdyno_replication::LeaderAndIsr {
        leader: BrokerId(1),
        leader_epoch: LeaderEpoch(0),
        ..brokers.metadata.clone()
    };
    brokers.replicas[&0].become_follower(&old);
    assert!(brokers.replicas[&0].is_leader());
    let waiting = brokers.produce(0, 1, Acks::All);
    brokers.replicas[&0].go_offline();
    assert!(matches!(waiting.recv().expect("an answer"), Err(ReplicaError::NotLeader { .. })));
    assert!(brokers.replicas[&0].fetch_as_consumer(Offset(0), 1, true, None, Isolation::ReadUncommitted).is_err());
}

/// Row 15. What the leader deletes, its followers delete once they know it to be committed; nobody deletes more.
#[test]
fn deleted_records_are_gone_on_all_replicas() {
    let brokers = Brokers::of(3, 1);
    for _ in 0..5 {
        brokers.produce(0, 2, Acks::Leader).recv().expect("an answer").expect("appended");
    }
    brokers.catch_up(&[1, 2]);
    let leader = &brokers.replicas[&0];
    let refused = leader.delete_records_before(Some(Offset(11)), None).expect_err("beyond the high watermark");
    assert_eq!(refused.code(), 1, "{refused}");
    assert_eq!(leader.delete_records_before(Some(Offset(3)), None).expect("deleted"), Offset(3));
    let follower = &brokers.replicas[&1];
    assert_eq!(follower.delete_records_before(None, None).expect_err("a follower").code(), 6);
    assert_eq!(follower.log().start_offset(), Offset(0), "not heard of yet");
    brokers.catch_up(&[1, 2]);
    for id in [1, 2] {
        assert_eq!(brokers.replicas[&id].log().start_offset(), Offset(3), "broker {id}");
    }
    let leader = &brokers.replicas[&0];
    assert_eq!(leader.delete_records_before(None, None).expect("all that is committed"), Offset(10));
}
