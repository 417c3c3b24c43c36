//! Appends the lines of its input to a partition of a data directory that no broker has open, and prints all values that are then in
//! it. The directory may be Apache Kafka's: the partition's files, checkpoints and the mark of a clean stop are the same.
//!
//! ```sh
//! cargo run --release -p logdyno-segment-log --example append_lines -- /var/lib/kafka orders-0 mmap <more >all
//! ```

use std::error::Error;
use std::io::{BufRead, BufWriter, Write, stdin, stdout};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logdyno_record::batch::batches;
use logdyno_record::{
    BatchBuilder, BatchOptions, Codec, Compression, LeaderEpoch, NoProbe, SystemClock, TopicPartition,
};
use logdyno_segment_log::{Log, LogConfig, LogDirectory};
use logdyno_storage::kinds;

const LINES_A_BATCH: usize = 100;
const READ_BYTES: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, partition, backend] = &arguments[..] else {
        return Err("append_lines DIRECTORY TOPIC-PARTITION BACKEND".into());
    };
    let path = Path::new(directory);
    let kind = kinds().into_iter().find(|kind| kind.name == backend).ok_or("no such backend")?;
    let directory = LogDirectory::open(path, kind.start_on(path)?, Arc::new(SystemClock), Arc::new(NoProbe))?;
    let log = open(&directory, partition)?;
    append(&log)?;
    print(&log)?;
    // Brings everything to the device, and leaves the mark that spares the next owner a recovery.
    directory.close_clean()?;
    Ok(())
}

/// Opens the partition's log. Its topic id is the one in its folder.
fn open(directory: &LogDirectory, wanted: &str) -> Result<Arc<Log>, Box<dyn Error>> {
    let mut existing = directory.existing().into_iter();
    let is_wanted = |partition: &TopicPartition| partition.to_string() == wanted;
    let (partition, topic_id) = existing.find(|(partition, _)| is_wanted(partition)).ok_or("no such partition")?;
    let config = LogConfig { segment_bytes: 1 << 20, ..LogConfig::default() };
    Ok(directory.open_log(&partition, topic_id, config)?.0)
}

fn append(log: &Log) -> Result<(), Box<dyn Error>> {
    let lines: Vec<Vec<u8>> = stdin().lock().split(b'\n').collect::<Result<_, _>>()?;
    let epoch = log.latest_epoch().unwrap_or(LeaderEpoch(0));
    let mut builder = BatchBuilder::new(Codec::new(Compression::Lz4), 64 << 10);
    for lines in lines.chunks(LINES_A_BATCH) {
        for line in lines {
            builder.append(1_700_000_000_000, None, Some(line), &[]);
        }
        log.append_with_patience(&builder.build(&BatchOptions::default())?, epoch, PATIENCE)?;
    }
    Ok(())
}

fn print(log: &Log) -> Result<(), Box<dyn Error>> {
    let (mut out, end) = (BufWriter::new(stdout().lock()), log.end_offset());
    let mut next = log.start_offset();
    while next < end {
        for batch in batches(log.read_blocking(next, end, READ_BYTES, true)?.batches.concat().into()) {
            let batch = batch?;
            next = batch.header().next_offset();
            for record in &batch.records()? {
                out.write_all(record?.value.unwrap_or_default())?;
                out.write_all(b"\n")?;
            }
        }
    }
    Ok(out.flush()?)
}
