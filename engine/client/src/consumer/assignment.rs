//! The assigned partitions: where each is, what is buffered for it, and what is asked next. Pure state under one lock.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use logdyno_record::{Nanos, Offset, TopicPartition};

use super::fetched::{Buffer, Buffered, FetchedBatch};
use crate::config::OffsetReset;
use crate::error::ClientError;

/// Why a partition gives nothing.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// Poll says it once, then the broker is asked again: what it refuses now it may allow later.
    Passing(ClientError),
    /// Poll says it until a seek.
    Lasting(ClientError),
}

/// An assigned partition.
#[derive(Debug, Default)]
pub(crate) struct PartitionState {
    /// Grows with every seek: an answer to an older question is dropped.
    pub(crate) generation: u64,
    /// The next offset to hand out.
    pub(crate) position: Option<Offset>,
    /// The next offset to ask for: after what is buffered.
    pub(crate) fetch_position: Option<Offset>,
    /// Where to go once the buffer is empty: no position, or one out of range.
    pub(crate) reset: Option<OffsetReset>,
    /// True while a question for its reset is out.
    pub(crate) resetting: bool,
    /// Not fetched, and its buffered records are kept back.
    pub(crate) paused: bool,
    /// True while a fetch for it is out.
    pub(crate) fetching: bool,
    /// After an error: not asked before.
    pub(crate) not_before: Nanos,
    /// Errors in a row.
    pub(crate) failures: u32,
    /// What `poll` says once the buffer is empty.
    failure: Option<Failure>,
    /// As the latest answer told.
    pub(crate) high_watermark: Option<Offset>,
    buffer: Buffer,
    buffered_bytes: usize,
}

/// A fetch that could be sent for a partition.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) partition: TopicPartition,
    pub(crate) generation: u64,
    pub(crate) offset: Offset,
}

/// All assigned partitions, and whether poll was woken.
#[derive(Debug, Default)]
pub(crate) struct Assignment {
    partitions: BTreeMap<TopicPartition, PartitionState>,
    generations: u64,
    /// Those of them for which something is buffered: of thousands it is few that a poll looks at.
    filled: BTreeSet<TopicPartition>,
    /// The one that was served last: it is the next one's turn.
    served: Option<TopicPartition>,
    /// The one whose first record stopped a poll that had others to return: the next poll begins with it.
    stopped: Option<TopicPartition>,
    /// Those that have failed.
    failed: BTreeSet<TopicPartition>,
    /// The one whose failure was said last.
    said: Option<TopicPartition>,
    /// The last poll said a failure: it is the records' turn.
    has_said: bool,
    pub(crate) wakeup: bool,
}

impl Assignment {
    /// Replaces the assignment. Partitions that stay keep position and buffer.
    pub(crate) fn assign(&mut self, partitions: impl IntoIterator<Item = TopicPartition>, reset: OffsetReset) {
        let mut before = std::mem::take(&mut self.partitions);
        for partition in partitions {
            let state = before.remove(&partition).unwrap_or_else(|| {
                self.generations += 1;
                PartitionState { generation: self.generations, reset: Some(reset), ..PartitionState::default() }
            });
            self.partitions.insert(partition, state);
        }
        self.filled.retain(|partition| self.partitions.contains_key(partition));
        self.failed.retain(|partition| self.partitions.contains_key(partition));
    }

