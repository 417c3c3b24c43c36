//! What a log was told and what it has promised, kept apart from it; and what of that must be there after a crash.

use std::collections::BTreeMap;

use logdyno_record::batch::control::{ControlType, EndTransactionMarker};
use logdyno_record::batch::{Batch, BatchHeader, ProducerStamp, batches, patch};
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, LeaderEpoch, Offset};
use logdyno_segment_log::AbortedTransaction;
use logdyno_storage::seam::simulated::Crash;

use super::found::{Decided, Found};
use super::workload::{TRANSACTIONAL, Wish};

/// What a check found wrong, as a sentence.
pub(super) type Checked = Result<(), String>;

/// Fails with a sentence.
macro_rules! must {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

/// A batch that the log has taken.
pub(super) struct Sent {
    pub(super) batch: Batch,
    pub(super) first: i64,
    pub(super) last: i64,
    epoch: i32,
}

/// A truncation that has begun and not returned.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    /// The log will end here at least.
    To(i64),
    /// The log will be empty and start here.
    Over(i64),
}

/// All that is to be known of a log without looking at it.
#[derive(Default)]
pub(super) struct Promises {
    /// All batches from the log's origin on, those that were deleted at the front included.
    pub(super) sent: Vec<Sent>,
    origin: i64,
    epochs: Vec<(i32, i64)>,
    pub(super) epoch: i32,
    pub(super) start_kept: i64,
    pub(super) start_tried: i64,
    pub(super) high_watermark_kept: i64,
    pub(super) high_watermark: i64,
    pub(super) written: i64,
    pub(super) durable: i64,
    pub(super) cut: Option<Cut>,
    pub(super) compacted: bool,
    producer_epochs: BTreeMap<i64, i16>,
    values: u64,
}

impl Promises {
    pub(super) fn end(&self) -> i64 {
        self.sent.last().map_or(self.origin, |sent| sent.last + 1)
    }

    /// The batch that is sent next: no two values are the same.
    pub(super) fn batch(&mut self, records: &[Wish], producer: Option<i64>, compression: Compression) -> Batch {
        let mut builder = BatchBuilder::new(Codec::new(compression), 256);
        for record in records {
            self.values += 1;
            let mut value = format!("{} ", self.values).into_bytes();
            value.resize(value.len() + record.len, b'a' + record.key);
            builder.append(1_000, Some(&[b'k', record.key]), Some(&value), &[]);
        }
        let options = match producer {
            None => BatchOptions::default(),
            Some(id) => {
                let epoch = self.producer_epochs.get(&id).copied().unwrap_or(0);
                let last = self.producers(i64::MAX).get(&id).map(|(epoch, sequence, _)| (*epoch, *sequence));
                let base_sequence = last.filter(|(known, _)| *known == epoch).map_or(0, |(_, sequence)| sequence + 1);
                BatchOptions {
                    producer: ProducerStamp { id, epoch, base_sequence },
                    transactional: id >= TRANSACTIONAL,
                    ..BatchOptions::default()
                }
            }
        };
        builder.build(&options).expect("a batch")
    }

    /// What ends a transaction.
    pub(super) fn marker(&self, id: i64, aborts: bool) -> Batch {
        let control_type = if aborts { ControlType::Abort } else { ControlType::Commit };
        EndTransactionMarker { control_type, coordinator_epoch: 0 }.batch(id, 0, 1_000).expect("a marker")
    }

    pub(super) fn next_producer_epoch(&mut self, id: i64) {
        *self.producer_epochs.entry(id).or_default() += 1;
    }

    /// The last batch of a producer, if it is of the epoch that it uses.
    pub(super) fn last_of(&self, id: i64) -> Option<&Sent> {
        let epoch = self.producer_epochs.get(&id).copied().unwrap_or(0);
        let last = self.sent.iter().rfind(|sent| sent.batch.header().producer_id == id)?;
        (last.batch.header().producer_epoch == epoch).then_some(last)
    }

    /// A batch is about to be appended, or was.
    pub(super) fn sending(&mut self, batch: Batch) {
        let first = self.end();
        self.assign_epoch(first);
        let last = first + i64::from(batch.header().last_offset_delta);
        self.sent.push(Sent { batch, first, last, epoch: self.epoch });
    }

    /// KIP-101: an epoch without records gives way.
    pub(super) fn assign_epoch(&mut self, start: i64) {
        if self.epochs.last().is_none_or(|(epoch, _)| *epoch != self.epoch) {
            while self.epochs.pop_if(|(_, at)| *at >= start).is_some() {}
            self.epochs.push((self.epoch, start));
        }
    }

