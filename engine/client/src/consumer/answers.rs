//! What the consumer's thread does with an answer: records are buffered, a position is found, or there is a pause or an error.

use std::collections::HashMap;

use logdyno_record::{Nanos, Offset, Stage, TopicPartition};
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::FetchResponse;
use logdyno_wire::messages::fetch_response::PartitionData;

use super::assignment::{Failure, PartitionState, Wanted};
use super::digest::digest;
use super::fetched::Buffered;
use super::fetcher::Fetcher;
use super::isolation::Aborted;
use crate::backoff::Backoff;
use crate::config::{IsolationLevel, OffsetReset};
use crate::error::ClientError;
use crate::network::{Cluster, FoundOffset, Leader, is_stale_metadata, is_told};

impl Fetcher {
    pub(super) fn handle_found(
        &self,
        partition: &TopicPartition,
        generation: u64,
        answer: Option<Result<FoundOffset, ClientError>>,
    ) {
        let now = self.shared.clock.now();
        let mut assignment = self.shared.lock();
        let Some(state) = assignment.same(partition, generation) else { return };
        state.resetting = false;
        match answer {
            Some(Ok(found)) if found.offset.0 >= 0 => {
                state.position = Some(found.offset);
                state.fetch_position = Some(found.offset);
                (state.reset, state.failures) = (None, 0);
            }
            // No record is as young as was asked: the end is where the next such record will be.
            Some(Ok(_)) => state.reset = Some(OffsetReset::Latest),
            Some(Err(error)) => {
                self.pause(state, now);
                if is_told(&error) {
                    assignment.fail(partition, generation, Failure::Passing(error));
                } else if !error.is_retriable() {
                    tracing::warn!(%partition, %error, "looking up an offset; it is tried again");
                }
            }
            None => self.pause(state, now),
        }
    }

    pub(super) fn handle_fetched(&self, asked: Vec<Wanted>, result: Result<FetchResponse, ClientError>, at: Nanos) {
        let cluster = self.shared.network.metadata.cluster();
        let answers = match &result {
            Ok(response) if response.error_code == 0 => by_partition(&cluster, response),
            Ok(_) | Err(_) => HashMap::new(),
        };
        if result.is_err() {
            self.shared.network.metadata.request_update();
        }
        for wanted in &asked {
            let answer = answers.get(&(&*wanted.partition.topic, wanted.partition.partition)).copied();
            self.handle_partition(wanted, answer, at);
        }
    }

    fn handle_partition(&self, wanted: &Wanted, answer: Option<&PartitionData>, at: Nanos) {
        let digested = answer.filter(|data| data.error_code == 0).map(|data| {
            let records = data.records.clone().unwrap_or_default();
            digest(&wanted.partition, wanted.offset, records, self.aborted(data), self.shared.config.check_crcs)
        });
        let mut assignment = self.shared.lock();
        let Some(state) = assignment.same(&wanted.partition, wanted.generation) else { return };
        state.fetching = false;
        let failure = match (answer, digested) {
            (Some(data), Some(digested)) => {
                state.failures = 0;
                state.high_watermark = Some(Offset(data.high_watermark));
                for entry in &digested.entries {
                    if let Buffered::Batch(batch) = entry {
                        let offsets = batch.first_offset()..batch.end_offset();
                        self.shared.probe.passed(Stage::Fetched, &wanted.partition, offsets, at);
                    }
                }
                assignment.buffer(&wanted.partition, wanted.generation, digested.entries);
                digested.failure.map(Failure::Lasting)
            }
            (Some(data), None) => self.handle_error(state, wanted, data, at),
            (None, _) => {
                self.pause(state, at);
                None
            }
        };
        if let Some(failure) = failure {
            assignment.fail(&wanted.partition, wanted.generation, failure);
        }
    }

    /// Pauses or resets the partition, or returns what poll is to say.
    fn handle_error(
        &self,
        state: &mut PartitionState,
        wanted: &Wanted,
        data: &PartitionData,
        now: Nanos,
    ) -> Option<Failure> {
        let code = ErrorCode::try_from_code(data.error_code).unwrap_or(ErrorCode::UnknownServerError);
        if code == ErrorCode::OffsetOutOfRange {
            let (partition, offset) = (wanted.partition.clone(), wanted.offset);
            if self.shared.config.offset_reset == OffsetReset::None {
                return Some(Failure::Lasting(ClientError::OffsetOutOfRange { partition, offset }));
            }
            tracing::info!(%partition, %offset, "out of range: resetting");
            state.reset = Some(self.shared.config.offset_reset);
            return None;
        }
        if is_stale_metadata(code) {
            let leader = Leader { node: data.current_leader.leader_id.0, epoch: data.current_leader.leader_epoch };
            if leader.node >= 0 && leader.epoch >= 0 {
                self.shared.network.metadata.learn_leader(&wanted.partition, leader);
            }
            self.shared.network.metadata.request_update();
        }
        self.pause(state, now);
        if code == ErrorCode::UnknownServerError {
            tracing::warn!(partition = %wanted.partition, offset = %wanted.offset, "the broker had an error; it is asked again");
            return None;
        }
        if is_stale_metadata(code) || code.is_retriable() && code != ErrorCode::CorruptMessage {
            return None;
        }
        let doing = format!("fetching {} from offset {}", wanted.partition, wanted.offset);
        Some(Failure::Passing(ClientError::Refused { doing, code, message: None }))
    }

    /// Leaves the partition alone for a while.
    pub(super) fn pause(&self, state: &mut PartitionState, now: Nanos) {
        let config = &self.shared.config.connection;
        let backoff = Backoff { first: config.retry_backoff, most: config.retry_backoff_max };
        state.failures += 1;
        state.not_before = now.after(backoff.pause(state.failures, (self.shared.network.random)()));
    }

    fn aborted(&self, data: &PartitionData) -> Aborted {
        if self.shared.config.isolation_level == IsolationLevel::ReadUncommitted {
            return Aborted::default();
        }
        let list = data.aborted_transactions.iter().flatten();
        Aborted::new(list.map(|aborted| (aborted.producer_id.0, aborted.first_offset)))
    }
}

/// Answers by topic name and partition; version 13 and later name topics by id.
fn by_partition<'a>(cluster: &'a Cluster, response: &'a FetchResponse) -> HashMap<(&'a str, i32), &'a PartitionData> {
    let ids: HashMap<_, &str> = cluster.topics.iter().map(|(name, topic)| (topic.id, &**name)).collect();
    let mut answers = HashMap::new();
    for topic in &response.responses {
        let by_name = Some(&*topic.topic.0).filter(|name| !name.is_empty());
        let Some(name) = by_name.or_else(|| ids.get(&topic.topic_id).copied()) else { continue };
        answers.extend(topic.partitions.iter().map(|data| ((name, data.partition_index), data)));
    }
    answers
}
