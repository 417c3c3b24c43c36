//! Joins, syncs, heartbeats, departures: generation by generation.

use logdyno_coordinator::{Group, GroupError, GroupLimits, Leaving, State};

use crate::world::{LIMITS, World, joining};

/// Row 20: the first members wait for more; the first leads and hears of all; each gets its part.
#[test]
fn a_group_starts_after_the_initial_delay_with_all_who_came() {
    let mut world = World::new();
    let ((a, joining_a), (b, joining_b)) = (world.enter("a"), world.enter("b"));
    world.pass(3_000);
    assert_eq!(world.joined(joining_a), None, "the second one has made it longer");
    world.pass(3_000);
    let (to_a, to_b) = (world.joined(joining_a).expect("an answer"), world.joined(joining_b).expect("an answer"));
    let (leader, follower) = if to_a.leader == a { (&to_a, &to_b) } else { (&to_b, &to_a) };
    assert_eq!((leader.generation, leader.members.len(), follower.members.len()), (1, 2, 0));
    assert_eq!(leader.protocol.as_deref(), Some("range"));
    let waiting = world.sync(&follower.member, 1, &[]);
    assert_eq!(world.synced(waiting), None, "the leader has not assigned");
    let leading = world.sync(&leader.member, 1, &[(&a, "0"), (&b, "1")]);
    let mine = world.synced(leading).expect("at once");
    let theirs = world.synced(waiting).expect("now");
    let expected = if leader.member == a { ("0", "1") } else { ("1", "0") };
    assert_eq!((&mine.assignment[..], &theirs.assignment[..]), (expected.0.as_bytes(), expected.1.as_bytes()));
    assert_eq!((world.group.state(), world.stores), (State::Stable, 1));
}

/// Rows 22, 89: a newcomer makes everybody join again; who does not in time is out.
#[test]
fn a_newcomer_makes_the_others_join_again() {
    let mut world = World::new();
    let ids = world.stable(2);
    let (_, newcomer) = world.enter("c");
    assert_eq!(world.heartbeat(&ids[0], 1), Err(GroupError::RebalanceInProgress));
    let again = world.join(joining(&ids[0], None, "0"));
    // The other one goes on living, but does not join.
    for _ in 0..6 {
        world.pass(8_000);
        assert_eq!(world.heartbeat(&ids[1], 1), Err(GroupError::RebalanceInProgress));
    }
    world.pass(12_000);
    let answer = world.joined(again).expect("the rebalance timeout is over");
    assert_eq!((answer.error, answer.generation), (None, 2));
    assert!(world.joined(newcomer).is_some());
    assert_eq!(world.heartbeat(&ids[1], 1), Err(GroupError::UnknownMember));
}

/// Rows 87, 89, 107, 131: silence for a session. Until it is over, nobody else is told to join, and so nobody has what the silent one owned.
#[test]
fn a_silent_member_is_out_and_its_work_goes_to_the_others() {
    let mut world = World::new();
    let ids = world.stable(2);
    world.pass(6_000);
    assert_eq!(world.heartbeat(&ids[0], 1), Ok(()));
    world.pass(3_999);
    assert_eq!(world.heartbeat(&ids[0], 1), Ok(()), "a millisecond is left");
    world.pass(1);
    assert_eq!(world.heartbeat(&ids[0], 1), Err(GroupError::RebalanceInProgress));
    let again = world.join(joining(&ids[0], None, "0"));
    let answer = world.joined(again).expect("nobody else is left");
    assert_eq!((answer.generation, answer.members.len(), answer.leader), (2, 1, ids[0].clone()));
}

/// Rows 21, 89.
#[test]
fn a_member_that_leaves_need_not_be_waited_for() {
    let mut world = World::new();
    let ids = world.stable(2);
    let leaving = |id: &str| Leaving { member: id.to_owned(), instance: None };
    let (now, wall) = (world.now(), world.wall_ms());
    let (left, effects) = world.group.leave(&leaving(&ids[1]), now, wall);
    assert_eq!(left, Ok(()));
    world.take(effects);
    assert_eq!(world.heartbeat(&ids[0], 1), Err(GroupError::RebalanceInProgress));
    let (again, _) = world.group.leave(&leaving(&ids[1]), now, wall);
    assert_eq!(again, Err(GroupError::UnknownMember));
    let (_, effects) = world.group.leave(&leaving(&ids[0]), now, wall);
    world.take(effects);
    assert_eq!((world.group.state(), world.group.empty_since_ms()), (State::Empty, Some(wall)));
}

