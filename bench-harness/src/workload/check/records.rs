//! `[records]`: what is sent.

use std::path::Path;

use super::Checked;
use super::synthetic::{is_meant, synthetic};
use super::values::{Unit, one_extent, optional, refuse, text_of};
use crate::workload::error::WorkloadError;
use crate::workload::keys;
use crate::workload::plan::{Extent, FileFormat, RecordPlan, RecordSource, TimeField, TimeFormat};
use crate::workload::raw::{Entry, Table};

pub(super) fn records(path: &Path, mut table: Table) -> Checked<(RecordPlan, Option<Extent>)> {
    if let Some(trace) = table.take("trace") {
        return of_trace(path, &mut table, &trace);
    }
    let plan = match table.take("file") {
        Some(file) => of_file(path, &mut table, &file)?,
        None => {
            refuse_foreign(&mut table, keys::OF_FILES, "records of a `file`: these are made up")?;
            if !is_meant(&table) {
                let reason = "[records] needs a `file`, a `trace`, or a `size` to make records up".to_owned();
                return Err(WorkloadError::Contradiction { place: table.file, reason });
            }
            RecordPlan { source: synthetic(path, &mut table)?, key: None, time: None }
        }
    };
    let extent = one_extent(&mut table, &[("count", Unit::Records), ("passes", Unit::Passes)])?;
    Ok((plan, extent))
}

fn of_file(path: &Path, table: &mut Table, file: &Entry) -> Checked<RecordPlan> {
    refuse_foreign(table, keys::OF_SYNTHETIC, "records that are made up: these come from a `file`")?;
    if let Some(size) = table.take("size") {
        let reason = "records come from a `file` or are made up with a `size`, not both".to_owned();
        return Err(WorkloadError::Contradiction { place: size.place, reason });
    }
    let format = table.take("format");
    let key = table.take("key").map(|entry| text_of(table, &entry)).transpose()?;
    let time = time_field(table)?;
    let source = RecordSource::File {
        format: file_format(table, file, format.as_ref())?,
        path: path.parent().unwrap_or(Path::new("")).join(text_of(table, file)?),
    };
    Ok(RecordPlan { source, key, time })
}

/// Refuses keys that are for other records than these.
pub(super) fn refuse_foreign(table: &mut Table, foreign: &[&str], belongs: &str) -> Checked<()> {
    match foreign.iter().find_map(|key| table.take(key)) {
        None => Ok(()),
        Some(entry) => {
            let reason = format!("`records.{}` is for {belongs}", entry.key);
            Err(WorkloadError::Contradiction { place: entry.place, reason })
        }
    }
}

/// A trace has its own times, keys and sizes.
fn of_trace(path: &Path, table: &mut Table, trace: &Entry) -> Checked<(RecordPlan, Option<Extent>)> {
    if let Some(entry) = keys::NOT_OF_TRACES.iter().find_map(|key| table.take(key)) {
        let reason =
            format!("`records.{}` does not go with a `trace`, which has its own records, keys and times", entry.key);
        return Err(WorkloadError::Contradiction { place: entry.place, reason });
    }
    let source = RecordSource::Trace {
        path: path.parent().unwrap_or(Path::new("")).join(text_of(table, trace)?),
        seed: optional(table, "seed")?,
    };
    let extent = one_extent(table, &[("count", Unit::Records), ("passes", Unit::Passes)])?;
    Ok((RecordPlan { source, key: None, time: None }, extent))
}

/// How a file is written: as `format` says, else by its ending.
pub(super) fn file_format(table: &Table, file: &Entry, format: Option<&Entry>) -> Checked<FileFormat> {
    let named = match format {
        Some(format) => text_of(table, format)?,
        None => text_of(table, file)?.rsplit('.').next().unwrap_or_default().to_owned(),
    };
    match named.as_str() {
        "jsonl" | "ndjson" | "json" => Ok(FileFormat::JsonLines),
        "csv" | "tsv" => Ok(FileFormat::Csv),
        "text" | "txt" | "log" => Ok(FileFormat::Text),
        _ => Err(refuse(table, format.unwrap_or(file), "say `format`: jsonl, csv or text")),
    }
}

fn time_field(table: &mut Table) -> Checked<Option<TimeField>> {
    let format = table.take("time.format");
    let Some(field) = table.take("time.field") else {
        return match format {
            None => Ok(None),
            Some(format) => Err(refuse(table, &format, "it needs a `time.field`")),
        };
    };
    let format = match format {
        None => TimeFormat::UnixMillis,
        Some(entry) => match text_of(table, &entry)?.as_str() {
            "unix-ms" => TimeFormat::UnixMillis,
            "unix-s" => TimeFormat::UnixSeconds,
            pattern if pattern.contains('%') => TimeFormat::Pattern(pattern.to_owned()),
            _ => return Err(refuse(table, &entry, "it is unix-ms, unix-s or a pattern of %Y %m %d %H %M %S")),
        },
    };
    Ok(Some(TimeField { field: text_of(table, &field)?, format }))
}