    /// The assigned partitions, ascending.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.keys()
    }

    /// One of them.
    pub(crate) fn get_mut(&mut self, partition: &TopicPartition) -> Result<&mut PartitionState, ClientError> {
        let missing = || ClientError::NotAssigned { partition: partition.clone() };
        self.partitions.get_mut(partition).ok_or_else(missing)
    }

    /// One of them, if it is still the one that was asked for.
    pub(crate) fn same(&mut self, partition: &TopicPartition, generation: u64) -> Option<&mut PartitionState> {
        self.partitions.get_mut(partition).filter(|state| state.generation == generation)
    }

    /// All of them.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = (&TopicPartition, &mut PartitionState)> {
        self.partitions.iter_mut()
    }

    /// Bytes buffered that a poll may take: those of partitions that are not paused.
    pub(crate) fn bytes_to_poll(&self) -> usize {
        let filled = self.filled.iter().filter_map(|partition| self.partitions.get(partition));
        filled.filter(|state| !state.paused).map(|state| state.buffered_bytes).sum()
    }

    /// Moves the position: to an offset, or by a reset that is looked up. What was buffered or asked is void.
    pub(crate) fn seek(
        &mut self,
        partition: &TopicPartition,
        to: Result<Offset, OffsetReset>,
    ) -> Result<(), ClientError> {
        self.generations += 1;
        let generation = self.generations;
        let state = self.get_mut(partition)?;
        *state = PartitionState {
            generation,
            position: to.ok(),
            fetch_position: to.ok(),
            reset: to.err(),
            paused: state.paused,
            high_watermark: state.high_watermark,
            ..PartitionState::default()
        };
        self.filled.remove(partition);
        self.failed.remove(partition);
        Ok(())
    }

    /// Adds what a fetch brought.
    pub(crate) fn buffer(&mut self, partition: &TopicPartition, generation: u64, entries: Vec<Buffered>) {
        let Some(state) = self.same(partition, generation) else { return };
        for entry in entries {
            state.fetch_position = Some(match &entry {
                Buffered::Batch(batch) => batch.end_offset(),
                Buffered::MoveTo(offset) => *offset,
            });
            state.buffered_bytes += entry_bytes(&entry);
            state.buffer.push_back(entry);
        }
        let is_filled = !state.buffer.is_empty();
        if is_filled {
            self.filled.insert(partition.clone());
        }
    }

    /// The partition gives nothing any more, and a poll says why.
    pub(crate) fn fail(&mut self, partition: &TopicPartition, generation: u64, failure: Failure) {
        let Some(state) = self.same(partition, generation) else { return };
        state.failure = Some(failure);
        self.failed.insert(partition.clone());
    }

    /// What the next poll returns: up to `max_records` to hand out, or why a partition gives none. Where there are both they take
    /// turns, so that a busy partition hides no failure and a failure takes no other partition down.
    pub(crate) fn take_turn(&mut self, max_records: usize) -> Option<Result<Vec<FetchedBatch>, ClientError>> {
        let is_records_turn = std::mem::take(&mut self.has_said);
        let failure = if is_records_turn { None } else { self.say_failure() };
        if failure.is_some() {
            return failure.map(Err);
        }
        let taken = self.take(max_records);
        if !taken.is_empty() {
            return Some(Ok(taken));
        }
        self.say_failure().map(Err)
    }

    /// The error of a partition whose buffer is empty, of each in turn.
    fn say_failure(&mut self) -> Option<ClientError> {
        let behind = self.said.iter().flat_map(|said| self.failed.range((Excluded(said), Unbounded)));
        let can_say = |partition: &&TopicPartition| {
            self.partitions.get(*partition).is_some_and(|state| state.buffer.is_empty() && !state.paused)
        };
        let partition = behind.chain(&self.failed).find(can_say)?.clone();
        let failure = self.say_failure_of(&partition);
        self.said = Some(partition);
        self.has_said = failure.is_some();
        failure
    }

    fn say_failure_of(&mut self, partition: &TopicPartition) -> Option<ClientError> {
        let state = self.partitions.get_mut(partition)?;
        match state.failure.take()? {
            Failure::Passing(error) => {
                self.failed.remove(partition);
                Some(error)
            }
            Failure::Lasting(error) => {
                state.failure = Some(Failure::Lasting(error.clone()));
                Some(error)
            }
        }
    }

    /// The next offset to hand out; `None` while it is looked up. An error says why it cannot be.
    pub(crate) fn position(&mut self, partition: &TopicPartition) -> Result<Option<Offset>, ClientError> {
        match self.get_mut(partition)?.position {
            Some(position) => Ok(Some(position)),
            None => self.say_failure_of(partition).map_or(Ok(None), Err),
        }
    }

    /// Takes up to `max_records` to hand out, partition by partition in turn, and moves positions.
    fn take(&mut self, max_records: usize) -> Vec<FetchedBatch> {
        let mut taken = Vec::new();
        let mut room = max_records;
        let mut last = self.served.clone();
        let mut first = self.stopped.take().filter(|stopped| self.filled.contains(stopped));
        for _ in 0..self.filled.len() {
            let Some(partition) = first.take().or_else(|| self.next_filled(last.as_ref())) else { break };
            if let Some(state) = self.partitions.get_mut(&partition).filter(|state| !state.paused) {
                state.take(&mut room, &mut taken);
                if state.buffer.is_empty() {
                    self.filled.remove(&partition);
                }
            }
            last = Some(partition);
            if room == 0 {
                self.served = last;
                break;
            }
        }
        taken
    }

    /// The next one behind `last`, around the end, for which something is buffered.
    fn next_filled(&self, last: Option<&TopicPartition>) -> Option<TopicPartition> {
        let behind = last.and_then(|last| self.filled.range((Excluded(last), Unbounded)).next());
        behind.or_else(|| self.filled.first()).cloned()
    }

    /// Puts back what was taken and not handed out, in order, since a record of the first of these stops its partition. If poll
    /// has `said` so, the partition waits until all others were served; else it is the first in the next poll.
    pub(crate) fn put_back(&mut self, batches: Vec<FetchedBatch>, said: bool) {
        let stopped = batches.first().map(|batch| batch.partition().clone());
        match said {
            true => self.served = stopped,
            false => self.stopped = stopped,
        }
        for batch in batches.into_iter().rev() {
            let partition = batch.partition().clone();
            let Some(state) = self.partitions.get_mut(&partition) else { continue };
            state.position = Some(batch.first_offset());
            let entry = Buffered::Batch(batch);
            state.buffered_bytes += entry_bytes(&entry);
            state.buffer.push_front(entry);
            self.filled.insert(partition);
        }
    }
}

