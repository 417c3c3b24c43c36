//! Kafka's text checkpoints: a version, a count, and that many lines of fields.

use std::path::Path;

use logdyno_record::{LeaderEpoch, Offset, TopicPartition};

use crate::error::LogError;

const VERSION: &str = "0";

/// Lines of fields in the format of version 0.
fn encode(lines: impl ExactSizeIterator<Item = String>) -> Vec<u8> {
    let mut text = format!("{VERSION}\n{}\n", lines.len());
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text.into_bytes()
}

/// The lines' fields, each line as `parse` understands it. Kafka makes the file before it has anything to say: empty, it says nothing.
fn decode<T>(content: &[u8], file: &Path, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, LogError> {
    let wrong = |line: usize, why: &str| LogError::Format { path: file.to_owned(), line, why: why.to_owned() };
    let text = std::str::from_utf8(content).map_err(|_| wrong(1, "it is not text"))?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut lines = text.lines();
    if lines.next().map(str::trim) != Some(VERSION) {
        return Err(wrong(1, "the version is not 0"));
    }
    let count: usize =
        lines.next().and_then(|count| count.trim().parse().ok()).ok_or_else(|| wrong(2, "the count is no number"))?;
    let entries: Vec<T> = lines
        .enumerate()
        .map(|(at, line)| parse(line).ok_or_else(|| wrong(at + 3, "the line does not have its fields")))
        .collect::<Result<_, _>>()?;
    if entries.len() != count {
        return Err(wrong(2, &format!("{count} lines were announced, {} are there", entries.len())));
    }
    Ok(entries)
}

/// `topic partition offset` lines.
pub(crate) fn encode_offsets<'a>(offsets: impl ExactSizeIterator<Item = (&'a TopicPartition, &'a Offset)>) -> Vec<u8> {
    encode(offsets.map(|(at, offset)| format!("{} {} {offset}", at.topic, at.partition)))
}

/// Reads what [`encode_offsets`] wrote.
pub(crate) fn decode_offsets(content: &[u8], file: &Path) -> Result<Vec<(TopicPartition, Offset)>, LogError> {
    decode(content, file, |line| {
        let mut fields = line.split_whitespace();
        let (topic, partition, offset) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        fields.next().is_none().then(|| (TopicPartition::new(topic, partition), Offset(offset)))
    })
}

/// `epoch start-offset` lines.
pub(crate) fn encode_epochs(epochs: &[(LeaderEpoch, Offset)]) -> Vec<u8> {
    encode(epochs.iter().map(|(epoch, start)| format!("{epoch} {start}")))
}

/// Reads what [`encode_epochs`] wrote.
pub(crate) fn decode_epochs(content: &[u8], file: &Path) -> Result<Vec<(LeaderEpoch, Offset)>, LogError> {
    decode(content, file, |line| {
        let (epoch, start) = line.trim().split_once(' ')?;
        Some((LeaderEpoch(epoch.parse().ok()?), Offset(start.parse().ok()?)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_written_as_kafka_does_and_read_back() {
        let entries = vec![(TopicPartition::new("a", 0), Offset(7)), (TopicPartition::new("b-c", 12), Offset(0))];
        let content = encode_offsets(entries.iter().map(|(at, offset)| (at, offset)));
        assert_eq!(content, b"0\n2\na 0 7\nb-c 12 0\n");
        assert_eq!(decode_offsets(&content, Path::new("x")).expect("sound"), entries);
    }

    /// A new data directory of Kafka's has an empty cleaner-offset-checkpoint.
    #[test]
    fn an_empty_file_says_nothing() {
        assert_eq!(decode_offsets(b"", Path::new("x")).expect("sound"), []);
        assert_eq!(decode_epochs(b"", Path::new("x")).expect("sound"), []);
    }

    #[test]
    fn a_damaged_file_names_its_line() {
        for (content, line) in
            [(&b"1\n0\n"[..], 1), (b"0\nx\n", 2), (b"0\n2\na 0 7\n", 2), (b"0\n1\na 0\n", 3), (b"\xff", 1)]
        {
            match decode_offsets(content, Path::new("x")) {
                Err(LogError::Format { line: found, .. }) => assert_eq!(found, line, "{content:?}"),
                other => panic!("{content:?} gave {other:?}"),
            }
        }
    }
}