/// Rows 22, 129: what a member of an old generation says does not count.
#[test]
fn an_old_generation_is_fenced() {
    let mut world = World::new();
    let ids = world.stable(1);
    let now = world.now();
    assert_eq!(world.heartbeat(&ids[0], 0), Err(GroupError::IllegalGeneration));
    assert_eq!(world.heartbeat("nobody", 1), Err(GroupError::UnknownMember));
    let late = world.sync(&ids[0], 0, &[]);
    assert_eq!(world.synced(late).and_then(|answer| answer.error), Some(GroupError::IllegalGeneration));
    for (id, generation, expected) in [
        (ids[0].as_str(), 1, Ok(())),
        (ids[0].as_str(), 0, Err(GroupError::IllegalGeneration)),
        ("nobody", 1, Err(GroupError::UnknownMember)),
        ("", -1, Err(GroupError::UnknownMember)),
    ] {
        assert_eq!(world.group.may_commit(id, None, generation, now), expected, "{id}, {generation}");
    }
    let mut empty = Group::new(LIMITS, 0);
    assert_eq!(empty.may_commit("", None, -1, now), Ok(()), "a consumer that manages itself");
    assert_eq!(empty.may_commit("a", None, 3, now), Err(GroupError::UnknownMember));
}

/// Row 130.
/// KIP-345: a restarted static member takes its own place, without a rebalance.
#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let mut world = World::new();
    let first = world.join(joining("", Some("one"), "x"));
    world.pass(3_000);
    let before = world.joined(first).expect("an answer");
    let parts = [(before.member.as_str(), "all")];
    let synced = world.sync(&before.member, 1, &parts);
    assert_eq!(&world.synced(synced).expect("at once").assignment[..], b"all");

    let second = world.join(joining("", Some("one"), "x"));
    let after = world.joined(second).expect("at once");
    assert_eq!((after.error, after.generation, after.skip_assignment), (None, 1, true));
    assert_ne!(after.member, before.member);
    assert_eq!(world.heartbeat(&after.member, 1), Ok(()));
    let now = world.now();
    let old = world.group.heartbeat(&before.member, Some("one"), 1, now);
    assert_eq!(old, Err(GroupError::FencedInstance));
    let synced = world.sync(&after.member, 1, &[]);
    assert_eq!(&world.synced(synced).expect("at once").assignment[..], b"all");
}

/// Row 107: the session's bounds; and who else cannot be taken in.
#[test]
fn who_does_not_fit_is_refused() {
    let mut world = World::with(GroupLimits { members_max: 2, ..LIMITS });
    world.stable(1);
    let mut other_kind = joining("", None, "x");
    other_kind.protocol_type = "connect".to_owned();
    let mut other_protocol = joining("", None, "x");
    other_protocol.protocols = vec![("sticky".to_owned(), bytes::Bytes::new())];
    let mut hasty = joining("", None, "x");
    hasty.session_timeout = std::time::Duration::from_secs(1);
    for (joining, expected) in [
        (other_kind, GroupError::InconsistentProtocol),
        (other_protocol, GroupError::InconsistentProtocol),
        (hasty, GroupError::InvalidSessionTimeout),
    ] {
        let refused = world.join(joining);
        assert_eq!(world.joined(refused).and_then(|answer| answer.error), Some(expected));
    }
    world.enter("second");
    let third = world.join(joining("", None, "x"));
    assert_eq!(world.joined(third).and_then(|answer| answer.error), Some(GroupError::GroupMaxSizeReached));
}