impl PartitionState {
    /// The fetch that could be sent for it now.
    pub(crate) fn wants_fetch(&self, max_buffered: usize, now: Nanos) -> Option<Offset> {
        let idle = !self.paused && !self.fetching && self.failure.is_none() && self.reset.is_none();
        let due = now >= self.not_before && self.buffered_bytes < max_buffered;
        self.fetch_position.filter(|_| idle && due)
    }

    /// The reset that could be looked up for it now.
    pub(crate) fn wants_reset(&self, now: Nanos) -> Option<OffsetReset> {
        let idle = !self.resetting && self.failure.is_none() && self.buffer.is_empty() && now >= self.not_before;
        self.reset.filter(|_| idle)
    }

    fn take(&mut self, room: &mut usize, taken: &mut Vec<FetchedBatch>) {
        while *room > 0 {
            let Some(entry) = self.buffer.pop_front() else { return };
            self.buffered_bytes -= entry_bytes(&entry);
            match entry {
                Buffered::MoveTo(offset) => self.position = Some(offset),
                Buffered::Batch(mut batch) => {
                    if batch.records_at_most() > *room {
                        let rest = batch.split_at(batch.first_offset() + *room as i64);
                        let rest = Buffered::Batch(rest);
                        self.buffered_bytes += entry_bytes(&rest);
                        self.buffer.push_front(rest);
                    }
                    *room -= batch.records_at_most();
                    self.position = Some(batch.end_offset());
                    taken.push(batch);
                }
            }
        }
    }
}

