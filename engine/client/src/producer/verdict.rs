//! What becomes of a batch once its request is answered: its records are acknowledged, it is sent again or split, or it fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use logdyno_record::{Nanos, Offset, TopicPartition};
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::ProduceResponse;
use logdyno_wire::messages::produce_response::PartitionProduceResponse;

use super::accumulator::PartitionQueue;
use super::batch::ProducerBatch;
use super::completion::Outcome;
use super::metrics::Counters;
use super::sender::SenderShared;
use crate::backoff::Backoff;
use crate::error::ClientError;
use crate::network::{Leader, is_stale_metadata};

type AnswerKey<'a> = (&'a str, i32);

/// What was said of the batches of a request.
pub(super) enum Verdicts<'a> {
    Answered(HashMap<AnswerKey<'a>, &'a PartitionProduceResponse>),
    /// `acks=0`: handed to the socket, nobody answers.
    Unanswered,
    Lost(&'a ClientError),
}

impl<'a> Verdicts<'a> {
    /// By partition.
    pub(super) fn of(response: &'a ProduceResponse) -> Verdicts<'a> {
        let topics = response.responses.iter();
        let answers = topics
            .flat_map(|topic| topic.partition_responses.iter().map(|answer| ((&*topic.name.0, answer.index), answer)));
        Verdicts::Answered(answers.collect())
    }
}

impl SenderShared {
    /// Deals with a batch whose request was answered, or lost, at `answered`.
    pub(super) fn conclude(
        &self,
        queue: &PartitionQueue,
        batch: ProducerBatch,
        verdicts: &Verdicts<'_>,
        answered: Nanos,
    ) {
        match verdicts {
            Verdicts::Unanswered => self.acknowledge(batch, Offset(-1), -1, answered),
            Verdicts::Lost(error) => self.retry_or_fail(queue, batch, (*error).clone(), answered),
            Verdicts::Answered(answers) => match answers.get(&key(queue.partition())) {
                Some(answer) => self.conclude_answered(queue, batch, answer, answered),
                None => {
                    let error = ClientError::Disconnected {
                        doing: format!("producing to {}", queue.partition()),
                        reason: "the answer does not speak of the partition".to_owned(),
                    };
                    self.retry_or_fail(queue, batch, error, answered);
                }
            },
        }
    }

    fn conclude_answered(
        &self,
        queue: &PartitionQueue,
        batch: ProducerBatch,
        answer: &PartitionProduceResponse,
        answered: Nanos,
    ) {
        let Some(code) = ErrorCode::try_from_code(answer.error_code) else {
            return self.acknowledge(batch, Offset(answer.base_offset), answer.log_append_time_ms, answered);
        };
        if code == ErrorCode::MessageTooLarge && batch.records() > 1 {
            return self.split(queue, batch);
        }
        if code == ErrorCode::DuplicateSequenceNumber && batch.stamped.is_some() {
            // It came with an earlier attempt; where it is, the broker has forgotten.
            return self.acknowledge(batch, Offset(-1), -1, answered);
        }
        if is_stale_metadata(code) {
            self.network.metadata.request_update();
            let leader = Leader { node: answer.current_leader.leader_id.0, epoch: answer.current_leader.leader_epoch };
            if leader.node >= 0 && leader.epoch >= 0 {
                self.network.metadata.learn_leader(queue.partition(), leader);
            }
        }
        let error = ClientError::Refused {
            doing: format!("producing to {}", queue.partition()),
            code,
            message: answer.error_message.as_ref().map(|message| message.to_string()),
        };
        if let Some(stamped) = batch.stamped.filter(|_| is_out_of_sequence(code)) {
            queue.lock().sequences().refused(stamped.position);
            self.retry_or_fail(queue, batch, error, answered);
        } else if code.is_retriable() {
            self.retry_or_fail(queue, batch, error, answered);
        } else {
            self.fail(batch, error);
        }
    }

    fn retry_or_fail(&self, queue: &PartitionQueue, mut batch: ProducerBatch, error: ClientError, now: Nanos) {
        if batch.deadline(self.config.delivery_timeout) <= now {
            batch.last_error = Some(error);
            let error = batch.timed_out(now);
            return self.fail(batch, error);
        }
        if batch.attempts > self.config.retries || self.abort.load(Ordering::Acquire) {
            return self.fail(batch, error);
        }
        let config = &self.config.connection;
        let backoff = Backoff { first: config.retry_backoff, most: config.retry_backoff_max };
        batch.not_before = now.after(backoff.pause(batch.attempts, (self.network.random)()));
        tracing::debug!(partition = %queue.partition(), attempts = batch.attempts, %error, "a batch is sent again");
        batch.last_error = Some(error);
        Counters::add(&self.counters.retries, 1);
        queue.lock().put_back(vec![batch]);
    }

    fn split(&self, queue: &PartitionQueue, batch: ProducerBatch) {
        let settings = &self.accumulator.settings;
        let topic = self.accumulator.topic(&queue.partition().topic);
        topic.ratio.reset(batch.compression_ratio());
        let records = u64::from(batch.records());
        let (whole, stamped) = (Arc::clone(batch.completion()), batch.stamped);
        match batch.split(settings.codec, settings.batch_size) {
            Ok(parts) => {
                parts.iter().for_each(|part| self.accumulator.incomplete().add(part.completion()));
                Counters::add(&self.counters.splits, 1);
                let mut state = queue.lock();
                if let Some(stamped) = stamped {
                    let positions = parts.iter().filter_map(|part| part.stamped).map(|part| part.position);
                    state.sequences().split(stamped.position, positions);
                }
                state.put_back(parts);
            }
            Err(_) => {
                Counters::add(&self.counters.records_failed, records);
                stamped.into_iter().for_each(|stamped| queue.lock().sequences().finished(stamped.position));
            }
        }
        self.accumulator.incomplete().remove(&whole);
    }

    fn acknowledge(&self, batch: ProducerBatch, base_offset: Offset, log_append_time: i64, at: Nanos) {
        self.probe.produced(&batch.report(Some(base_offset).filter(|offset| offset.0 >= 0), at));
        Counters::add(&self.counters.batches_acknowledged, 1);
        Counters::add(&self.counters.records_acknowledged, u64::from(batch.records()));
        self.complete(batch, Outcome::Acknowledged { base_offset, log_append_time });
    }

    /// Fails a batch's records.
    pub(super) fn fail(&self, batch: ProducerBatch, error: ClientError) {
        tracing::debug!(partition = %batch.partition(), %error, "a batch failed");
        Counters::add(&self.counters.records_failed, u64::from(batch.records()));
        self.complete(batch, Outcome::Failed(error));
    }

    fn complete(&self, batch: ProducerBatch, outcome: Outcome) {
        let completion = Arc::clone(batch.completion());
        if let Some(stamped) = batch.stamped {
            let queue = self.accumulator.topic(&batch.partition().topic).queue(batch.partition().partition);
            let mut state = queue.lock();
            if matches!(outcome, Outcome::Acknowledged { .. }) {
                state.sequences().acknowledged(stamped.position);
            }
            state.sequences().finished(stamped.position);
        }
        batch.complete(outcome);
        self.accumulator.incomplete().remove(&completion);
    }
}

fn key(partition: &TopicPartition) -> AnswerKey<'_> {
    (&partition.topic, partition.partition)
}

/// What a broker says that waits for another sequence, or does not know the producer's epoch any more (Kafka's
/// `TransactionManager.canRetry`): it has not got the batch.
fn is_out_of_sequence(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::OutOfOrderSequenceNumber | ErrorCode::UnknownProducerId | ErrorCode::InvalidProducerEpoch)
}
