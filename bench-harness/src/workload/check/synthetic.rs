//! Made-up records: their sizes, their keys, and what they hold.

use std::path::Path;

use super::Checked;
use super::records::file_format;
use super::values::{decimal, optional, refuse, text_of, whole, whole_within};
use crate::workload::error::{Place, WorkloadError};
use crate::workload::keys::{self, RANKS_MAX};
use crate::workload::plan::{DataFile, Keys, RecordSource, Sizes};
use crate::workload::raw::{Entry, Table};

/// Whether the table says how large made-up records are.
pub(super) fn is_meant(table: &Table) -> bool {
    ["size", "size.min", "size.max", "size.skew", "size.from"].iter().any(|key| table.has(key))
}

/// The source of made-up records; names of files are relative to the workload at `path`.
pub(super) fn synthetic(path: &Path, table: &mut Table) -> Checked<RecordSource> {
    if !table.has("size.from") && !table.has("keys.from") {
        super::records::refuse_foreign(table, keys::OF_DATA, "records of a `file`: these are made up")?;
    }
    let format = table.take("format");
    let (size, place) = sizes(path, table, format.as_ref())?;
    let keys = keys_of(path, table, format.as_ref())?;
    let Some(entropy) = table.take("entropy") else {
        let reason =
            "made-up records need an `entropy` (bits per byte, 0 to 8): what a codec can do depends on it".to_owned();
        return Err(WorkloadError::Contradiction { place, reason });
    };
    Ok(RecordSource::Synthetic {
        size,
        entropy: decimal(table, &entropy, "bits of information per byte, 0 to 8")?,
        keys,
        distinct: optional(table, "distinct")? as u32,
        seed: optional(table, "seed")?,
    })
}

/// The sizes, and where they are said.
fn sizes(path: &Path, table: &mut Table, format: Option<&Entry>) -> Checked<(Sizes, Place)> {
    let ways = ["size", "size.min", "size.max", "size.skew", "size.from"].map(|key| table.take(key));
    let place = ways.iter().flatten().next().map_or_else(|| table.file.clone(), |entry| entry.place.clone());
    let sizes = match &ways {
        [Some(size), None, None, None, None] => Sizes::Fixed(whole(table, size)? as usize),
        [None, Some(least), Some(most), skew, None] => {
            let at_least = whole(table, least)?;
            let at_most = whole_within(table, most, at_least)?;
            let exponent = skew.as_ref().map_or(Ok(0.0), |entry| exponent(table, entry))?;
            if let Some(skew) = skew.as_ref().filter(|_| exponent > 0.0 && at_most - at_least >= RANKS_MAX) {
                return Err(refuse(
                    table,
                    skew,
                    "Zipf's law takes at most 16,777,216 sizes: bring size.min and size.max closer",
                ));
            }
            Sizes::Between { least: at_least as usize, most: at_most as usize, skew: exponent }
        }
        [None, None, None, None, Some(file)] => Sizes::OfFile(data_file(path, table, file, format)?),
        _ => {
            let reason = "the sizes of made-up records are one of `size` (bytes), `size.min` and `size.max` (with `size.skew` for Zipf's law), and `size.from` (a file)";
            return Err(WorkloadError::Contradiction { place, reason: reason.to_owned() });
        }
    };
    Ok((sizes, place))
}

fn keys_of(path: &Path, table: &mut Table, format: Option<&Entry>) -> Checked<Keys> {
    let [count, skew, from, field] = ["keys", "key.skew", "keys.from", "key"].map(|key| table.take(key));
    match (&count, &skew, &from, &field) {
        (_, _, None, None) => {
            let keys = count.as_ref().map_or(Ok(0), |entry| whole(table, entry))?;
            let skew = skew.as_ref().map_or(Ok(0.0), |entry| exponent(table, entry))?;
            Ok(if keys == 0 { Keys::Null } else { Keys::Made { count: keys as u32, skew } })
        }
        (None, None, Some(from), Some(field)) => {
            Ok(Keys::OfFile { file: data_file(path, table, from, format)?, field: text_of(table, field)? })
        }
        _ => {
            let reason = "the keys of made-up records are `keys` (how many, with `key.skew` for Zipf's law), or those of a file: `keys.from` with `key`, the field that holds them";
            let given = [from, field, count, skew].into_iter().flatten().next();
            let place = given.map_or_else(|| table.file.clone(), |entry| entry.place);
            Err(WorkloadError::Contradiction { place, reason: reason.to_owned() })
        }
    }
}

fn exponent(table: &Table, entry: &Entry) -> Checked<f64> {
    decimal(table, entry, "the exponent of Zipf's law, 0 to 10")
}

fn data_file(path: &Path, table: &Table, file: &Entry, format: Option<&Entry>) -> Checked<DataFile> {
    Ok(DataFile {
        format: file_format(table, file, format)?,
        path: path.parent().unwrap_or(Path::new("")).join(text_of(table, file)?),
    })
}
