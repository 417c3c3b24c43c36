//! Batches as text, letter for letter as `scripts/golden/Golden.java` describes what Kafka reads.

use std::fmt::Write;

use bytes::Bytes;
use logdyno_record::{Batch, BatchError, RecordView, TimestampType, batches};

/// Every batch of `bytes` with its records.
pub(crate) fn described(bytes: Bytes) -> Result<String, BatchError> {
    let mut out = String::new();
    for batch in batches(bytes) {
        let batch = batch?;
        batch.verify_crc()?;
        out += &described_header(&batch)?;
        for record in &batch.records()? {
            out += &described_record(&record?);
        }
    }
    Ok(out)
}

fn described_header(batch: &Batch) -> Result<String, BatchError> {
    let header = batch.header();
    let timestamp_type = match header.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    };
    let mut line = format!(
        "batch offsets {}..{} count {} size {} epoch {} crc {:08x} {} {timestamp_type} max {} producer {}/{}/{}",
        header.base_offset,
        header.last_offset(),
        header.count,
        header.size(),
        header.leader_epoch,
        header.crc,
        header.compression()?,
        header.max_timestamp,
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
    );
    line += if header.is_transactional() { " transactional" } else { "" };
    line += if header.is_control() { " control" } else { "" };
    if header.has_delete_horizon() {
        write!(line, " horizon {}", header.base_timestamp).expect("a string takes all");
    }
    Ok(line + "\n")
}

fn described_record(record: &RecordView<'_>) -> String {
    let RecordView { offset, timestamp, key, value, headers } = record;
    let mut line = format!("record {offset} at {timestamp} key {} value {}", part(*key), part(*value));
    for header in *headers {
        write!(line, " header {} {}", part(Some(header.key)), part(header.value)).expect("a string takes all");
    }
    line + "\n"
}

fn part(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() <= 64 => {
            format!("[{}]", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        Some(bytes) => format!("{} bytes {:08x}", bytes.len(), crc_fast::crc32_iscsi(bytes)),
    }
}
