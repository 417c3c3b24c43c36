//! Whether a body has the shape of its kind, found out without allocating.
//!
//! `kafka-protocol` reserves memory for as many elements as a list claims to have, before it has seen one: twenty bytes would take the
//! process down. So every body that a peer sends, request or answer, is walked once before it is decoded; lists then have the elements
//! that they claim. The number of elements is limited too, as an element of one byte becomes a structure of a hundred.

#[cfg(test)]
mod agreement;
mod answers;
mod fields;
mod requests;
mod walk;

use kafka_protocol::messages::ApiKey;

use fields::Described;
use walk::Walk;

/// Elements that a request may have in all its lists together. A broker that holds the most partitions Kafka is known to hold (200,000)
/// can be asked about all of them at once.
pub const REQUEST_ELEMENTS_MAX: u32 = 1 << 18;
/// Elements that an answer may have in all its lists together: metadata of more partitions than a cluster of Kafka's has.
pub const ANSWER_ELEMENTS_MAX: u32 = 1 << 21;

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misshapen {
    /// It ends too early.
    #[error("it ends in the middle of a field")]
    Cut,
    /// A length below -1, a variable-length number without end, or a tagged field that is not as long as it says.
    #[error("it has a length that cannot be")]
    Length,
    /// More elements than one message may have.
    #[error("its lists have more elements than one message may have")]
    TooMany,
    /// Nobody has described this API here.
    #[error("messages of this kind are not known here")]
    Unknown,
}

/// Walks a request body. Bytes behind its end are left alone, as Kafka leaves them.
pub fn check(api: ApiKey, version: i16, body: &[u8]) -> Result<(), Misshapen> {
    walk(requests::described(api), version, body, REQUEST_ELEMENTS_MAX)
}

/// Walks the body of an answer.
pub fn check_answer(api: ApiKey, version: i16, body: &[u8]) -> Result<(), Misshapen> {
    walk(answers::described(api), version, body, ANSWER_ELEMENTS_MAX)
}

/// Walks a request header. The client id keeps its classic length also where the header is flexible.
pub(crate) fn check_header(frame: &[u8], header_version: i16) -> Result<(), Misshapen> {
    let mut walk = Walk::new(frame, header_version, false, REQUEST_ELEMENTS_MAX);
    walk.skip(2 + 2 + 4)?;
    walk.field(&fields::Kind::Text)?;
    if header_version >= 2 { walk.tagged_fields(&[]) } else { Ok(()) }
}

fn walk(described: Option<Described>, version: i16, body: &[u8], elements_max: u32) -> Result<(), Misshapen> {
    let (flexible_from, fields) = described.ok_or(Misshapen::Unknown)?;
    Walk::new(body, version, version >= flexible_from, elements_max).structure(fields)
}
