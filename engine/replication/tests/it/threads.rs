//! The same replicas, with producers and fetchers on threads of their own.

use std::sync::atomic::{AtomicBool, Ordering};

use logdyno_record::Offset;
use logdyno_replication::Acks;

use crate::brokers::Brokers;

const PRODUCERS: i64 = 3;
const BATCHES: i64 = 200;

/// Followers fetch while producers append: every ack comes, in the offsets' order for each producer, and
/// all logs are equal in the end. A lock taken in the wrong order would hang it.
#[test]
fn producers_and_followers_at_the_same_time() {
    let brokers = Brokers::of(3, 2);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for follower in [1, 2] {
            let (brokers, done) = (&brokers, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Acquire) {
                    brokers.settle(follower);
                    assert!(brokers.fetch(follower));
                    std::thread::yield_now();
                }
            });
        }
        let producers: Vec<_> = (0..PRODUCERS).map(|_| scope.spawn(|| produce(&brokers))).collect();
        for producer in producers {
            producer.join().expect("a producer");
        }
        done.store(true, Ordering::Release);
    });
    brokers.catch_up(&[1, 2]);
    assert_eq!(brokers.high_watermark(0), PRODUCERS * BATCHES * 2);
    assert_eq!(brokers.bytes(1), brokers.bytes(0));
    assert_eq!(brokers.bytes(2), brokers.bytes(0));
    assert_eq!(brokers.replicas[&0].waiting(), (0, 0));
}

/// Several appends under way at a time; each acknowledged one is below the high watermark.
fn produce(brokers: &Brokers) {
    let mut last = Offset(-1);
    for _ in 0..BATCHES / 4 {
        let under_way: Vec<_> = (0..4).map(|_| brokers.produce(0, 2, Acks::All)).collect();
        for outcome in under_way {
            let appended = outcome.recv().expect("an answer").expect("acknowledged");
            assert!(appended.first > last, "in the order of sending");
            assert!(brokers.replicas[&0].high_watermark() > appended.last);
            last = appended.last;
        }
    }
}
