//! What claims more than it holds is refused. (That every kind of message is walked to its end is tested beside the tables.)

use bytes::{BufMut, BytesMut};
use logdyno_wire::messages::ApiKey;
use logdyno_wire::shape::{Misshapen, check, check_answer};

#[test]
fn a_list_longer_than_its_bytes_is_refused() {
    let mut classic = BytesMut::new();
    classic.put_i32(i32::MAX);
    assert_eq!(check(ApiKey::Metadata, 1, &classic), Err(Misshapen::Cut));
    let flexible = [0xff, 0xff, 0xff, 0xff, 0x0f];
    assert_eq!(check(ApiKey::Metadata, 13, &flexible), Err(Misshapen::Cut));
    assert_eq!(check_answer(ApiKey::Metadata, 1, &classic), Err(Misshapen::Cut));
    let throttle_then = [&[0; 4][..], &flexible].concat();
    assert_eq!(check_answer(ApiKey::Metadata, 13, &throttle_then), Err(Misshapen::Cut));
}

/// A tagged field that the decoder reads by its kind, although it says that it is shorter: walk and decoder would part behind it, and the
/// list of supported features that follows in the decoder's eyes would be believed.
#[test]
fn a_tagged_field_that_lies_about_its_length_is_refused() {
    let no_error_and_no_apis = [0, 0, 1, 0, 0, 0, 0];
    let supported_features_of_two_billion = [0xff, 0xff, 0xff, 0xff, 0x07];
    let lying = [&no_error_and_no_apis[..], &[1, 0, 0], &supported_features_of_two_billion].concat();
    assert!(check_answer(ApiKey::ApiVersions, 3, &lying).is_err());
    let honest = [&no_error_and_no_apis[..], &[1, 0, 1, 1]].concat();
    assert_eq!(check_answer(ApiKey::ApiVersions, 3, &honest), Ok(()));
}

/// Flexible versions have room for longer texts than Kafka's readers take: 32,767 bytes.
#[test]
fn a_text_that_kafka_does_not_take_is_refused() {
    let describe_one_group = |bytes: u32| {
        let length_and_one = bytes + 1;
        let varint = [
            0x80 | (length_and_one & 0x7f) as u8,
            0x80 | (length_and_one >> 7 & 0x7f) as u8,
            (length_and_one >> 14) as u8,
        ];
        [&[2][..], &varint, &vec![b'g'; bytes as usize], &[0, 0]].concat()
    };
    assert_eq!(check(ApiKey::DescribeGroups, 5, &describe_one_group(32_767)), Ok(()));
    assert_eq!(check(ApiKey::DescribeGroups, 5, &describe_one_group(32_768)), Err(Misshapen::Length));
}