    /// The end of a truncation to `to`: of a batch that holds it, nothing stays.
    pub(super) fn end_after_cut(&self, to: i64) -> i64 {
        self.sent.iter().rfind(|sent| sent.last < to).map_or(self.origin, |sent| sent.last + 1)
    }

    /// The cut has been made.
    pub(super) fn has_cut(&mut self) {
        match self.cut.take() {
            Some(Cut::To(end)) => {
                if end < self.end() {
                    (self.written, self.durable) = (end, end);
                }
                self.sent.retain(|sent| sent.last < end);
                self.epochs.retain(|(_, start)| *start < end);
            }
            Some(Cut::Over(at)) => {
                self.sent.clear();
                self.epochs.clear();
                (self.origin, self.written, self.durable) = (at, at, at);
                (self.start_kept, self.start_tried) = (at, at);
                self.high_watermark = self.high_watermark.max(at);
            }
            None => {}
        }
    }

    /// How far the log must reach after such crashes.
    fn kept(&self, crash: Crash) -> i64 {
        let kept = if crash == Crash::Power { self.durable } else { self.written.max(self.durable) };
        match self.cut {
            None => kept,
            Some(Cut::To(end)) => kept.min(end),
            Some(Cut::Over(_)) => self.origin,
        }
    }

    /// Epoch, last sequence and last offset of each producer with records before `end`.
    fn producers(&self, end: i64) -> BTreeMap<i64, (i16, i32, i64)> {
        let before = self.sent.iter().filter(|sent| sent.last < end && sent.batch.header().producer_id >= 0);
        before
            .filter(|sent| !sent.batch.header().is_control())
            .map(|sent| {
                let header: &BatchHeader = sent.batch.header();
                let last_sequence = header.base_sequence + header.last_offset_delta;
                (header.producer_id, (header.producer_epoch, last_sequence, sent.last))
            })
            .collect()
    }

    /// Says whether what was found after a crash is what was promised, and nothing else.
    pub(super) fn check(&self, found: &Found, crash: Crash) -> Checked {
        let hw = self.high_watermark_kept..=self.high_watermark;
        must!(hw.contains(&found.high_watermark), "high watermark {}, promised {hw:?}", found.high_watermark);
        if found.batches.is_empty() && found.start == found.end && self.may_be_empty_at(found.start, crash) {
            return Ok(());
        }
        let starts = self.start_kept..=self.start_tried;
        must!(starts.contains(&found.start), "it starts at {}, promised {starts:?}", found.start);
        let kept = self.kept(crash);
        must!(kept <= found.end, "it ends at {}, promised {kept}", found.end);
        must!(found.end <= self.end(), "it ends at {}, more than {}", found.end, self.end());
        let bounds = found.end == self.origin || self.sent.iter().any(|sent| sent.last + 1 == found.end);
        must!(bounds, "it ends at {}, within a batch", found.end);
        if self.compacted {
            self.check_compacted(found)?
        } else {
            self.check_batches(found)?
        }
        self.check_epochs(found)?;
        self.check_producers(found)
    }

    /// A log that is to start over, or that power loss has cut before the start which DeleteRecords gave it.
    fn may_be_empty_at(&self, at: i64, crash: Crash) -> bool {
        match self.cut {
            Some(Cut::Over(over)) => at == over || at <= self.start_tried,
            _ => {
                let started_over = (self.start_kept..=self.start_tried).contains(&at) && self.kept(crash) <= at;
                crash == Crash::Power && started_over
            }
        }
    }

    fn check_batches(&self, found: &Found) -> Checked {
        let expected = self.sent.iter().filter(|sent| sent.last >= found.start && sent.first < found.end);
        let expected: Vec<&Sent> = expected.collect();
        must!(expected.len() == found.batches.len(), "{} batches, not {}", found.batches.len(), expected.len());
        for (sent, found) in expected.iter().zip(&found.batches) {
            let header = found.header();
            let range = (header.base_offset.0, header.last_offset().0);
            must!(range == (sent.first, sent.last), "batch {range:?}, not {}..={}", sent.first, sent.last);
            must!(found.bytes()[..] == sent.stored()[..], "batch {range:?} is not what was sent");
        }
        Ok(())
    }