/// The assignment counts only once it is written down: else another coordinator would know of another one.
#[test]
fn an_assignment_that_could_not_be_written_down_is_taken_back() {
    let mut world = World::new();
    let (id, joining_first) = world.enter("a");
    world.pass(3_000);
    let generation = world.joined(joining_first).expect("an answer").generation;
    let syncing = logdyno_coordinator::Syncing {
        member: id.clone(),
        instance: None,
        generation,
        protocol_type: None,
        protocol: None,
        assignments: [(id.clone(), bytes::Bytes::from_static(b"all"))].into(),
    };
    let (now, wall) = (world.now(), world.wall_ms());
    let effects = world.group.sync(syncing, 99, now);
    assert_eq!(effects, [logdyno_coordinator::Effect::Store(generation)]);
    let effects = world.group.stored(generation, false, now, wall);
    world.take(effects);
    assert_eq!(world.synced(99).and_then(|answer| answer.error), Some(GroupError::NotStored));
    assert_eq!(world.group.state(), State::PreparingRebalance);
}

/// Row 18: after a restart of the coordinator, members go on where they were.
#[test]
fn a_stored_group_is_restored_with_its_members() {
    let mut world = World::new();
    let ids = world.stable(2);
    let stored = world.group.to_store();
    let mut restored = Group::restore(&stored, LIMITS, world.now());
    assert_eq!(restored.to_store(), stored);
    assert_eq!(restored.heartbeat(&ids[1], None, 1, world.now()), Ok(()));
    world.group = restored;
    world.pass(10_000);
    assert_eq!(world.group.state(), State::Empty, "sessions run from the restart on");
}

/// Who waits for its assignment does not send heartbeats. When the leader dies meanwhile and all are to join again, it has a whole session
/// to hear of that, as Kafka's `propagateAssignment` gives it.
#[test]
fn who_waited_for_an_assignment_was_not_silent() {
    let mut world = World::new();
    let ids = world.stable(2);
    let again: Vec<_> = ids.iter().map(|id| world.join(joining(id, None, "1"))).collect();
    let leader = world.joined(again[0]).expect("both are here").leader;
    let other = ids.iter().find(|id| **id != leader).expect("two members");
    let waits = world.sync(other, 2, &[]);
    world.pass(10_100);
    assert_eq!(world.synced(waits).and_then(|answer| answer.error), Some(GroupError::RebalanceInProgress));
    world.pass(9_000);
    assert_eq!(world.heartbeat(&leader, 2), Err(GroupError::UnknownMember));
    assert_eq!(world.heartbeat(other, 2), Err(GroupError::RebalanceInProgress));
}

/// KAFKA-10847: members that have their parts do not shield one that never asks for its own.
#[test]
fn who_does_not_sync_is_removed_though_the_group_is_stable() {
    let mut world = World::new();
    let ids = world.stable(2);
    let again: Vec<_> = ids.iter().map(|id| world.join(joining(id, None, "1"))).collect();
    let leader = world.joined(again[0]).expect("both are here").leader;
    let synced = world.sync(&leader, 2, &[]);
    assert_eq!(world.synced(synced).and_then(|answer| answer.error), None);
    assert_eq!(world.group.state(), State::Stable);
    // Both are alive; the rebalance timeout is 60 s.
    for _ in 0..6 {
        world.pass(9_900);
        ids.iter().for_each(|id| assert_eq!(world.heartbeat(id, 2), Ok(())));
    }
    world.pass(1_000);
    let owes = ids.iter().find(|id| **id != leader).expect("two members");
    assert_eq!(world.heartbeat(&leader, 2), Err(GroupError::RebalanceInProgress));
    assert_eq!(world.heartbeat(owes, 2), Err(GroupError::UnknownMember));
}

/// Rows 78, 93: what a group subscribes to is kept; of what cannot be read, everything may be.
#[test]
fn topics_that_are_subscribed_to_are_told_from_others() {
    let subscribed = "\0\u{1}\0\0\0\u{1}\0\u{5}alpha\0\0\0\0";
    for (says, alpha, beta) in [(subscribed, true, false), ("cut", true, true)] {
        let mut world = World::new();
        let (id, ticket) = world.enter(says);
        world.pass(3_000);
        assert_eq!(world.joined(ticket).expect("alone").generation, 1);
        assert_eq!((world.group.subscribes_to("alpha"), world.group.subscribes_to("beta")), (alpha, beta), "{says:?}");
        assert!(!world.group.has_left("beta"), "not before the group is stable");
        let synced = world.sync(&id, 1, &[]);
        assert_eq!(world.synced(synced).and_then(|answer| answer.error), None);
        assert_eq!((world.group.has_left("alpha"), world.group.has_left("beta")), (false, !beta), "{says:?}");
    }
}
