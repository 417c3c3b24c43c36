//! The image: what applying records in order makes of them.

use logdyno_controller::image::MetadataImage;
use logdyno_controller::record::MetadataRecord;
use logdyno_record::{BrokerId, Offset};
use uuid::Uuid;

use crate::cluster::{Cluster, topic};

#[test]
fn records_applied_twice_change_nothing() {
    let mut cluster = Cluster::of(1);
    cluster.create(&topic("t", 2, 1));
    let before = cluster.image.clone();
    let old = MetadataRecord::Topic { id: Uuid::from_u128(1), name: "other".to_owned() };
    cluster.image.apply(Offset(0), &old).expect("ignored");
    assert_eq!(cluster.image, before);
}

#[test]
fn records_that_do_not_fit_are_named_with_their_offset() {
    let mut image = MetadataImage::default();
    let orphan = MetadataRecord::TopicConfig { topic: Uuid::from_u128(1), name: "a".to_owned(), value: "b".to_owned() };
    let misfit = image.apply(Offset(4), &orphan).expect_err("no such topic");
    assert!(misfit.to_string().starts_with("metadata record 4 does not fit"), "{misfit}");
    let stale = MetadataRecord::BrokerFenced { broker: BrokerId(0), broker_epoch: 77, fenced: false };
    assert!(Cluster::of(1).image.apply(Offset(99), &stale).is_err());
}

/// Row 3: each broker finds its own partitions.
#[test]
fn partitions_are_found_by_broker() {
    let mut cluster = Cluster::of(3);
    cluster.create(&topic("a", 3, 1));
    cluster.create(&topic("b", 2, 3));
    for broker in 0..3 {
        let mine: Vec<_> = cluster.image.partitions_on(BrokerId(broker)).map(|(_, partition, _)| partition).collect();
        assert_eq!(mine.len(), 3, "one of a, two of b: {mine:?}");
    }
}
