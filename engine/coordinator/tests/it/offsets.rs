//! What is committed, and for how long.

use logdyno_coordinator::{Committed, Offsets};

const DAY_MS: i64 = 86_400_000;

fn committed(committed_ms: i64) -> Committed {
    Committed { offset: 5, leader_epoch: 0, metadata: String::new(), committed_ms }
}

/// Row 78: the time counts from when the group got empty, and from each commit where it never had members.
#[test]
fn offsets_expire_when_their_group_has_been_empty_for_long_enough() {
    let mut offsets = Offsets::default();
    offsets.set("t", 0, committed(0));
    offsets.set("t", 1, committed(DAY_MS));
    let expired = |empty_since_ms, now_ms| offsets.expired(empty_since_ms, now_ms, 7 * DAY_MS).len();
    for (empty_since_ms, now_ms, count) in [
        (Some(3 * DAY_MS), 10 * DAY_MS - 1, 0),
        (Some(3 * DAY_MS), 10 * DAY_MS, 2),
        (None, 7 * DAY_MS - 1, 0),
        (None, 7 * DAY_MS, 1),
        (None, 8 * DAY_MS, 2),
        // The clock was set back.
        (Some(3 * DAY_MS), DAY_MS, 0),
    ] {
        assert_eq!(expired(empty_since_ms, now_ms), count, "empty since {empty_since_ms:?}, now {now_ms}");
    }
}
