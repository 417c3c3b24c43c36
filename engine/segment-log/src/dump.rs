//! A look into segment and index files, ours or Kafka's, without opening a log. Reads only.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use bytes::{Bytes, BytesMut};
use logdyno_record::Offset;
use logdyno_record::batch::{Batch, BatchError, BatchHeader, HEADER_LEN};

use crate::index::{AbortedTransaction, OffsetIndex, TimeIndex, TransactionIndex};
use crate::names::{self, Kind};

/// A batch as it was found in a file.
#[derive(Debug)]
pub struct DumpedBatch {
    /// Where it starts.
    pub position: u64,
    /// The batch.
    pub batch: Batch,
    /// Whether length, checksum and records are sound.
    pub sound: Result<(), BatchError>,
}

/// What stands in a segment file, in order.
#[derive(Debug)]
pub enum Dumped {
    /// A batch.
    Batch(DumpedBatch),
    /// Zeros up to the end: preallocated, never written.
    Zeros {
        /// Where they start.
        position: u64,
    },
    /// Something that is no whole batch; nothing behind it can be read.
    Torn {
        /// Where it starts.
        position: u64,
        /// What is wrong.
        why: BatchError,
    },
}

/// The content of one segment file.
pub struct SegmentDump {
    file: BufReader<File>,
    position: u64,
    len: u64,
    ended: bool,
}

/// Opens a segment file.
pub fn segment(path: &Path) -> io::Result<SegmentDump> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    Ok(SegmentDump { file: BufReader::with_capacity(1 << 20, file), position: 0, len, ended: false })
}

impl SegmentDump {
    fn step(&mut self) -> io::Result<Dumped> {
        let (position, left) = (self.position, self.len - self.position);
        let mut front = vec![0; HEADER_LEN.min(left as usize)];
        self.file.read_exact(&mut front)?;
        if front.iter().all(|byte| *byte == 0) {
            return Ok(Dumped::Zeros { position });
        }
        let header = match BatchHeader::parse(&front) {
            Ok(header) => header,
            Err(why) => return Ok(Dumped::Torn { position, why }),
        };
        if header.size() as u64 > left {
            return Ok(Dumped::Torn {
                position,
                why: BatchError::Cut { needed: header.size(), available: left as usize },
            });
        }
        let mut bytes = BytesMut::from(&front[..]);
        bytes.resize(header.size(), 0);
        self.file.read_exact(&mut bytes[HEADER_LEN..])?;
        self.position += header.size() as u64;
        match Batch::parse(Bytes::from(bytes)) {
            Ok(batch) => {
                let sound = batch.verify_crc().and_then(|()| walk_records(&batch));
                Ok(Dumped::Batch(DumpedBatch { position, batch, sound }))
            }
            Err(why) => Ok(Dumped::Torn { position, why }),
        }
    }
}

/// Decodes every record; compacted batches need not be dense, so nothing is asked of their offsets.
fn walk_records(batch: &Batch) -> Result<(), BatchError> {
    let records = batch.records()?;
    let mut each = records.iter();
    each.by_ref().try_for_each(|record| record.map(drop))?;
    each.check_end()
}

impl Iterator for SegmentDump {
    type Item = io::Result<Dumped>;

    fn next(&mut self) -> Option<io::Result<Dumped>> {
        if self.ended || self.position >= self.len {
            return None;
        }
        let step = self.step();
        self.ended = !matches!(step, Ok(Dumped::Batch(_)));
        Some(step)
    }
}

/// What an index file says.
#[derive(Debug)]
pub enum DumpedIndex {
    /// `.index`: last offsets of batches and their positions.
    Offsets(Vec<(Offset, u64)>),
    /// `.timeindex`: greatest timestamps so far, and offsets.
    Times(Vec<(i64, Offset)>),
    /// `.txnindex`: aborted transactions, in the order of their markers.
    Transactions(Vec<AbortedTransaction>),
}

/// Reads an index file; by its name it knows what it is and where its segment starts.
///
/// # Errors
/// `InvalidData` if it is no sound index.
pub fn index(path: &Path) -> io::Result<DumpedIndex> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let content = std::fs::read(path)?;
    let unsound = |why: crate::index::Unsound| io::Error::new(io::ErrorKind::InvalidData, why.0);
    match names::parse_file(name) {
        Some((base, Kind::OffsetIndex)) => {
            let index = OffsetIndex::decode(&content, u64::MAX).map_err(unsound)?;
            Ok(DumpedIndex::Offsets(index.entries(base).collect()))
        }
        Some((base, Kind::TimeIndex)) => {
            let index = TimeIndex::decode(&content).map_err(unsound)?;
            Ok(DumpedIndex::Times(index.entries(base).collect()))
        }
        Some((base, Kind::TransactionIndex)) => {
            let index = TransactionIndex::decode(&content, base).map_err(unsound)?;
            Ok(DumpedIndex::Transactions(index.entries().to_vec()))
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "its name is not that of an index: <20 digits>.index, .timeindex or .txnindex",
        )),
    }
}
