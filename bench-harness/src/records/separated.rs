//! Separated values: rows behind a header, quoted where need be, apart by commas or by what the header has instead.
//!
//! Rows are sent as the bytes that they are; fields are looked at for keys and times only, so they need not be UTF-8.

use bytes::Bytes;
use csv::{ByteRecord, ErrorKind, Position, Reader, ReaderBuilder};

use crate::workload::nearest;

/// What may stand between fields. Where a header has several, the first counts.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A byte order mark, which Excel writes in front of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Columns that are named where one is not found.
const NAMED_MAX: usize = 12;

/// What is known from the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) columns: Vec<String>,
    separator: u8,
}

/// A row: the line on which it begins, from 1, and its bytes.
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) bytes: Bytes,
}

/// What is wrong, and in which line.
pub(super) type Broken = (usize, String);

impl Header {
    /// Of a file, or of its first line.
    pub(crate) fn of(bytes: &[u8]) -> Result<Header, String> {
        let separator = separator(bytes);
        let mut reader = reader(separator, true, bytes);
        let columns = reader.byte_headers().map_err(|error| reason(&error))?;
        let columns = columns.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        Ok(Header { columns, separator })
    }

    /// Which column this is.
    pub(super) fn column(&self, name: &str) -> Result<usize, String> {
        self.columns.iter().position(|column| column == name).ok_or_else(|| {
            let meant = nearest(name, self.columns.iter().map(String::as_str));
            let meant = meant.map_or(String::new(), |column| format!("; did you mean `{column}`?"));
            let named: Vec<&str> = self.columns.iter().take(NAMED_MAX).map(String::as_str).collect();
            format!("the header has no column `{name}`{meant} It has: {}", named.join(" · "))
        })
    }

    /// A row's fields.
    pub(super) fn fields(&self, row: &[u8]) -> Result<ByteRecord, String> {
        let mut fields = ByteRecord::new();
        reader(self.separator, false, row).read_byte_record(&mut fields).map_err(|error| reason(&error))?;
        Ok(fields)
    }

    /// The rows behind it. All have as many fields as it has.
    pub(super) fn rows(&self, bytes: &Bytes) -> Result<Vec<Row>, Broken> {
        let mut reader = reader(self.separator, true, bytes.as_ref());
        let mut starts: Vec<(usize, usize)> = Vec::new();
        let mut record = ByteRecord::new();
        let broken = |error: &csv::Error| (error.position().map_or(1, |at| begin(bytes, at).0), reason(error));
        while reader.read_byte_record(&mut record).map_err(|error| broken(&error))? {
            starts.extend(record.position().map(|position| begin(bytes, position)));
        }
        let ends = starts.iter().skip(1).map(|(_, start)| *start).chain([bytes.len()]);
        let rows = starts.iter().zip(ends).map(|((line, start), end)| {
            // Blanks and tabs at a row's end may be its last, empty field.
            let mut row = &bytes[*start..end];
            while let Some(shorter) = row.strip_suffix(b"\n").or_else(|| row.strip_suffix(b"\r")) {
                row = shorter;
            }
            Row { line: *line, bytes: bytes.slice_ref(row) }
        });
        Ok(rows.collect())
    }
}

/// Where a row really begins, as line and byte: its position is that behind the row before, where the second byte of a line's end
/// and empty lines may still stand.
fn begin(bytes: &[u8], position: &Position) -> (usize, usize) {
    let at = (position.byte() as usize).min(bytes.len());
    let ends = bytes[at..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let lines = bytes[at..at + ends].iter().filter(|byte| **byte == b'\n').count();
    (position.line() as usize + lines, at + ends)
}

fn reader(separator: u8, has_header: bool, bytes: &[u8]) -> Reader<&[u8]> {
    ReaderBuilder::new().delimiter(separator).has_headers(has_header).from_reader(bytes)
}

/// The first of the separators that stands in the first line, outside of quotes.
fn separator(bytes: &[u8]) -> u8 {
    let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let mut found = [false; SEPARATORS.len()];
    let mut is_quoted = false;
    for byte in bytes.iter().take_while(|byte| **byte != b'\n') {
        is_quoted ^= *byte == b'"';
        if let Some(at) = SEPARATORS.iter().position(|separator| separator == byte).filter(|_| !is_quoted) {
            found[at] = true;
        }
    }
    found.iter().position(|found| *found).map_or(b',', |at| SEPARATORS[at])
}

fn reason(error: &csv::Error) -> String {
    match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            let fields = if *len == 1 { "1 field".to_owned() } else { format!("{len} fields") };
            format!(
                "no sound CSV: it has {fields}, and the header has {expected_len}; as `format = \"text\"` each line is sent as it is"
            )
        }
        _ => format!("no sound CSV: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_separates() {
        for (text, columns) in [
            ("a,b;c\n", &["a", "b;c"][..]),
            ("a;b;c\n1;2,5;3\n", &["a", "b", "c"]),
            ("a\tb\n", &["a", "b"]),
            ("a|b\n", &["a", "b"]),
            ("\"a,b\";c\n", &["a,b", "c"]),
            ("\u{feff}\"Order ID\";Größe\n", &["Order ID", "Größe"]),
            ("alone\n", &["alone"]),
        ] {
            assert_eq!(Header::of(text.as_bytes()).expect(text).columns, columns, "{text}");
        }
    }

    #[test]
    fn rows_keep_their_bytes_and_their_empty_fields() {
        let text = Bytes::from_static(b"a\tb\tc\r\n1\tcaf\xe9\t\r\n2\t\"x\r\ny\"\t \r\n");
        let header = Header::of(&text).expect("a header");
        let rows = header.rows(&text).expect("rows");
        let seen: Vec<(usize, &[u8])> = rows.iter().map(|row| (row.line, &row.bytes[..])).collect();
        assert_eq!(seen, [(2, &b"1\tcaf\xe9\t"[..]), (3, &b"2\t\"x\r\ny\"\t "[..])]);
        let fields = header.fields(&rows[0].bytes).expect("fields");
        assert_eq!(fields.iter().collect::<Vec<_>>(), [&b"1"[..], b"caf\xe9", b""]);
    }

    #[test]
    fn what_is_wrong_is_said_with_what_there_is() {
        let text = Bytes::from_static(b"Order ID,name\n1,x\n\n2\n");
        let header = Header::of(&text).expect("a header");
        let (line, reason) = header.rows(&text).err().expect("a short row");
        assert!(line == 4 && reason.contains("it has 1 field, and the header has 2"), "{line}: {reason}");
        let reason = header.column("order id").expect_err("another case");
        assert!(reason.contains("did you mean `Order ID`?") && reason.contains("It has: Order ID · name"), "{reason}");
    }
}
