//! Who takes over: from members that go, and from a coordinator that dies.

use logdyno_wire::messages::LeaveGroupRequest;
use logdyno_wire::messages::leave_group_request::MemberIdentity;
use tempfile::TempDir;

use crate::cluster::{channel, create, run, single, start};
use crate::groups::{QUICK, commit, committed, describe, group, heartbeat, join, joining, ready, sync};

/// Rows 85, 87: a member that gets no part lives on in the group, and has all of it when the other one has gone.
#[test]
fn a_member_without_a_part_stays_and_takes_over() {
    let single = single(QUICK);
    run(async {
        let (owner, surplus) = (ready(&single.broker).await, channel(&single.broker).await);
        let alone = join(&owner, "g").await;
        assert_eq!(sync(&owner, "g", &alone, &[(&alone.member_id, "all")]).await.error_code, 0);
        let joining_too = tokio::spawn(async move { (join(&surplus, "g").await, surplus) });
        while heartbeat(&owner, "g", &alone).await != 27 {
            tokio::task::yield_now().await;
        }
        let mine = owner.call(joining("g", &alone.member_id, None), None).await.expect("an answer");
        let (theirs, surplus) = joining_too.await.expect("joined");
        let parts = [(mine.member_id.as_str(), "all")];
        let (all, nothing) = tokio::join!(sync(&owner, "g", &mine, &parts), sync(&surplus, "g", &theirs, &parts));
        assert_eq!((&all.assignment[..], &nothing.assignment[..]), (&b"all"[..], &b""[..]));
        assert_eq!((nothing.error_code, heartbeat(&surplus, "g", &theirs).await), (0, 0));
        assert_eq!(describe(&surplus, "g").await.groups[0].members.len(), 2);

        let leaving = MemberIdentity::default().with_member_id(mine.member_id.clone());
        let request = LeaveGroupRequest::default().with_group_id(group("g")).with_members(vec![leaving]);
        assert_eq!(owner.call(request, None).await.expect("an answer").error_code, 0);
        assert_eq!(heartbeat(&surplus, "g", &theirs).await, 27);
        let last = surplus.call(joining("g", &theirs.member_id, None), None).await.expect("an answer");
        assert_eq!((last.generation_id, last.members.len(), &last.leader), (3, 1, &last.member_id));
        assert_eq!(sync(&surplus, "g", &last, &[(&last.member_id, "all")]).await.assignment, "all");
    });
    single.broker.stop().expect("a clean stop");
}

/// Row 18: what was committed and acknowledged is there after the coordinator has died without a word, and so are the group and its parts.
#[test]
fn commits_outlive_a_coordinator_that_dies() {
    let dir = TempDir::new().expect("a directory");
    let more = &format!("{QUICK}broker.session.timeout.ms=1000\n");
    let broker = start(1, dir.path(), None, more);
    let joined = run(async {
        let channel = ready(&broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        let joined = join(&channel, "g").await;
        assert_eq!(sync(&channel, "g", &joined, &[(&joined.member_id, "part")]).await.error_code, 0);
        assert_eq!(commit(&channel, "g", &joined.member_id, 1, "t", 7).await, 0);
        assert_eq!(commit(&channel, "alone", "", -1, "t", 42).await, 0);
        joined
    });
    drop(broker);

    let broker = start(1, dir.path(), None, more);
    run(async {
        let channel = ready(&broker).await;
        assert_eq!(committed(&channel, "g", "t").await.0, 7);
        assert_eq!(committed(&channel, "alone", "t").await.0, 42);
        assert_eq!(heartbeat(&channel, "g", &joined).await, 0);
        assert_eq!(sync(&channel, "g", &joined, &[]).await.assignment, "part");
    });
    broker.stop().expect("a clean stop");
}
