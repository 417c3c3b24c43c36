//! Records as Kafka writes them.

use bytes::Bytes;
use logdyno_coordinator::Committed;
use logdyno_coordinator::records::{FormatError, Key, StoredGroup, StoredMember, Value, decode_value};

/// The bytes by hand from Kafka's OffsetCommitKey.json and OffsetCommitValue.json.
#[test]
fn a_committed_offset_has_kafkas_bytes() {
    let key = Key::Offset { group: "g".to_owned(), topic: "t".to_owned(), partition: 5 };
    assert_eq!(&key.encode()[..], b"\x00\x01\x00\x01g\x00\x01t\x00\x00\x00\x05");
    let committed = Committed { offset: 7, leader_epoch: 2, metadata: "m".to_owned(), committed_ms: 9 };
    let bytes = b"\x00\x03\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x02\x00\x01m\x00\x00\x00\x00\x00\x00\x00\x09";
    assert_eq!(&committed.encode()[..], bytes);
    assert_eq!(Key::decode(&key.encode()), Ok(key.clone()));
    assert_eq!(decode_value(&key, bytes), Ok(Value::Offset(committed)));
}

fn group() -> (Key, StoredGroup) {
    let member = |n: i32| StoredMember {
        id: format!("m-{n}"),
        instance: (n == 1).then(|| "i".to_owned()),
        client_id: "c".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        rebalance_timeout_ms: 60_000 + n,
        session_timeout_ms: 10_000,
        subscription: Bytes::from_static(b"topics"),
        assignment: Bytes::from(vec![n as u8; 3]),
    };
    let stored = StoredGroup {
        protocol_type: "consumer".to_owned(),
        generation: 3,
        protocol: Some("range".to_owned()),
        leader: Some("m-1".to_owned()),
        state_ms: 1_000,
        members: (1..3).map(member).collect(),
    };
    (Key::Group { group: "größe".to_owned() }, stored)
}

#[test]
fn a_group_is_read_as_it_was_written() {
    let (key, stored) = group();
    assert_eq!(Key::decode(&key.encode()), Ok(key.clone()));
    assert_eq!(decode_value(&key, &stored.encode()), Ok(Value::Group(stored)));
}

#[test]
fn cut_bytes_and_unknown_versions_are_no_records() {
    let (key, stored) = group();
    let (key_bytes, value) = (key.encode(), stored.encode());
    for len in 0..key_bytes.len() {
        assert!(Key::decode(&key_bytes[..len]).is_err(), "key cut to {len}");
    }
    for len in 0..value.len() {
        assert!(decode_value(&key, &value[..len]).is_err(), "value cut to {len}");
    }
    assert_eq!(Key::decode(b"\x00\x09"), Err(FormatError::Version(9)));
    assert_eq!(decode_value(&key, b"\x00\x09"), Err(FormatError::Version(9)));
    let mut claims = b"\x00\x03\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00".to_vec();
    claims.extend(i32::MAX.to_be_bytes());
    assert_eq!(decode_value(&key, &claims), Err(FormatError::Damaged));
}
