//! A fingerprint of a record's bytes, to compare what came out with what went in.

/// Odd, with about as many ones as zeros: the fraction of the golden ratio.
const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The digest of a key and a value: 64 bits.
///
/// Each step is a bijection of the state for a given word, and of the word for a given state, so any change within one
/// 8-byte word changes the digest for certain; changes of several words go unseen with a chance of 2⁻⁶⁴.
#[must_use]
pub fn digest(key: Option<&[u8]>, value: Option<&[u8]>) -> u64 {
    finish(with_part(with_part(0, key), value))
}

/// The digest of a record whose content has the digest `content`, at a time.
#[must_use]
pub(super) fn with_timestamp(content: u64, timestamp: i64) -> u64 {
    finish(mix(content, timestamp.cast_unsigned()))
}

fn with_part(state: u64, part: Option<&[u8]>) -> u64 {
    match part {
        None => mix(state, u64::MAX),
        Some(bytes) => of_bytes(mix(state, bytes.len() as u64), bytes),
    }
}

fn of_bytes(mut state: u64, bytes: &[u8]) -> u64 {
    let (fours, rest) = bytes.as_chunks::<32>();
    for four in fours {
        // One after the other in the text: as a loop it costs twice the instructions.
        state = mix(mix(mix(mix(state, word(four, 0)), word(four, 8)), word(four, 16)), word(four, 24));
    }
    let (words, rest) = rest.as_chunks::<8>();
    for whole in words {
        state = mix(state, u64::from_le_bytes(*whole));
    }
    mix(state, last_word(bytes, rest))
}

fn word(four: &[u8; 32], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&four[at..at + 8]);
    u64::from_le_bytes(word)
}

/// The bytes behind the last whole word: of bytes of one length, each their own word.
fn last_word(bytes: &[u8], rest: &[u8]) -> u64 {
    match (bytes.last_chunk::<8>(), bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // Shifted out of a word that ends where they end; all of it where there are none.
        (Some(last), ..) => u64::from_le_bytes(*last).checked_shr(64 - 8 * rest.len() as u32).unwrap_or(0),
        // Four to seven: twice four.
        (_, Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

fn mix(state: u64, word: u64) -> u64 {
    (state ^ word).wrapping_mul(ODD).rotate_left(29)
}

fn finish(state: u64) -> u64 {
    let state = (state ^ (state >> 32)).wrapping_mul(ODD);
    state ^ (state >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of values of each length, however the bytes are taken.
    #[test]
    fn any_single_bit_changes_it() {
        for len in 0..80 {
            let value: Vec<u8> = (1..=len).map(|byte: u8| byte.wrapping_mul(5)).collect();
            let clean = digest(Some(b"key"), Some(&value));
            for bit in 0..value.len() * 8 {
                let mut flipped = value.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(digest(Some(b"key"), Some(&flipped)), clean, "bit {bit} of {len} bytes");
            }
        }
    }

    #[test]
    fn null_empty_and_a_shifted_border_differ() {
        let digests = [
            digest(None, None),
            digest(Some(b""), None),
            digest(None, Some(b"")),
            digest(Some(b"a"), Some(b"b")),
            digest(Some(b"ab"), Some(b"")),
            digest(Some(b"b"), Some(b"a")),
            digest(None, Some(b"\0")),
        ];
        for (i, one) in digests.iter().enumerate() {
            assert!(!digests[..i].contains(one), "{i}");
        }
        assert_ne!(with_timestamp(1, 5), with_timestamp(1, 6));
    }
}
