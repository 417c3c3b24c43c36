//! Transactions in a log: the last stable offset, what was aborted, the markers, and the files that Kafka wrote of them.

mod compaction;
mod ends;
mod index;
mod kafka;

use std::collections::BTreeSet;

use logdyno_record::batch::control::{ControlType, EndTransactionMarker};
use logdyno_record::batch::{Batch, ProducerStamp, batches};
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, Offset};
use logdyno_segment_log::{Appended, Log, LogError};

use crate::world::EPOCH;

/// `count` records of a producer from this sequence on.
fn records(producer: i64, sequence: i32, count: usize, transactional: bool) -> Batch {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
    for _ in 0..count {
        builder.append(1_000, Some(b"key"), Some(&[b'v'; 20]), &[]);
    }
    let producer = ProducerStamp { id: producer, epoch: 0, base_sequence: sequence };
    builder.build(&BatchOptions { producer, transactional, ..BatchOptions::default() }).expect("a batch")
}

/// Two records of a producer's transaction; returns the first offset.
pub(crate) fn send(log: &Log, producer: i64, sequence: i32) -> i64 {
    log.append_as_leader(&records(producer, sequence, 2, true), EPOCH).expect("in order").first.0
}

fn end(
    log: &Log,
    producer: i64,
    epoch: i16,
    control_type: ControlType,
    coordinator: i32,
) -> Result<Appended, LogError> {
    log.append_marker(producer, epoch, EndTransactionMarker { control_type, coordinator_epoch: coordinator }, EPOCH)
}

pub(crate) fn commit(log: &Log, producer: i64) -> i64 {
    end(log, producer, 0, ControlType::Commit, 0).expect("a marker").last.0
}

pub(crate) fn abort(log: &Log, producer: i64) -> i64 {
    end(log, producer, 0, ControlType::Abort, 0).expect("a marker").last.0
}

/// The last stable offset where everything is committed.
fn stable(log: &Log) -> i64 {
    log.last_stable_offset(log.end_offset()).0
}

/// Producer, first and last offset of what was aborted in a range.
fn aborted(log: &Log, from: i64, up_to: i64) -> Vec<(i64, i64, i64)> {
    let found = log.aborted_transactions(Offset(from), Offset(up_to)).into_iter();
    found.map(|it| (it.producer_id, it.first_offset.0, it.last_offset.0)).collect()
}

/// The offsets that a `read_committed` consumer shows, by the rules of Kafka's CompletedFetch.
fn committed(log: &Log) -> Vec<i64> {
    let (start, stable) = (log.start_offset(), log.last_stable_offset(log.end_offset()));
    let (mut at, mut seen) = (start, Vec::new());
    while at < stable {
        let slice = log.read_blocking(at, stable, 1 << 20, true).expect("a read");
        let (mut waiting, mut aborting) = (log.aborted_in(at, &slice), BTreeSet::new());
        for batch in batches(slice.batches.concat().into()) {
            let batch = batch.expect("a batch");
            let header = batch.header();
            let begun = waiting.extract_if(.., |it| it.first_offset <= header.last_offset());
            aborting.extend(begun.map(|it| it.producer_id));
            if header.is_control() {
                aborting.remove(&header.producer_id);
            } else if !(header.is_transactional() && aborting.contains(&header.producer_id)) {
                let records = batch.records().expect("records");
                seen.extend(records.iter().map(|record| record.expect("a record").offset.0));
            }
            at = header.next_offset();
        }
    }
    seen
}

/// One record of a producer's transaction.
fn put(log: &Log, producer: i64, sequence: i32, key: &str) -> i64 {
    let mut builder = BatchBuilder::new(Codec::new(Compression::None), 256);
    builder.append(1_000, Some(key.as_bytes()), Some(&[b'v'; 30]), &[]);
    let producer = ProducerStamp { id: producer, epoch: 0, base_sequence: sequence };
    let batch = builder.build(&BatchOptions { producer, transactional: true, ..BatchOptions::default() });
    log.append_as_leader(&batch.expect("a batch"), EPOCH).expect("in order").first.0
}

/// Offsets of all batches: of data, and of markers.
fn offsets(log: &Log) -> (Vec<i64>, Vec<i64>) {
    let (mut data, mut markers, mut at) = (Vec::new(), Vec::new(), log.start_offset());
    while at < log.end_offset() {
        let slice = log.read_blocking(at, log.end_offset(), 1 << 20, true).expect("a read");
        for batch in batches(slice.batches.concat().into()) {
            let batch = batch.expect("a batch");
            at = batch.header().next_offset();
            let which = if batch.header().is_control() { &mut markers } else { &mut data };
            which.extend((batch.header().count > 0).then_some(batch.header().base_offset.0));
        }
    }
    (data, markers)
}
