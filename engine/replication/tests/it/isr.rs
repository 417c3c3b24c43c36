//! Who may join the ISR, who has to leave it, and how the one change in flight ends.

use std::time::Duration;

use logdyno_record::Offset;
use logdyno_replication::IsrRefusal;
use logdyno_replication::leader::Effects;

use crate::leader::{LAG, Scene, ids};

fn proposed(effects: &Effects) -> Option<Vec<(i32, i64)>> {
    let proposal = effects.propose.as_ref()?;
    Some(proposal.isr.iter().map(|member| (member.broker.0, member.broker_epoch)).collect())
}

#[test]
fn a_follower_joins_when_it_has_all_that_is_committed_and_all_before_this_leadership() {
    let mut scene = Scene::with(&[0, 1], 1);
    assert_eq!(proposed(&scene.fetch(2, 7)), None, "at the high watermark, but before the epoch's start at 10");
    let join = scene.fetch(2, 10);
    assert_eq!(proposed(&join), Some(vec![(0, -1), (1, -1), (2, 102)]), "with the incarnations that fetched");
    let proposal = join.propose.expect("a proposal");
    assert_eq!((proposal.leader_epoch.0, proposal.partition_epoch), (5, 9), "a compare-and-set on both epochs");
}

#[test]
fn a_follower_behind_the_high_watermark_does_not_join() {
    let mut scene = Scene::with(&[0], 1);
    scene.grow(20);
    assert_eq!(scene.high_watermark(), 20);
    assert_eq!(proposed(&scene.fetch(1, 19)), None);
    assert!(proposed(&scene.fetch(1, 20)).is_some());
}

/// KIP-903: a fenced broker, or another incarnation than the registered one, must not be counted.
#[test]
fn an_ineligible_follower_does_not_join() {
    let mut scene = Scene::with(&[0, 1], 1);
    assert_eq!(proposed(&scene.fetch_as(2, 10, false)), None);
    assert!(proposed(&scene.fetch_as(2, 10, true)).is_some());
}

#[test]
fn a_pending_expand_counts_for_the_high_watermark() {
    let mut scene = Scene::with(&[0], 1);
    assert!(scene.fetch(1, 10).propose.is_some());
    assert_eq!(scene.grow(12).high_watermark, None, "the controller may have committed the join already");
    assert_eq!(scene.fetch(1, 12).high_watermark, Some(Offset(10)..Offset(12)));
}

/// The controller takes a broker that stops, or is silent, out of the ISR: who waits for acks=all need not wait for its lag time as well.
#[test]
fn who_was_taken_out_of_the_isr_is_not_waited_for() {
    let mut scene = Scene::with(&[0, 1, 2], 1);
    scene.fetch(1, 10);
    scene.fetch(2, 10);
    scene.grow(20);
    assert_eq!(scene.fetch(1, 20).high_watermark, None, "2 is in sync");
    assert_eq!(scene.commit(&[0, 1]).high_watermark, Some(Offset(10)..Offset(20)));
    scene.fetch(2, 20);
    assert_eq!(scene.grow(21).high_watermark, None, "it has come back");
}

#[test]
fn a_replica_about_to_join_is_not_waited_for_once_it_is_out_of_service() {
    let mut scene = Scene::with(&[0], 1);
    let proposed = scene.fetch(1, 10).propose.expect("a proposal");
    scene.leader.on_isr_refused(proposed.partition_epoch, IsrRefusal::Ineligible);
    scene.grow(11);
    assert_eq!(scene.pass_without(2, Duration::from_millis(100)).high_watermark, None);
    let gone = scene.pass_without(1, Duration::from_millis(100));
    assert_eq!(gone.high_watermark, Some(Offset(10)..Offset(11)));
}

/// Before it is proposed, a caught-up replica is waited for too: it could never join a high watermark that runs ahead.
#[test]
fn a_replica_about_to_join_is_waited_for() {
    let mut scene = Scene::with(&[0], 1);
    let proposed = scene.fetch(1, 10).propose.expect("a proposal");
    scene.leader.on_isr_refused(proposed.partition_epoch, IsrRefusal::Ineligible);
    assert_eq!(scene.grow(11).high_watermark, None, "caught up a moment ago");
    let later = scene.pass(LAG + Duration::from_nanos(1));
    assert_eq!(later.high_watermark, Some(Offset(10)..Offset(11)), "but not for longer than the lag time");
}

