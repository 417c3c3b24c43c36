//! Record files: one record a line, sent byte for byte as it stands there.

use std::path::Path;

use bytes::Bytes;
use serde_json::Value;

use super::Record;
use super::separated::Header;
use super::times;
use crate::workload::{FileFormat, TimeField, WorkloadError};

/// A line of a file: its number from 1 and its bytes, without the line's end.
struct Line {
    number: usize,
    bytes: Bytes,
}

/// A line's fields, as far as they are asked for.
struct Fields {
    key: Option<Bytes>,
    time: Option<String>,
}

/// Reads a whole file. Times are read, and must ascend, if a field for them is given.
pub(super) fn read(
    path: &Path,
    format: FileFormat,
    key: Option<&str>,
    time: Option<&TimeField>,
) -> Result<(Vec<Record>, Option<Vec<u64>>), WorkloadError> {
    let bytes = std::fs::read(path)
        .map_err(|error| WorkloadError::Read { path: path.to_owned(), reason: error.to_string() })?;
    let fail = |line: usize, reason: String| WorkloadError::Record { path: path.to_owned(), line, reason };
    let bytes = Bytes::from(bytes);
    let (lines, header) = match format {
        FileFormat::Csv => {
            let header = Header::of(&bytes).map_err(|reason| fail(1, reason))?;
            for column in key.into_iter().chain(time.map(|time| time.field.as_str())) {
                header.column(column).map_err(|reason| fail(1, reason))?;
            }
            let rows = header.rows(&bytes).map_err(|(line, reason)| fail(line, reason))?;
            (rows.into_iter().map(|row| Line { number: row.line, bytes: row.bytes }).collect(), Some(header))
        }
        FileFormat::JsonLines | FileFormat::Text => (lines(&bytes), None),
    };
    let mut records = Vec::with_capacity(lines.len());
    let mut times_ns: Option<Vec<u64>> = time.map(|_| Vec::with_capacity(lines.len()));
    for line in lines {
        let fields = fields(&line, format, header.as_ref(), key, time.map(|time| time.field.as_str()));
        let fields = fields.map_err(|reason| fail(line.number, reason))?;
        if let (Some(times_ns), Some(time), Some(text)) = (&mut times_ns, time, fields.time) {
            let moment = times::parse(&text, &time.format).map_err(|reason| fail(line.number, reason))?;
            if times_ns.last().is_some_and(|last| *last > moment) {
                let reason = "its time is before that of the line above: sort the file by time, or send it at a rate";
                return Err(fail(line.number, reason.to_owned()));
            }
            times_ns.push(moment);
        }
        records.push(Record { key: fields.key, value: line.bytes });
    }
    if records.is_empty() {
        return Err(fail(1, "the file holds no record".to_owned()));
    }
    Ok((records, times_ns))
}

fn lines(bytes: &Bytes) -> Vec<Line> {
    let mut lines: Vec<Line> = bytes
        .split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            Line { number: index + 1, bytes: bytes.slice_ref(line) }
        })
        .collect();
    // What follows the last line's end is no line.
    if lines.last().is_some_and(|line| line.bytes.is_empty()) {
        lines.pop();
    }
    lines
}

fn fields(
    line: &Line,
    format: FileFormat,
    header: Option<&Header>,
    key: Option<&str>,
    time: Option<&str>,
) -> Result<Fields, String> {
    match (format, header) {
        (FileFormat::JsonLines, _) => json_fields(line, key, time),
        (FileFormat::Csv, Some(header)) => csv_fields(line, header, key, time),
        (FileFormat::Text | FileFormat::Csv, _) => match key.or(time) {
            None => Ok(Fields { key: None, time: None }),
            Some(field) => Err(format!("a line of text has no field `{field}`: the format must be jsonl or csv")),
        },
    }
}

fn json_fields(line: &Line, key: Option<&str>, time: Option<&str>) -> Result<Fields, String> {
    let value: Value = serde_json::from_slice(&line.bytes).map_err(|error| format!("no JSON: {error}"))?;
    let text = |field: &str| -> Result<Option<String>, String> {
        let found = field.split('.').try_fold(&value, |value, name| value.get(name));
        match found.ok_or_else(|| format!("it has no field `{field}`"))? {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            other => Ok(Some(other.to_string())),
        }
    };
    let key = key.map(text).transpose()?.flatten();
    let time = time.map(|field| text(field)?.ok_or_else(|| format!("its field `{field}` is null"))).transpose()?;
    Ok(Fields { key: key.map(Bytes::from), time })
}

