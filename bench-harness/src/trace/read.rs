//! Reads traces, and believes nothing of them that it has not checked.

use std::path::Path;

use bytes::Bytes;
use logdyno_engine::record::batch::crc32c;
use logdyno_engine::record::{Compression, codec, varint};

use super::{BLOCK_RECORDS, FORMAT, Header, Key, MAGIC, Record, Trace, TraceError, VERSION};

/// Reads a whole trace.
pub fn read(path: &Path) -> Result<Trace, TraceError> {
    let bytes = std::fs::read(path).map_err(|error| TraceError::Io { path: path.to_owned(), doing: "read", error })?;
    parse(&bytes).map_err(|reason| TraceError::Unreadable { path: path.to_owned(), reason })
}

fn parse(bytes: &[u8]) -> Result<Trace, String> {
    let mut rest = bytes.strip_prefix(&MAGIC).ok_or("it does not begin as one")?;
    let length = take_length(&mut rest)?;
    let header: Header = serde_json::from_slice(take(&mut rest, length)?).map_err(|error| error.to_string())?;
    if header.format != FORMAT || header.version != VERSION {
        return Err(format!(
            "it is {} version {}, and {FORMAT} version {VERSION} is read",
            header.format, header.version
        ));
    }
    let keys = keys(&block(&mut rest)?, &header)?;
    let mut trace = Trace { values: header.has_payloads.then(Vec::new), header, keys, records: Vec::new() };
    while (trace.records.len() as u64) < trace.header.records {
        records(&block(&mut rest)?, &mut trace)?;
    }
    if !rest.is_empty() || trace.records.is_empty() {
        return Err(format!("{} bytes follow its {} records", rest.len(), trace.records.len()));
    }
    Ok(trace)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (taken, after) = rest.split_at_checked(length).ok_or("it ends too early")?;
    *rest = after;
    Ok(taken)
}

fn take_length(rest: &mut &[u8]) -> Result<usize, String> {
    let bytes = take(rest, 4)?;
    Ok(u32::from_le_bytes(bytes.try_into().map_err(|_| "it ends too early")?) as usize)
}

fn block(rest: &mut &[u8]) -> Result<Bytes, String> {
    let (raw_length, length) = (take_length(rest)?, take_length(rest)?);
    let sum = take_length(rest)?;
    let compressed = take(rest, length)?;
    if crc32c(compressed) as usize != sum {
        return Err("the checksum of a block does not fit: it is damaged".to_owned());
    }
    let raw = codec::decompress(Compression::Zstd, compressed, raw_length).map_err(|error| error.to_string())?;
    if raw.len() != raw_length { Err("a block has another length than it says".to_owned()) } else { Ok(raw.into()) }
}

fn keys(raw: &Bytes, header: &Header) -> Result<Vec<Key>, String> {
    let mut rest = &raw[..];
    let mut keys = Vec::new();
    while !rest.is_empty() {
        let hash = take(&mut rest, 4)?;
        let hash = i32::from_le_bytes(hash.try_into().map_err(|_| "it ends too early")?);
        let bytes = number(&mut rest, u64::from(u32::MAX))? as u32;
        let content = if header.has_payloads { Some(raw.slice_ref(take(&mut rest, bytes as usize)?)) } else { None };
        keys.push(Key { hash, bytes, content });
    }
    if keys.len() as u64 == header.keys {
        Ok(keys)
    } else {
        Err(format!("it has {} keys of {}", keys.len(), header.keys))
    }
}

fn records(raw: &Bytes, trace: &mut Trace) -> Result<(), String> {
    let mut rest = &raw[..];
    let mut time_ms = trace.records.last().map_or(0, |record| record.time_ms);
    for _ in 0..BLOCK_RECORDS {
        if rest.is_empty() {
            break;
        }
        time_ms = time_ms.checked_add(number(&mut rest, i64::MAX as u64)?).ok_or("a time is out of range")?;
        let key = number(&mut rest, trace.header.keys)?.checked_sub(1).map(|key| key as u32);
        let partition = number(&mut rest, u64::from(trace.header.partitions).saturating_sub(1))? as u32;
        let value_bytes = number(&mut rest, u64::from(u32::MAX) + 1)?.checked_sub(1).map(|bytes| bytes as u32);
        if let Some(values) = &mut trace.values {
            values.push(raw.slice_ref(take(&mut rest, value_bytes.unwrap_or(0) as usize)?));
        }
        trace.records.push(Record { time_ms, key, partition, value_bytes });
    }
    if rest.is_empty() && !raw.is_empty() {
        Ok(())
    } else {
        Err("a block has not the records that it should have".to_owned())
    }
}

fn number(rest: &mut &[u8], max: u64) -> Result<u64, String> {
    let number = varint::take_i64(rest).and_then(|number| u64::try_from(number).ok());
    number.filter(|number| *number <= max).ok_or_else(|| "a number is out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::write;

    fn trace(records: usize, has_payloads: bool) -> Trace {
        let content = |text: &'static str| has_payloads.then(|| Bytes::from(text));
        let keys =
            vec![Key { hash: -7, bytes: 1, content: content("a") }, Key { hash: 9, bytes: 3, content: content("key") }];
        let record = |index: usize| Record {
            time_ms: (index as u64 / 3) * 1_000,
            key: [None, Some(0), Some(1)][index % 3],
            partition: (index % 4) as u32,
            value_bytes: (!index.is_multiple_of(5)).then_some((index % 4) as u32),
        };
        let records: Vec<Record> = (0..records).map(record).collect();
        let value = |record: &Record| Bytes::from(vec![b'v'; record.value_bytes.unwrap_or(0) as usize]);
        let header = Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            from: "a test".to_owned(),
            records: records.len() as u64,
            keys: 2,
            partitions: 4,
            bytes: 0,
            begin_ms: 1_700_000_000_000,
            span_ms: 0,
            compressed_share: Some(0.4),
            has_payloads,
        };
        let values = has_payloads.then(|| records.iter().map(value).collect());
        Trace { header, keys, records, values }
    }

    fn bytes_of(trace: &Trace) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.trace");
        write(&path, trace).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing unfinished is left");
        std::fs::read(&path).unwrap()
    }

    /// More than one block.
    #[test]
    fn what_is_written_is_read() {
        for has_payloads in [false, true] {
            let trace = trace(BLOCK_RECORDS + 10, has_payloads);
            let bytes = bytes_of(&trace);
            assert!(parse(&bytes).unwrap() == trace);
        }
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_an_error_and_no_panic() {
        let bytes = bytes_of(&trace(40, true));
        let header_ends = bytes.iter().position(|byte| *byte == b'}').unwrap();
        for cut in 0..bytes.len() {
            parse(&bytes[..cut]).unwrap_err();
        }
        for at in (0..bytes.len()).filter(|at| *at < 12 || *at > header_ends) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0b1000;
            assert!(parse(&damaged).is_err(), "byte {at}");
        }
    }
}