    /// Of each key the latest record stays, with its offset; what else is there was sent.
    fn check_compacted(&self, found: &Found) -> Checked {
        let sent = self.records(found.end);
        // Also by markers that power loss has taken: they were seen, and acted upon.
        let aborted = self.aborted(i64::MAX);
        let counts = |offset: i64| !aborted.iter().any(|transaction| transaction.has(offset));
        let mut latest = BTreeMap::new();
        for batch in found.batches.iter().filter(|batch| !batch.header().is_control()) {
            let (header, epoch) = (batch.header(), self.epoch_at(batch.header().last_offset().0));
            must!(Some(header.leader_epoch.0) == epoch, "epoch {} at {}", header.leader_epoch, header.base_offset);
            for record in &batch.records().map_err(|error| error.to_string())? {
                let record = record.map_err(|error| error.to_string())?;
                let (key, value) = (record.key.unwrap_or_default().to_vec(), record.value.unwrap_or_default().to_vec());
                let offset = record.offset.0;
                must!(sent.get(&offset) == Some(&(key.clone(), value)), "record {offset} is not what was sent");
                if counts(offset) {
                    latest.insert(key, offset);
                }
            }
        }
        let mut expected = BTreeMap::new();
        for (offset, (key, _)) in sent.range(found.start..).filter(|(offset, _)| counts(**offset)) {
            expected.insert(key.clone(), *offset);
        }
        latest.retain(|_, offset| *offset >= found.start);
        if matches!(self.cut, Some(Cut::Over(_))) {
            // Segments go from the end on until nothing is left: what compaction took away for the sake of a later record is gone, too.
            let hidden = self.records(i64::MAX).split_off(&found.end);
            let is_hidden = |key: &Vec<u8>| hidden.values().any(|(later, _)| later == key);
            latest.retain(|key, _| !is_hidden(key));
            expected.retain(|key, _| !is_hidden(key));
        }
        must!(latest == expected, "latest of each key {latest:?}, not {expected:?}");
        Ok(())
    }

    /// Key and value by offset of all that was sent before `end`.
    fn records(&self, end: i64) -> BTreeMap<i64, (Vec<u8>, Vec<u8>)> {
        let mut all = BTreeMap::new();
        for sent in self.sent.iter().filter(|sent| sent.last < end && !sent.batch.header().is_control()) {
            let records = sent.batch.records().expect("records");
            for (offset, record) in (sent.first..).zip(&records) {
                let record = record.expect("a record");
                let bytes = |part: Option<&[u8]>| part.unwrap_or_default().to_vec();
                all.insert(offset, (bytes(record.key), bytes(record.value)));
            }
        }
        all
    }

    fn epoch_at(&self, offset: i64) -> Option<i32> {
        self.sent.iter().find(|sent| (sent.first..=sent.last).contains(&offset)).map(|sent| sent.epoch)
    }

    fn check_epochs(&self, found: &Found) -> Checked {
        let mut known: Vec<_> = self.epochs.iter().copied().filter(|(_, start)| *start < found.end).collect();
        // What begins before the log's start begins there, and what has ended before it is forgotten.
        let ended = known.partition_point(|(_, start)| *start <= found.start).saturating_sub(1);
        known.drain(..ended);
        if let Some((_, start)) = known.first_mut() {
            *start = found.start.max(*start);
        }
        if found.start == found.end && found.epoch_ends.iter().all(Option::is_none) {
            // Of a log without records, Kafka forgets the epochs, too.
            return Ok(());
        }
        let ends: Vec<_> = (0..=self.epoch).map(|epoch| end_of(&known, epoch, found.end)).collect();
        must!(ends == found.epoch_ends, "epochs end at {:?}, not {ends:?}", found.epoch_ends);
        Ok(())
    }

    /// Compaction keeps a producer's last batch, and no other. If the crash takes that one along, the producer may be as unknown
    /// as in Kafka: what it sends again then is nowhere in the log.
    pub(super) fn may_forget(&self, id: i64, end: i64) -> bool {
        self.compacted && self.producers(end).get(&id) != self.producers(i64::MAX).get(&id)
    }

    /// Whether all that a producer had before `end` was deleted with what is before `start`.
    pub(super) fn is_deleted(&self, id: i64, end: i64, start: i64) -> bool {
        self.producers(end).get(&id).is_none_or(|(_, _, last)| *last < start)
    }

    fn check_producers(&self, found: &Found) -> Checked {
        let mut expected = self.producers(found.end);
        expected.retain(|id, _| !self.may_forget(*id, found.end));
        for (id, (epoch, sequence)) in found.producers.iter().filter(|(id, _)| !self.may_forget(**id, found.end)) {
            let known = expected.get(id).map(|(epoch, sequence, _)| (*epoch, *sequence));
            // Of a producer whose last records were deleted, a marker says no more than the epoch.
            let forgotten = expected.get(id).is_none_or(|(_, _, last)| *last < found.start);
            let only_marker = *id >= TRANSACTIONAL && (*epoch, *sequence) == (0, -1) && forgotten;
            must!(
                only_marker || known == Some((*epoch, *sequence)),
                "producer {id} is at {epoch}/{sequence}, not {known:?}"
            );
        }
        for (id, (_, _, last)) in expected.iter().filter(|(_, (_, _, last))| *last >= found.start) {
            must!(found.producers.contains_key(id), "producer {id} is forgotten, its last batch ends at {last}");
        }
        Ok(())
    }
}

