//! `logdyno dump`: what stands in segment and index files, ours or Kafka's.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use logdyno_engine::record::batch::control::{ControlType, EndTransactionMarker};
use logdyno_engine::record::batch::{BatchHeader, RecordView, TimestampType};
use logdyno_engine::segment_log::AbortedTransaction;
use logdyno_engine::segment_log::dump::{self, Dumped, DumpedBatch, DumpedIndex};

use super::stdout::is_closed;

/// Print segment files, a line for each batch in the words of Kafka's DumpLogSegments; also .index, .timeindex and .txnindex files.
#[derive(Args, Debug)]
pub(crate) struct Dump {
    /// Files named <20 digits>.log, .index, .timeindex or .txnindex.
    #[arg(value_name = "SEGMENT", required = true)]
    files: Vec<PathBuf>,
    /// Also a line for each record.
    #[arg(long)]
    records: bool,
}

impl Dump {
    /// Prints all files; fails at the end if one of them was damaged.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let damaged = match self.print(&mut out) {
            // Who closed the pipe has read enough.
            Err(error) if is_closed(&error) => return Ok(()),
            printed => printed?,
        };
        if !damaged.is_empty() {
            bail!("damaged: {}", damaged.join(", "));
        }
        Ok(())
    }

    /// Prints all files; those that were damaged.
    fn print(&self, out: &mut impl Write) -> anyhow::Result<Vec<String>> {
        let mut damaged = Vec::new();
        for file in &self.files {
            writeln!(out, "Dumping {}", file.display())?;
            let sound = match file.extension().and_then(|extension| extension.to_str()) {
                Some("index" | "timeindex" | "txnindex") => self.index(file, out)?,
                _ => self.segment(file, out)?,
            };
            if !sound {
                damaged.push(file.display().to_string());
            }
        }
        out.flush()?;
        Ok(damaged)
    }

    fn segment(&self, file: &Path, out: &mut impl Write) -> anyhow::Result<bool> {
        let mut sound = true;
        for step in dump::segment(file).with_context(|| format!("{} cannot be opened", file.display()))? {
            match step.with_context(|| format!("{} cannot be read", file.display()))? {
                Dumped::Batch(batch) => {
                    sound &= batch.sound.is_ok();
                    writeln!(out, "{}", batch_line(&batch))?;
                    if self.records && batch.sound.is_ok() {
                        records(&batch, out)?;
                    }
                }
                Dumped::Zeros { position } => writeln!(out, "position: {position} only zeros follow: preallocated")?,
                Dumped::Torn { position, why } => {
                    sound = false;
                    writeln!(out, "position: {position} isvalid: false {why}; what follows cannot be read")?;
                }
            }
        }
        Ok(sound)
    }

    fn index(&self, file: &Path, out: &mut impl Write) -> anyhow::Result<bool> {
        match dump::index(file) {
            Ok(DumpedIndex::Offsets(entries)) => {
                entries
                    .iter()
                    .try_for_each(|(offset, position)| writeln!(out, "offset: {offset} position: {position}"))?;
            }
            Ok(DumpedIndex::Times(entries)) => {
                entries.iter().try_for_each(|(time, offset)| writeln!(out, "timestamp: {time} offset: {offset}"))?;
            }
            Ok(DumpedIndex::Transactions(entries)) => {
                for aborted in entries {
                    let AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset } = aborted;
                    writeln!(
                        out,
                        "version: 0 producerId: {producer_id} firstOffset: {first_offset} lastOffset: {last_offset} \
                         lastStableOffset: {last_stable_offset}"
                    )?;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                writeln!(out, "isvalid: false {error}")?;
                return Ok(false);
            }
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", file.display())),
        }
        Ok(true)
    }
}

/// The line of a batch, in the words and order of DumpLogSegments.
fn batch_line(dumped: &DumpedBatch) -> String {
    let header = dumped.batch.header();
    let last_sequence =
        if header.base_sequence < 0 { -1 } else { header.base_sequence.wrapping_add(header.last_offset_delta) };
    let mut line = format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {last_sequence} producerId: {} \
         producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} isControl: {} position: {} {}: {} size: {} \
         magic: {} compresscodec: {} crc: {} isvalid: {}",
        header.base_offset,
        header.last_offset(),
        header.count,
        header.base_sequence,
        header.producer_id,
        header.producer_epoch,
        header.leader_epoch,
        header.is_transactional(),
        header.is_control(),
        dumped.position,
        time_name(header),
        header.max_timestamp,
        header.size(),
        header.magic,
        header.compression().map_or_else(|error| error.to_string(), |codec| codec.name().to_owned()),
        header.crc,
        dumped.sound.is_ok(),
    );
    if let Err(why) = &dumped.sound {
        line.push_str(&format!(" {why}"));
    }
    line
}

fn time_name(header: &BatchHeader) -> &'static str {
    match header.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn records(dumped: &DumpedBatch, out: &mut impl Write) -> anyhow::Result<()> {
    let header = dumped.batch.header();
    let name = time_name(header);
    let records = dumped.batch.records()?;
    for record in &records {
        let record = record?;
        let mut line = record_line(&record, name);
        if header.is_control() {
            line.push_str(&marker(&record));
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What a control record says, in the words of DumpLogSegments.
fn marker(record: &RecordView<'_>) -> String {
    match (ControlType::parse(record.key), EndTransactionMarker::parse(record)) {
        (_, Ok(EndTransactionMarker { control_type, coordinator_epoch })) => {
            let name = if control_type == ControlType::Abort { "ABORT" } else { "COMMIT" };
            format!(" endTxnMarker: {name} coordinatorEpoch: {coordinator_epoch}")
        }
        (Ok(other), Err(_)) => format!(" controlType: {}", other.id()),
        (Err(error), _) => format!(" controlType: {error}"),
    }
}

fn record_line(record: &RecordView<'_>, time_name: &str) -> String {
    let size = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i64);
    let headers: Vec<String> =
        record.headers.iter().map(|header| format!("{}:{}", text(Some(header.key)), text(header.value))).collect();
    format!(
        "| offset: {} {time_name}: {} keySize: {} valueSize: {} headers: [{}] key: {} payload: {}",
        record.offset,
        record.timestamp,
        size(record.key),
        size(record.value),
        headers.join(","),
        text(record.key),
        text(record.value),
    )
}

/// Bytes as text, with what is not printable escaped, so that a line stays a line.
fn text(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "null".to_owned(), |bytes| String::from_utf8_lossy(bytes).escape_debug().to_string())
}
