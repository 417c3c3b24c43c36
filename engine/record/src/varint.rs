//! Kafka's variable-length integers: zig-zag, seven bits a byte, least significant first (`ByteUtils`).
//!
//! Inside records only; the protocol's unsigned varints belong to the wire.

/// Bytes of the longest 32-bit varint.
pub const VARINT_BYTES_MAX: usize = 5;
/// Bytes of the longest 64-bit varint (`varlong`).
pub const VARLONG_BYTES_MAX: usize = 10;

/// Appends `value`; the bytes of a number are the same as varint and as varlong.
#[inline]
pub fn put(out: &mut Vec<u8>, value: i64) {
    let mut rest = zig_zag(value);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// How many bytes [`put`] appends for `value`.
#[inline]
#[must_use]
pub fn len(value: i64) -> usize {
    (zig_zag(value) | 1).ilog2() as usize / 7 + 1
}

/// Takes a varint off the front of `input`. `None`, if the input ends inside it or it needs more than 32 bits.
#[inline]
#[must_use]
pub fn take_i32(input: &mut &[u8]) -> Option<i32> {
    match take_byte(input) {
        Some(raw) => Some(un_zig_zag(raw) as i32),
        None => take_long(input, VARINT_BYTES_MAX)
            .filter(|raw| *raw <= u64::from(u32::MAX))
            .map(|raw| un_zig_zag(raw) as i32),
    }
}

/// Takes a varlong off the front of `input`. `None`, if the input ends inside it or it needs more than 64 bits.
#[inline]
#[must_use]
pub fn take_i64(input: &mut &[u8]) -> Option<i64> {
    match take_byte(input) {
        Some(raw) => Some(un_zig_zag(raw)),
        None => take_long(input, VARLONG_BYTES_MAX).map(un_zig_zag),
    }
}

#[inline]
fn zig_zag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
fn un_zig_zag(raw: u64) -> i64 {
    (raw >> 1) as i64 ^ -((raw & 1) as i64)
}

/// A number of one byte, as most in a record are.
#[inline]
fn take_byte(input: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = input.split_first().filter(|(first, _)| **first < 0x80)?;
    *input = rest;
    Some(u64::from(first))
}

fn take_long(input: &mut &[u8], bytes_max: usize) -> Option<u64> {
    // Nearly all others take two.
    if let [first, second, rest @ ..] = *input
        && *second < 0x80
    {
        *input = rest;
        return Some(u64::from(*first & 0x7f) | u64::from(*second) << 7);
    }
    let mut raw = 0u64;
    for (index, &byte) in input.iter().take(bytes_max).enumerate() {
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit; what does not fit is no number of ours.
        if index == VARLONG_BYTES_MAX - 1 && bits > 1 {
            return None;
        }
        raw |= bits << (7 * index);
        if byte < 0x80 {
            *input = &input[index + 1..];
            return Some(raw);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(value: i64) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, value);
        out
    }

    /// The byte patterns of Kafka's `ByteUtilsTest`.
    #[test]
    fn numbers_have_kafkas_bytes() {
        let cases: [(i64, &[u8]); 10] = [
            (0, &[0x00]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
            (-65, &[0x81, 0x01]),
            (8191, &[0xfe, 0x7f]),
            (i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i64::from(i32::MIN), &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ];
        for (value, bytes) in cases {
            assert_eq!(encoded(value), bytes, "{value}");
        }
        assert_eq!(encoded(i64::MIN), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    }

    #[test]
    fn a_varint_of_more_than_its_bits_is_refused() {
        assert_eq!(take_i32(&mut &[0xff, 0xff, 0xff, 0xff, 0x1f][..]), None);
        assert_eq!(take_i32(&mut &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00][..]), None);
        assert_eq!(take_i64(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02][..]), None);
        assert_eq!(take_i64(&mut &[0x80; 11][..]), None);
        assert_eq!(take_i64(&mut &[][..]), None);
    }

    proptest! {
        #[test]
        fn every_number_comes_back(value: i64, tail: Vec<u8>) {
            let mut bytes = encoded(value);
            prop_assert_eq!(bytes.len(), len(value));
            bytes.extend_from_slice(&tail);
            let mut input = &bytes[..];
            prop_assert_eq!(take_i64(&mut input), Some(value));
            prop_assert_eq!(input, &tail[..]);
        }

        #[test]
        fn every_small_number_comes_back(value: i32) {
            let bytes = encoded(i64::from(value));
            prop_assert!(bytes.len() <= VARINT_BYTES_MAX);
            prop_assert_eq!(take_i32(&mut &bytes[..]), Some(value));
        }

        #[test]
        fn a_cut_number_is_refused(value: i64) {
            let bytes = encoded(value);
            prop_assert_eq!(take_i64(&mut &bytes[..bytes.len() - 1]), None);
        }
    }
}
