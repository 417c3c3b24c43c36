//! How a follower whose log has parted from the leader's finds the place (KIP-101, KIP-279). §7 no. 2.

use logdyno_record::{LeaderEpoch, Offset};
use logdyno_replication::EpochEnd;
use logdyno_replication::follower::{Restart, after_out_of_range, truncation_offset};
use logdyno_replication::leader::{Divergence, divergence};

use crate::model::{Entry, ModelLog};

/// Lets `follower` fetch from `leader` until it has all of it; returns the ends it truncated to.
fn rejoin(follower: &mut ModelLog, leader: &ModelLog) -> Vec<i64> {
    let mut cuts = Vec::new();
    for _ in 0..20 {
        let (from, last) = (follower.end(), follower.latest_epoch());
        match divergence(from, last, leader.epoch_end(last)) {
            Divergence::None => {
                let from = usize::try_from(from.0).expect("an offset");
                follower.extend(&leader.entries[from..]);
                assert_eq!(follower.entries, leader.entries);
                return cuts;
            }
            Divergence::At(end) => {
                let cut = truncation_offset(end, follower.epoch_end(end.epoch), from);
                follower.truncate(cut);
                cuts.push(cut.0);
            }
            Divergence::OutOfRange => panic!("the leader knows an epoch as old as {last}"),
        }
    }
    panic!("no agreement after 20 rounds: {follower:?} {leader:?}")
}

/// `count` records of `epoch`, told apart from those that another leader wrote in their place by `writer`.
fn records(epoch: i32, count: u64, writer: u64) -> Vec<Entry> {
    (0..count).map(|i| (epoch, writer * 100 + i)).collect()
}

/// KIP-101, scenario 1: a follower restarts before it heard the newest high watermark, and then has to lead.
/// Cutting to the high watermark would lose an acknowledged record.
#[test]
fn a_follower_in_agreement_loses_nothing_whatever_its_high_watermark() {
    let leader = ModelLog::of(&records(0, 2, 1));
    let mut follower = leader.clone();
    assert_eq!(rejoin(&mut follower, &leader), [0; 0]);
}

/// KIP-101, scenario 2: after both crashed, both wrote offset 1 in their own leadership.
#[test]
fn an_old_leader_with_an_unreplicated_tail_rejoins() {
    let mut old = ModelLog::of(&[records(0, 3, 1), records(1, 4, 1)].concat());
    let mut new = ModelLog::of(&[records(0, 3, 1), records(1, 1, 1)].concat());
    new.start_epoch(2);
    new.extend(&records(2, 2, 2));
    assert_eq!(rejoin(&mut old, &new), [4], "what was replicated of epoch 1 stays");
}

/// KIP-279: two fast elections leave each log with an epoch that the other has never seen.
#[test]
fn two_fast_elections() {
    let shared = records(1, 5, 0);
    let mut a = ModelLog::of(&[shared.clone(), records(2, 3, 1)].concat());
    let mut b = ModelLog::of(&shared);
    b.start_epoch(3);
    b.extend(&records(3, 6, 2));
    assert_eq!(rejoin(&mut a.clone(), &b), [5]);
    a.start_epoch(4);
    assert_eq!(rejoin(&mut b, &a), [5], "the leader answers with its epoch 2, which b does not know");
}

/// KIP-279's chain: several rounds, an epoch back in each.
#[test]
fn logs_that_alternate_in_epochs_meet_at_the_last_common_one() {
    let shared = records(0, 4, 0);
    let mut follower = ModelLog::of(&[shared.clone(), records(2, 2, 1), records(4, 2, 1), records(6, 2, 1)].concat());
    let mut leader = ModelLog::of(&[shared, records(1, 1, 2), records(3, 2, 2), records(5, 3, 2)].concat());
    leader.start_epoch(7);
    let cuts = rejoin(&mut follower, &leader);
    assert_eq!(cuts.last(), Some(&4));
    assert!(cuts.windows(2).all(|pair| pair[1] < pair[0]), "each round goes back: {cuts:?}");
}

/// A leader that took office and wrote nothing has an epoch without records: the next one does not know it.
#[test]
fn an_epoch_without_records_is_forgotten_by_a_cut_at_the_logs_end() {
    let shared = records(0, 3, 0);
    let mut idle = ModelLog::of(&shared);
    idle.start_epoch(1);
    let mut leader = ModelLog::of(&shared);
    leader.start_epoch(2);
    assert_eq!(rejoin(&mut idle, &leader), [3]);
    assert_eq!(idle.latest_epoch(), LeaderEpoch(0));
}

#[test]
fn a_follower_with_an_empty_log_has_nothing_to_compare() {
    assert_eq!(divergence(Offset(0), LeaderEpoch::NONE, None), Divergence::None);
    assert_eq!(divergence(Offset(5), LeaderEpoch(3), None), Divergence::OutOfRange);
}

#[test]
fn a_cut_never_lengthens_the_log() {
    let end = |epoch, end| EpochEnd { epoch: LeaderEpoch(epoch), end: Offset(end) };
    for (leaders, own, log_end, cut) in [
        (end(2, 50), Some(end(2, 20)), 20, 20),
        (end(2, 15), Some(end(2, 20)), 30, 15),
        (end(2, 15), Some(end(1, 20)), 30, 20),
        (end(2, 15), Some(end(1, 20)), 18, 18),
        (end(2, 15), None, 10, 10),
        (end(2, 15), None, 30, 15),
    ] {
        assert_eq!(truncation_offset(leaders, own, Offset(log_end)), Offset(cut), "{leaders:?} {own:?} {log_end}");
    }
}

#[test]
fn out_of_range_starts_over_only_where_the_leader_has_nothing_older() {
    let after = |start, end, own| after_out_of_range(Offset(start), Offset(end), Offset(own));
    assert_eq!(after(10, 30, 5), Restart::StartAt(Offset(10)), "the leader's retention was faster");
    assert_eq!(after(10, 30, 40), Restart::TruncateTo(Offset(30)), "an unclean leader is shorter");
    assert_eq!(after(10, 30, 20), Restart::GoOn);
}
