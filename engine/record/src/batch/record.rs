//! A record: borrowed from its batch while it is walked over, owned where it lives on.

use bytes::Bytes;

use crate::ids::Offset;
use crate::varint;

/// A header that is owned: what the application hands to the producer and gets from the consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The key; Kafka's clients take it for UTF-8. May be empty, may occur several times in a record.
    pub key: Bytes,
    /// The value, which may be null.
    pub value: Option<Bytes>,
}

impl Header {
    /// A header with a value.
    pub fn new(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Header {
        Header { key: key.into(), value: Some(value.into()) }
    }

    /// A header with the null value.
    pub fn null(key: impl Into<Bytes>) -> Header {
        Header { key: key.into(), value: None }
    }
}

/// A header inside a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderView<'a> {
    /// The key's bytes.
    pub key: &'a [u8],
    /// The value's bytes, or null.
    pub value: Option<&'a [u8]>,
}

/// A record that owns its place in memory: slices that keep the batch's buffer alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it stands in the partition.
    pub offset: Offset,
    /// Its time in milliseconds since 1970, by the clock that the batch's timestamp type names; -1 is none.
    pub timestamp: i64,
    /// The key, or null.
    pub key: Option<Bytes>,
    /// The value, or null.
    pub value: Option<Bytes>,
    /// The headers in their order.
    pub headers: Vec<Header>,
}

/// A record inside a batch, without a copy.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    /// Where it stands in the partition.
    pub offset: Offset,
    /// Its time in milliseconds since 1970, by the clock that the batch's timestamp type names; -1 is none.
    pub timestamp: i64,
    /// The key, or null.
    pub key: Option<&'a [u8]>,
    /// The value, or null.
    pub value: Option<&'a [u8]>,
    /// The headers in their order.
    pub headers: Headers<'a>,
}

/// The headers of one record: ordered, keys may repeat, values may be null. Iterate it as often as needed.
///
/// They have been walked over once when the record was read, so iterating cannot fail.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    /// Walks over `bytes`, which must be exactly `count` headers.
    pub(super) fn checked(count: i32, bytes: &'a [u8]) -> Result<Headers<'a>, &'static str> {
        let count = u32::try_from(count).map_err(|_| "the number of its headers is negative")?;
        let mut rest = bytes;
        for _ in 0..count {
            take_header(&mut rest).ok_or("a header is cut, has a negative key length or a length that is no varint")?;
        }
        if rest.is_empty() { Ok(Headers { count, bytes }) } else { Err("its length field is larger than its content") }
    }

    /// How many headers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The last header with this key, as Kafka's `Headers.lastHeader`.
    #[must_use]
    pub fn last(&self, key: &[u8]) -> Option<HeaderView<'a>> {
        self.into_iter().filter(|header| header.key == key).last()
    }

    /// From first to last.
    #[must_use]
    pub fn iter(&self) -> HeadersIter<'a> {
        HeadersIter { left: self.count, rest: self.bytes }
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = HeaderView<'a>;
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

/// The iterator of [`Headers`].
#[derive(Clone, Debug)]
pub struct HeadersIter<'a> {
    left: u32,
    rest: &'a [u8],
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = HeaderView<'a>;

    fn next(&mut self) -> Option<HeaderView<'a>> {
        self.left = self.left.checked_sub(1)?;
        take_header(&mut self.rest)
    }
}

fn take_header<'a>(input: &mut &'a [u8]) -> Option<HeaderView<'a>> {
    Some(HeaderView { key: take_nullable(input)??, value: take_nullable(input)? })
}

/// Takes a length and that many bytes. Outer `None`: malformed; inner `None`: null, as any negative length (`DefaultRecord`).
#[inline]
pub(super) fn take_nullable<'a>(input: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let Ok(length) = usize::try_from(varint::take_i32(input)?) else {
        return Some(None);
    };
    let (taken, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(Some(taken))
}