#[test]
fn one_change_is_in_flight_at_a_time() {
    let mut scene = Scene::with(&[0], 1);
    assert!(scene.fetch(1, 10).propose.is_some());
    assert_eq!(proposed(&scene.fetch(2, 10)), None);
    assert_eq!(proposed(&scene.pass(LAG + LAG)), None);
    scene.commit(&[0, 1]);
    assert!(scene.fetch(2, 10).propose.is_some());
}

#[test]
fn the_last_member_is_never_removed() {
    let mut scene = Scene::with(&[0, 1, 2], 1);
    scene.fetch(1, 9);
    scene.fetch(2, 9);
    scene.grow(11);
    let lonely = scene.pass(LAG + LAG);
    assert_eq!(proposed(&lonely), Some(vec![(0, -1)]));
    scene.commit(&[0]);
    assert_eq!(scene.pass(LAG + LAG), Effects::default());
    assert_eq!(scene.leader.isr(), ids(&[0]));
}

/// A follower that is always one fetch behind a busy leader is in sync: it has what was the end a fetch ago.
#[test]
fn a_steady_reader_behind_a_busy_leader_stays() {
    let mut scene = Scene::with(&[0, 1], 1);
    scene.fetch(1, 10);
    for end in 11..40 {
        scene.grow(end);
        let effects = scene.pass(Duration::from_secs(14));
        assert_eq!(proposed(&effects), None, "at end {end}");
        scene.fetch(1, end - 1);
    }
}

/// The opposite: it fetches often, yet each time short of where the leader was at the fetch before.
#[test]
fn a_reader_that_falls_behind_leaves_although_it_fetches() {
    let mut scene = Scene::with(&[0, 1], 1);
    scene.fetch(1, 10);
    let mut left = None;
    for round in 1..=20 {
        scene.grow(10 + 10 * round);
        scene.fetch(1, 10 + round);
        left = left.or(proposed(&scene.pass(Duration::from_secs(5))));
    }
    assert_eq!(left, Some(vec![(0, -1)]));
}

#[test]
fn an_idle_follower_with_everything_stays_however_long_it_is_silent() {
    let mut scene = Scene::with(&[0, 1, 2], 1);
    scene.fetch(1, 10);
    scene.fetch(2, 10);
    assert_eq!(scene.pass(LAG * 100), Effects::default());
}

#[test]
fn an_unanswered_proposal_is_repeated_and_a_stale_one_waits_for_the_metadata() {
    let mut scene = Scene::with(&[0], 1);
    let first = scene.fetch(1, 10).propose.expect("a proposal");
    assert_eq!(scene.pass(Duration::ZERO).propose, None, "still in flight");
    scene.leader.on_isr_refused(9, IsrRefusal::Unanswered);
    assert_eq!(scene.pass(Duration::ZERO).propose, Some(first));
    scene.leader.on_isr_refused(9, IsrRefusal::Stale);
    assert_eq!(scene.pass(Duration::ZERO).propose, None);
    scene.grow(12);
    assert_eq!(scene.high_watermark(), 10, "the join may have been committed: it is waited for");
    let committed = scene.commit(&[0]);
    assert_eq!(committed.high_watermark, None, "the caught-up replica may still join");
    assert!(!scene.leader.is_isr_change_pending());
}

#[test]
fn old_news_of_the_isr_change_nothing() {
    let mut scene = Scene::with(&[0, 1], 1);
    let now = scene.now;
    assert_eq!(scene.leader.on_isr_committed(&ids(&[0, 1, 2]), 9, now), Effects::default());
    assert_eq!(scene.leader.isr(), ids(&[0, 1]));
    let proposal = scene.fetch(2, 10).propose.expect("a proposal");
    scene.leader.on_isr_refused(proposal.partition_epoch - 1, IsrRefusal::Ineligible);
    assert!(scene.leader.is_isr_change_pending(), "the refusal of an older proposal");
}
