//! Requests of every API in every version, cut short at each byte and with bits flipped.

use std::collections::BTreeMap;

use logdyno_broker::Broker;
use logdyno_wire::Channel;
use logdyno_wire::messages::ApiKey;
use proptest::prelude::*;
use proptest::test_runner::{TestRng, TestRunner};
use tempfile::TempDir;

use super::panics::Panics;
use super::peer::{Outcome, Peer, framed};
use super::requests::{About, Encoded, all};
use crate::cluster::{batch, channel, create, metadata, produce, run, start};

/// `node.id`s that no other test's broker has, whose threads are called by it: see [`Panics`].
const WHOLE: i32 = 8701;
const CUT: i32 = 8702;
const FLIPPED: i32 = 8703;
const TOO_LONG: i32 = 8704;
const FLIPS_PER_VERSION: usize = 100;
const QUICK: &str = "group.initial.rebalance.delay.ms=0\noffsets.topic.num.partitions=1\n";

/// A broker, its topic `t` of one record, and a connection that minds the protocol.
struct Scene {
    broker: Broker,
    about: About,
    bystander: Channel,
}

impl Scene {
    async fn set(node: i32, broker: Broker) -> Scene {
        let bystander = channel(&broker).await;
        assert_eq!(create(&bystander, "t", 1, 1).await, 0);
        let id = metadata(&bystander, "t").await.topics[0].topic_id;
        Scene { broker, about: About { broker: node, topic: "t", id }, bystander }
    }

    /// What comes of a request with this header and body.
    async fn outcome(&self, api: ApiKey, request: &[u8]) -> Outcome {
        let mut peer = Peer::connect(&self.broker).await;
        peer.send(&framed(request)).await;
        peer.outcome(may_wait(api)).await
    }

    async fn others_are_served(&self) {
        assert_eq!(metadata(&self.bystander, "t").await.brokers.len(), 1);
        assert_eq!(produce(&self.bystander, "t", batch(&["still"]), -1).await.error_code, 0);
    }

    /// Connections that ended are gone, and no thread has panicked.
    async fn nothing_is_left(&self, panics: &Panics) {
        while self.broker.figures().connections > 1 {
            tokio::task::yield_now().await;
        }
        self.others_are_served().await;
        assert_eq!(panics.count(), 0, "panics of the broker's threads");
    }
}

/// Damage can make these wait for as long as Kafka would let them: for records, or for a group's members.
fn may_wait(api: ApiKey) -> bool {
    matches!(api, ApiKey::Fetch | ApiKey::JoinGroup | ApiKey::SyncGroup)
}

/// Undamaged ones are all answered: what is damaged below would have been good.
#[test]
fn requests_of_every_kind_and_version_are_answered() {
    let dir = TempDir::new().expect("a directory");
    let broker = start(WHOLE, dir.path(), None, QUICK);
    run(async {
        let scene = Scene::set(WHOLE, broker).await;
        for request in all(scene.about) {
            let outcome = scene.outcome(request.api, &request.bytes).await;
            assert_eq!(outcome, Outcome::Answered, "{:?} v{}", request.api, request.version);
        }
    });
}

#[test]
fn requests_cut_short_at_any_byte_end_their_connection() {
    try_damage(CUT, |_, request| {
        let cuts = (0..request.bytes.len()).map(|cut| request.bytes[..cut].to_vec());
        cuts.filter(|cut| !cut.is_empty()).collect()
    });
}

#[test]
fn requests_with_flipped_bits_are_answered_or_end_their_connection() {
    try_damage(FLIPPED, |random, request| {
        let flipped = |_| {
            let mut bytes = request.bytes.clone();
            for _ in 0..random.random_range(1..4) {
                // What is asked for stays what it is: another API would be another request's damage.
                let at = random.random_range(4..bytes.len());
                bytes[at] ^= 1 << random.random_range(0..8);
            }
            bytes
        };
        (0..FLIPS_PER_VERSION).map(flipped).collect()
    });
}

/// Wherever a length may stand, it says two billion, in the classic form and in the compact one.
#[test]
fn lengths_of_two_billion_anywhere_are_answered_or_end_their_connection() {
    const CLASSIC: [u8; 4] = [0x7f, 0xff, 0xff, 0xff];
    const COMPACT: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x07];
    try_damage(TOO_LONG, |_, request| {
        let places = (4..request.bytes.len()).flat_map(|at| [(at, &CLASSIC[..]), (at, &COMPACT[..])]);
        let overwritten = |(at, length): (usize, &[u8])| {
            let mut bytes = request.bytes.clone();
            bytes.truncate(at);
            bytes.extend(length);
            bytes.extend(request.bytes.iter().skip(at + length.len()));
            bytes
        };
        places.map(overwritten).collect()
    });
}

/// Sends all that `damage` makes of each request, each on a connection of its own. Each wait in it has a limit.
fn try_damage(node: i32, mut damage: impl FnMut(&mut TestRng, &Encoded) -> Vec<Vec<u8>>) {
    let dir = TempDir::new().expect("a directory");
    let panics = Panics::of(node);
    let mut runner = TestRunner::deterministic();
    let broker = start(node, dir.path(), None, QUICK);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let scene = Scene::set(node, broker).await;
        let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
        for request in all(scene.about) {
            for damaged in damage(runner.rng(), &request) {
                *outcomes.entry(scene.outcome(request.api, &damaged).await).or_default() += 1;
            }
            scene.others_are_served().await;
            assert_eq!(panics.count(), 0, "a thread panicked at {:?} v{}", request.api, request.version);
        }
        scene.nothing_is_left(&panics).await;
        println!("{outcomes:?}");
    });
}