fn entry_bytes(entry: &Buffered) -> usize {
    match entry {
        Buffered::Batch(batch) => batch.batch().bytes().len(),
        Buffered::MoveTo(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression};
    use logdyno_wire::ErrorCode;

    use super::*;

    /// Partitions 0 to 3 of which the first three have ten records each.
    fn filled() -> Assignment {
        let mut assignment = Assignment::default();
        let partition = |index| TopicPartition::new("t", index);
        assignment.assign((0..4).map(partition), OffsetReset::Earliest);
        for index in 0..3 {
            let mut builder = BatchBuilder::new(Codec::new(Compression::None), 500);
            for _ in 0..10 {
                builder.append(5, None, Some(b"value"), &[]);
            }
            let batch = builder.build(&BatchOptions::default()).expect("a batch");
            let generation = assignment.get_mut(&partition(index)).expect("it is assigned").generation;
            let fetched = FetchedBatch::new(partition(index), batch, Offset(0));
            assignment.buffer(&partition(index), generation, vec![Buffered::Batch(fetched)]);
        }
        assignment
    }

    /// Partition and first offset of what is taken.
    fn taken(assignment: &mut Assignment, records: usize) -> Vec<(i32, i64)> {
        let taken = assignment.take(records);
        taken.iter().map(|batch| (batch.partition().partition, batch.first_offset().0)).collect()
    }

    /// A busy partition does not hide a failure, which may be all that a consumer hears of it.
    #[test]
    fn failures_and_records_take_turns() {
        let mut assignment = filled();
        let generations = [2, 3]
            .map(|index| assignment.get_mut(&TopicPartition::new("t", index)).expect("it is assigned").generation);
        let failure = |index| Failure::Lasting(ClientError::NoOffset { partition: TopicPartition::new("t", index) });
        assignment.fail(&TopicPartition::new("t", 3), generations[1], failure(3));
        assignment.fail(&TopicPartition::new("t", 2), generations[0], failure(2));
        let turn = |assignment: &mut Assignment| match assignment.take_turn(10).expect("something") {
            Ok(batches) => format!("records of {}", batches[0].partition().partition),
            Err(error) => error.to_string().chars().take(3).collect(),
        };
        let turns: Vec<String> = (0..6).map(|_| turn(&mut assignment)).collect();
        assert_eq!(turns, ["t-3", "records of 0", "t-3", "records of 1", "t-3", "records of 2"]);
        let turns: Vec<String> = (0..3).map(|_| turn(&mut assignment)).collect();
        assert_eq!(turns, ["t-2", "t-3", "t-2"], "what is buffered before a failure comes first");
    }

    #[test]
    fn what_passes_is_said_once_and_then_the_broker_is_asked_again() {
        let mut assignment = filled();
        let partition = TopicPartition::new("t", 3);
        assignment.seek(&partition, Ok(Offset(0))).expect("it is assigned");
        let generation = assignment.get_mut(&partition).expect("it is assigned").generation;
        let code = ErrorCode::TopicAuthorizationFailed;
        let passing = ClientError::Topic { topic: "t".to_owned(), code };
        assignment.fail(&partition, generation, Failure::Passing(passing));
        let wants = |assignment: &mut Assignment| {
            assignment.get_mut(&partition).expect("it is assigned").wants_fetch(1, Nanos(0)).is_some()
        };
        assert!(!wants(&mut assignment));
        assert!(matches!(assignment.take_turn(1), Some(Err(ClientError::Topic { .. }))));
        assert!(wants(&mut assignment));
        assert!(matches!(assignment.take_turn(100), Some(Ok(_))) && assignment.take_turn(100).is_none());
    }

    /// Whoever filled a poll has to wait until all others were served.
    #[test]
    fn partitions_take_turns() {
        let mut assignment = filled();
        let turns: Vec<_> = (0..6).map(|_| taken(&mut assignment, 5)).collect();
        assert_eq!(turns, [[(0, 0)], [(1, 0)], [(2, 0)], [(0, 5)], [(1, 5)], [(2, 5)]]);
        assert!(taken(&mut assignment, 5).is_empty());
        assert_eq!(assignment.bytes_to_poll(), 0);
    }

    #[test]
    fn who_is_paused_or_gone_is_passed_over() {
        let mut assignment = filled();
        assert_eq!(taken(&mut assignment, 5), [(0, 0)]);
        assignment.get_mut(&TopicPartition::new("t", 1)).expect("it is assigned").paused = true;
        assert_eq!(taken(&mut assignment, 15), [(2, 0), (0, 5)]);
        assignment.get_mut(&TopicPartition::new("t", 1)).expect("it is assigned").paused = false;
        let put_back = assignment.take(15);
        assignment.put_back(put_back, false);
        assert_eq!(taken(&mut assignment, 3), [(1, 0)]);
        assignment.seek(&TopicPartition::new("t", 1), Ok(Offset(0))).expect("it is assigned");
        assert!(taken(&mut assignment, 15).is_empty() && assignment.bytes_to_poll() == 0);
    }
}