/// A transaction, by what was sent.
#[derive(Default)]
struct Transaction {
    producer: i64,
    /// First and last offsets of its batches.
    batches: Vec<(i64, i64)>,
}

impl Transaction {
    fn has(&self, offset: i64) -> bool {
        self.batches.iter().any(|(first, last)| (*first..=*last).contains(&offset))
    }
}

impl Promises {
    /// Those that end before `end`, with the offset of the marker and whether it aborts; and those that do not.
    fn transactions(&self, end: i64) -> (Vec<(Transaction, i64, bool)>, Vec<Transaction>) {
        let (mut ended, mut open) = (Vec::new(), BTreeMap::<i64, Transaction>::new());
        for sent in self.sent.iter().filter(|sent| sent.last < end && sent.batch.header().is_transactional()) {
            let producer = sent.batch.header().producer_id;
            match EndTransactionMarker::of(&sent.batch).expect("a sound batch") {
                Some(marker) => {
                    let transaction = open.remove(&producer).unwrap_or_default();
                    ended.push((transaction, sent.last, marker.control_type == ControlType::Abort));
                }
                None => {
                    let transaction = open.entry(producer).or_default();
                    transaction.producer = producer;
                    transaction.batches.push((sent.first, sent.last));
                }
            }
        }
        (ended, open.into_values().collect())
    }

    fn aborted(&self, end: i64) -> Vec<Transaction> {
        let (ended, _) = self.transactions(end);
        ended.into_iter().filter(|(_, _, aborts)| *aborts).map(|(transaction, _, _)| transaction).collect()
    }

    /// What a `read_committed` consumer is told: of each batch that was aborted, that it was; nothing of any other; and nothing beyond the
    /// first that is not decided, which is one that was sent.
    pub(super) fn check_decided(&self, found: &Found, decided: &Decided) -> Checked {
        let (ended, open) = self.transactions(found.end);
        for entry in &decided.aborted {
            let (first, marker) = (entry.first_offset.0, entry.last_offset.0);
            let known = ended.iter().find(|(transaction, last, aborts)| {
                *aborts && *last == marker && transaction.producer == entry.producer_id
            });
            must!(known.is_some_and(|(transaction, _, _)| transaction.has(first)), "nobody aborted {entry:?}");
        }
        for batch in found.batches.iter().map(Batch::header).filter(|header| !header.is_control()) {
            let (first, last) = (batch.base_offset.0, batch.last_offset().0);
            let was_aborted = ended.iter().find(|(transaction, _, aborts)| *aborts && transaction.has(first));
            let told = |marker: i64| {
                let of_it = |it: &&AbortedTransaction| it.last_offset.0 == marker && it.first_offset.0 <= first;
                decided.aborted.iter().find(of_it).is_some()
            };
            let told = was_aborted.is_none_or(|(_, marker, _)| told(*marker));
            must!(told, "that {first}..={last} was aborted is not told: {:?}", decided.aborted);
            let is_open = open.iter().any(|transaction| transaction.has(first));
            must!(
                !is_open || decided.stable <= first.max(found.start),
                "{first} is stable, and open: all before {}",
                decided.stable
            );
        }
        let opened = |at: i64| open.iter().flat_map(|it| &it.batches).any(|(first, _)| *first.max(&found.start) == at);
        let stable = decided.stable;
        must!(stable == found.end || opened(stable), "{stable} of {} is stable, and no transaction is open", found.end);
        Ok(())
    }
}

impl Sent {
    /// The bytes that a leader stores: offset and epoch are its own, the rest is the producer's.
    fn stored(&self) -> Vec<u8> {
        let mut bytes = self.batch.bytes().to_vec();
        patch::assign(&mut bytes[..patch::ASSIGNED_LEN], Offset(self.first), LeaderEpoch(self.epoch));
        debug_assert!(batches(bytes.clone().into()).all(|batch| batch.is_ok()));
        bytes
    }
}

/// Kafka's LeaderEpochFileCache.endOffsetFor, over a list.
fn end_of(known: &[(i32, i64)], asked: i32, log_end: i64) -> Option<(i32, i64)> {
    let latest = known.last()?.0;
    match asked {
        _ if asked > latest => None,
        _ if asked == latest => Some((asked, log_end)),
        _ => {
            let next = known.partition_point(|(epoch, _)| *epoch <= asked);
            Some((next.checked_sub(1).map_or(asked, |at| known[at].0), known[next].1))
        }
    }
}
