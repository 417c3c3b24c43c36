//! Writes traces.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use logdyno_engine::record::batch::crc32c;
use logdyno_engine::record::{Codec, Compression, varint};

use super::{BLOCK_RECORDS, MAGIC, Trace, TraceError};

/// Writes a trace; the file is there once it is whole.
pub fn write(path: &Path, trace: &Trace) -> Result<(), TraceError> {
    let fail = |error| TraceError::Io { path: path.to_owned(), doing: "written", error };
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let file = File::create(&unfinished).map_err(fail)?;
    let written = write_to(BufWriter::new(file), trace).and_then(|()| std::fs::rename(&unfinished, path));
    written.map_err(|error| {
        // What there is of it is of no use; that it cannot be removed either changes nothing.
        drop(std::fs::remove_file(&unfinished));
        fail(error)
    })
}

fn write_to(mut out: BufWriter<File>, trace: &Trace) -> io::Result<()> {
    let header = serde_json::to_vec(&trace.header)?;
    out.write_all(&MAGIC)?;
    out.write_all(&length(header.len())?)?;
    out.write_all(&header)?;
    block(&mut out, &keys(trace))?;
    for (index, records) in trace.records.chunks(BLOCK_RECORDS).enumerate() {
        block(&mut out, &self::records(trace, index * BLOCK_RECORDS, records))?;
    }
    out.into_inner()?.sync_all()
}

fn block(out: &mut impl Write, raw: &[u8]) -> io::Result<()> {
    let mut compressed = Vec::new();
    Codec::new(Compression::Zstd).compress(raw, &mut compressed).map_err(io::Error::other)?;
    out.write_all(&length(raw.len())?)?;
    out.write_all(&length(compressed.len())?)?;
    out.write_all(&crc32c(&compressed).to_le_bytes())?;
    out.write_all(&compressed)
}

fn length(bytes: usize) -> io::Result<[u8; 4]> {
    let too_long = |_| io::Error::other("a block of the trace would be longer than 4 GiB: capture without payloads");
    u32::try_from(bytes).map(u32::to_le_bytes).map_err(too_long)
}

fn keys(trace: &Trace) -> Vec<u8> {
    let mut raw = Vec::new();
    for key in &trace.keys {
        raw.extend_from_slice(&key.hash.to_le_bytes());
        varint::put(&mut raw, i64::from(key.bytes));
        raw.extend_from_slice(key.content.as_deref().unwrap_or_default());
    }
    raw
}

fn records(trace: &Trace, first: usize, records: &[super::Record]) -> Vec<u8> {
    let mut raw = Vec::new();
    let mut before = first.checked_sub(1).map_or(0, |before| trace.records[before].time_ms);
    for (index, record) in (first..).zip(records) {
        varint::put(&mut raw, (record.time_ms - before).cast_signed());
        varint::put(&mut raw, record.key.map_or(0, |key| i64::from(key) + 1));
        varint::put(&mut raw, i64::from(record.partition));
        varint::put(&mut raw, record.value_bytes.map_or(0, |bytes| i64::from(bytes) + 1));
        raw.extend_from_slice(trace.values.as_ref().map_or(&[], |values| &values[index]));
        before = record.time_ms;
    }
    raw
}
