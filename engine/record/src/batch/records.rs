//! The records of one batch; their grammar is in `engine/record/FORMAT.md`.

use bytes::Bytes;

use super::record::take_nullable;
use super::{BatchError, BatchHeader, Header, Headers, Record, RecordView, TimestampType};
use crate::ids::Offset;
use crate::varint;

/// A record of fewer bytes than this cannot be: attributes, two deltas, two lengths and the header count take one each.
const BODY_BYTES_MIN: usize = 6;

/// The records of one batch over their (decompressed) bytes. Iterating borrows from here; [`Records::share`] makes what is kept.
#[derive(Clone, Debug)]
pub struct Records {
    header: BatchHeader,
    payload: Bytes,
}

impl Records {
    pub(super) fn new(header: BatchHeader, payload: Bytes) -> Records {
        Records { header, payload }
    }

    /// The header of the batch.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Bytes of the records without compression.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// From first to last, as many as the header counts. An error ends the walk.
    #[must_use]
    pub fn iter(&self) -> RecordsIter<'_> {
        RecordsIter {
            header: &self.header,
            rest: &self.payload,
            index: 0,
            count: u32::try_from(self.header.count).unwrap_or(0),
            dense: false,
        }
    }

    /// `record` as owned slices of this batch's buffer: reference counts rise, no byte is copied.
    ///
    /// # Panics
    /// If `record` comes from other records.
    #[must_use]
    pub fn share(&self, record: &RecordView<'_>) -> Record {
        let slice = |part: &[u8]| self.payload.slice_ref(part);
        Record {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(slice),
            value: record.value.map(slice),
            headers: record
                .headers
                .iter()
                .map(|header| Header { key: slice(header.key), value: header.value.map(slice) })
                .collect(),
        }
    }

    /// As [`Records::iter`], with an error for a record whose offset delta is not its place: 0, 1, 2…
    #[must_use]
    pub fn dense(&self) -> RecordsIter<'_> {
        RecordsIter { dense: true, ..self.iter() }
    }

    /// Checks that the payload is exactly the counted records and that their offset deltas are dense.
    pub(super) fn check_dense(&self) -> Result<(), BatchError> {
        let mut records = self.dense();
        records.try_for_each(|record| record.map(drop))?;
        records.check_end()
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = Result<RecordView<'a>, BatchError>;
    type IntoIter = RecordsIter<'a>;

    fn into_iter(self) -> RecordsIter<'a> {
        self.iter()
    }
}

/// The iterator of [`Records`].
#[derive(Clone, Debug)]
pub struct RecordsIter<'a> {
    header: &'a BatchHeader,
    rest: &'a [u8],
    index: u32,
    count: u32,
    dense: bool,
}

impl<'a> RecordsIter<'a> {
    /// Once the walk has ended without error: whether nothing follows the last record.
    pub fn check_end(&self) -> Result<(), BatchError> {
        if self.rest.is_empty() { Ok(()) } else { Err(BatchError::AfterLastRecord { extra: self.rest.len() }) }
    }

    fn take_record(&mut self) -> Result<RecordView<'a>, &'static str> {
        let length = varint::take_i32(&mut self.rest).ok_or("its length field is cut or no varint")?;
        let length = usize::try_from(length).map_err(|_| "its length is negative")?;
        if length < BODY_BYTES_MIN {
            return Err("its length is smaller than any record's");
        }
        let (body, rest) = self.rest.split_at_checked(length).ok_or("it is longer than what is left of the batch")?;
        self.rest = rest;
        self.parse(body)
    }

    fn parse(&self, body: &'a [u8]) -> Result<RecordView<'a>, &'static str> {
        // The attributes byte has no meaning yet; Kafka's readers pass over it too.
        let mut rest = &body[1..];
        let timestamp_delta = varint::take_i64(&mut rest).ok_or("its timestamp delta is cut or no varlong")?;
        let offset_delta = varint::take_i32(&mut rest).ok_or("its offset delta is cut or no varint")?;
        if self.dense && u32::try_from(offset_delta) != Ok(self.index) {
            return Err("its offset delta is not its place in the batch");
        }
        let key = take_nullable(&mut rest).ok_or("its key is cut")?;
        let value = take_nullable(&mut rest).ok_or("its value is cut")?;
        let headers = varint::take_i32(&mut rest).ok_or("its header count is cut or no varint")?;
        Ok(RecordView {
            offset: Offset(self.header.base_offset.0.wrapping_add(i64::from(offset_delta))),
            timestamp: self.timestamp(timestamp_delta),
            key,
            value,
            headers: Headers::checked(headers, rest)?,
        })
    }

    fn timestamp(&self, delta: i64) -> i64 {
        match self.header.timestamp_type() {
            TimestampType::CreateTime => self.header.base_timestamp.wrapping_add(delta),
            TimestampType::LogAppendTime => self.header.max_timestamp,
        }
    }
}

impl<'a> Iterator for RecordsIter<'a> {
    type Item = Result<RecordView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.count {
            return None;
        }
        let index = self.index;
        match self.take_record() {
            Ok(record) => {
                self.index = index + 1;
                Some(Ok(record))
            }
            Err(reason) => {
                // An error ends the walk: where the next record begins is not known.
                self.index = self.count;
                Some(Err(BatchError::Record { index, reason }))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The count is a claim of bytes from outside: what is left bounds what may be allocated for it.
        let left = (self.count - self.index) as usize;
        (0, Some(left.min(self.rest.len() / (BODY_BYTES_MIN + 1) + 1)))
    }
}