fn csv_fields(line: &Line, header: &Header, key: Option<&str>, time: Option<&str>) -> Result<Fields, String> {
    if key.is_none() && time.is_none() {
        return Ok(Fields { key: None, time: None });
    }
    let fields = header.fields(&line.bytes)?;
    let field = |name: &str| -> Result<&[u8], String> {
        fields.get(header.column(name)?).ok_or_else(|| format!("it has no column `{name}`"))
    };
    Ok(Fields {
        // CSV has no null, and an empty key would send all such records to one partition.
        key: key.map(field).transpose()?.filter(|key| !key.is_empty()).map(Bytes::copy_from_slice),
        time: time.map(field).transpose()?.map(|time| String::from_utf8_lossy(time).into_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::TimeFormat;

    fn read_text(
        name: &str,
        text: &str,
        format: FileFormat,
        key: Option<&str>,
        time: Option<&TimeField>,
    ) -> Result<(Vec<Record>, Option<Vec<u64>>), String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path, format, key, time).map_err(|error| error.to_string().replace(&dir.path().display().to_string(), ""))
    }

    #[test]
    fn json_lines_go_out_as_they_stand() {
        let text = "{ \"a\": {\"b\": \"k\"} , \"n\": 7}\r\n{\"a\":{\"b\":null}}\n";
        let (records, _) = read_text("r.jsonl", text, FileFormat::JsonLines, Some("a.b"), None).unwrap();
        assert_eq!(&records[0].value[..], b"{ \"a\": {\"b\": \"k\"} , \"n\": 7}");
        assert_eq!((records[0].key.as_deref(), records[1].key.as_deref()), (Some(&b"k"[..]), None));
    }

    #[test]
    fn a_broken_line_is_named() {
        let errors = [
            read_text("r.jsonl", "{}\n{\"a\":\n", FileFormat::JsonLines, None, None),
            read_text("r.jsonl", "{\"a\":1}\n{}\n", FileFormat::JsonLines, Some("a"), None),
            read_text("r.csv", "a,b\n1,2\n3\n", FileFormat::Csv, None, None),
            read_text("r.txt", "x\n", FileFormat::Text, Some("a"), None),
        ];
        let errors: Vec<String> = errors.into_iter().map(|result| result.unwrap_err()).collect();
        assert!(errors[0].starts_with("/r.jsonl:2: no JSON"), "{}", errors[0]);
        assert_eq!(errors[1], "/r.jsonl:2: it has no field `a`");
        assert!(errors[2].starts_with("/r.csv:3: no sound CSV"), "{}", errors[2]);
        assert_eq!(errors[3], "/r.txt:1: a line of text has no field `a`: the format must be jsonl or csv");
    }

    #[test]
    fn rows_of_csv_may_span_lines() {
        let text = "id,note\n1,\"two\nlines\"\n2,plain\n";
        let (records, _) = read_text("r.csv", text, FileFormat::Csv, Some("id"), None).unwrap();
        let rows: Vec<_> = records.iter().map(|record| (record.key.as_deref(), &record.value[..])).collect();
        assert_eq!(rows, [(Some(&b"1"[..]), &b"1,\"two\nlines\""[..]), (Some(&b"2"[..]), &b"2,plain"[..])]);
    }

    #[test]
    fn an_empty_cell_of_csv_is_no_key() {
        let text = "id,note\n,first\n7,second\n\"\",third\n";
        let (records, _) = read_text("r.csv", text, FileFormat::Csv, Some("id"), None).unwrap();
        let keys: Vec<_> = records.iter().map(|record| record.key.as_deref()).collect();
        assert_eq!(keys, [None, Some(&b"7"[..]), None]);
    }

    #[test]
    fn times_are_read_and_must_ascend() {
        let time = TimeField { field: "t".to_owned(), format: TimeFormat::UnixMillis };
        let (_, times) =
            read_text("r.jsonl", "{\"t\":1}\n{\"t\":3}\n", FileFormat::JsonLines, None, Some(&time)).unwrap();
        assert_eq!(times.unwrap(), [1_000_000, 3_000_000]);
        let error =
            read_text("r.jsonl", "{\"t\":3}\n{\"t\":1}\n", FileFormat::JsonLines, None, Some(&time)).unwrap_err();
        assert!(error.starts_with("/r.jsonl:2: its time is before"), "{error}");
    }
}
