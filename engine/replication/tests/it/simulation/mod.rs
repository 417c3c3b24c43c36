//! Three replicas, a controller that elects only from the ISR, and every order of events: what was
//! acknowledged with acks=all stays on every member of the ISR, replicas agree below their high
//! watermarks, and no high watermark goes back.
//!
//! Faults: crashes that take along what was not yet at the ack level, leaders that have not heard of
//! their successor, ISR proposals that are refused, lost, or committed while the answer is lost, and
//! fetch answers that arrive after the world has changed.

mod world;

use proptest::prelude::*;

use self::world::{Event, World};

fn event() -> impl Strategy<Value = Event> {
    let replica = 0..3_usize;
    prop_oneof![
        6 => replica.clone().prop_map(Event::Append),
        6 => replica.clone().prop_map(Event::Settle),
        10 => replica.clone().prop_map(Event::Fetch),
        10 => replica.clone().prop_map(Event::Deliver),
        6 => replica.clone().prop_map(Event::Learn),
        1 => (0..3_usize).prop_map(Event::Elect),
        1 => (replica.clone(), 0..4_usize).prop_map(|(replica, kept)| Event::Crash { replica, kept }),
        3 => replica.prop_map(Event::Restart),
        4 => (any::<bool>(), prop::bool::weighted(0.8))
            .prop_map(|(answers, reachable)| Event::Controller { answers, reachable }),
        2 => (0..50_u64).prop_map(Event::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn acknowledged_records_outlive_any_order_of_events(
        min_insync_replicas in 1..3_u32,
        events in prop::collection::vec(event(), 50..400),
    ) {
        let mut world = World::new(min_insync_replicas);
        for event in &events {
            world.step(event);
        }
        world.heal();
    }
}

/// The simulation is worth something only if its worlds get somewhere.
#[test]
fn a_quiet_world_acknowledges_and_agrees() {
    let mut world = World::new(2);
    for i in 0..3 {
        world.step(&Event::Learn(i));
    }
    for _ in 0..10 {
        world.step(&Event::Append(0));
        for i in 0..3 {
            for event in [Event::Settle(i), Event::Fetch(i), Event::Deliver(i), Event::Settle(i), Event::Fetch(i)] {
                world.step(&event);
            }
        }
    }
    assert_eq!(world.acknowledged.len(), 10);
    assert!(world.replicas.iter().all(|replica| replica.log.entries == world.replicas[0].log.entries));
}
