//! The encoding of metadata records.

use logdyno_controller::record::format::{FormatError, decode, encode};
use logdyno_controller::record::{Endpoint, MetadataRecord, PartitionState};
use logdyno_record::{BrokerId, LeaderEpoch};
use proptest::prelude::*;
use uuid::Uuid;

fn brokers() -> impl Strategy<Value = Vec<BrokerId>> {
    prop::collection::vec(any::<i32>().prop_map(BrokerId), 0..5)
}

fn state() -> impl Strategy<Value = PartitionState> {
    (brokers(), brokers(), any::<Option<i32>>(), any::<i32>(), any::<i32>()).prop_map(
        |(replicas, isr, leader, leader_epoch, partition_epoch)| PartitionState {
            replicas,
            isr,
            leader: leader.map(BrokerId),
            leader_epoch: LeaderEpoch(leader_epoch),
            partition_epoch,
        },
    )
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (".{0,9}", ".{0,9}", any::<u16>()).prop_map(|(listener, host, port)| Endpoint { listener, host, port })
}

fn record() -> impl Strategy<Value = MetadataRecord> {
    let uuid = || any::<u128>().prop_map(Uuid::from_u128);
    let registered = (any::<i32>(), uuid(), prop::collection::vec(endpoint(), 0..3), prop::option::of(".{0,9}"));
    prop_oneof![
        ".{0,9}".prop_map(|id| MetadataRecord::Cluster { id }),
        registered.prop_map(|(broker, incarnation, endpoints, rack)| MetadataRecord::BrokerRegistered {
            broker: BrokerId(broker),
            incarnation,
            endpoints,
            rack
        }),
        any::<(i32, i64, bool)>().prop_map(|(broker, broker_epoch, fenced)| MetadataRecord::BrokerFenced {
            broker: BrokerId(broker),
            broker_epoch,
            fenced
        }),
        (uuid(), ".{0,9}").prop_map(|(id, name)| MetadataRecord::Topic { id, name }),
        (uuid(), ".{0,9}", ".{0,9}").prop_map(|(topic, name, value)| MetadataRecord::TopicConfig {
            topic,
            name,
            value
        }),
        (uuid(), ".{0,9}").prop_map(|(topic, name)| MetadataRecord::TopicConfigRemoved { topic, name }),
        (uuid(), any::<i32>(), state()).prop_map(|(topic, partition, state)| MetadataRecord::Partition {
            topic,
            partition,
            state
        }),
        uuid().prop_map(|id| MetadataRecord::TopicRemoved { id }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(record in record()) {
        prop_assert_eq!(decode(&encode(&record)), Ok(record));
    }

    /// A cut or prolonged record is never taken for another one.
    #[test]
    fn no_other_length_is_a_record(record in record(), cut in any::<prop::sample::Index>()) {
        let mut bytes = encode(&record);
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        bytes.push(0);
        prop_assert!(decode(&bytes).is_err());
    }
}

/// Golden bytes of format 1: a log written today is read by every later version.
#[test]
fn format_1() {
    let state = PartitionState {
        replicas: vec![BrokerId(1), BrokerId(2)],
        isr: vec![BrokerId(1)],
        leader: Some(BrokerId(1)),
        leader_epoch: LeaderEpoch(3),
        partition_epoch: 4,
    };
    let partition = MetadataRecord::Partition { topic: Uuid::from_u128(0xAB), partition: 5, state };
    let expected = [
        &[1, 5][..],
        &[0; 15],
        &[0xAB, 0, 0, 0, 5],
        &[0, 2, 0, 0, 0, 1, 0, 0, 0, 2],
        &[0, 1, 0, 0, 0, 1],
        &[1, 0, 0, 0, 1],
        &[0, 0, 0, 3, 0, 0, 0, 4],
    ];
    assert_eq!(encode(&partition), expected.concat());
    assert_eq!(encode(&MetadataRecord::Cluster { id: "dyno".to_owned() }), b"\x01\x00\x00\x04dyno");
}

#[test]
fn records_of_later_versions_are_refused_with_their_numbers() {
    assert_eq!(decode(&[2, 0, 0, 0]), Err(FormatError::Unknown { format: 2, kind: 0 }));
    assert_eq!(decode(&[1, 99]), Err(FormatError::Unknown { format: 1, kind: 99 }));
}
