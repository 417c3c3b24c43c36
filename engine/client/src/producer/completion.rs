//! How a record learns what became of its batch: one shared completion per batch, an index per record.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use logdyno_record::{Offset, TopicPartition};
use smallbox::{SmallBox, smallbox};

use super::record::RecordMetadata;
use crate::error::ClientError;

/// Called once with what became of a record, on the sender's thread.
///
/// One of up to five words, or six with a reference among them, takes no memory of its own: allocated by the thread that sends and freed by
/// another one, it would cost more than the rest of a `send`'s bookkeeping. (With interceptors it is one that holds another, and takes some.)
pub(crate) struct Callback(SmallBox<dyn FnMut(Result<RecordMetadata, ClientError>) + Send, [usize; 6]>);

impl Callback {
    pub(crate) fn new(callback: impl FnOnce(Result<RecordMetadata, ClientError>) + Send + 'static) -> Callback {
        let mut once = Some(callback);
        Callback(smallbox!(move |result| {
            if let Some(callback) = once.take() {
                callback(result);
            }
        }))
    }

    pub(crate) fn call(mut self, result: Result<RecordMetadata, ClientError>) {
        (*self.0)(result);
    }
}

/// What became of a batch.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The broker has it (or, with `acks=0`, was sent it: then the offset is −1).
    Acknowledged {
        /// The offset of the first record.
        base_offset: Offset,
        /// The broker's time, if the topic stamps records itself; else −1.
        log_append_time: i64,
    },
    /// It failed for good.
    Failed(ClientError),
    /// It was too large and became several batches: (index of its first record, its completion), ascending.
    Split(Arc<[(u32, Arc<Completion>)]>),
}

/// The shared completion of a batch.
#[derive(Debug)]
pub(crate) struct Completion {
    partition: TopicPartition,
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    /// By record index.
    wakers: Vec<Option<Waker>>,
    /// Threads that wait: where there is none, waking is a system call for nothing.
    waiting: usize,
}

/// What a record remembers of itself for its [`RecordMetadata`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordPlace {
    /// Its index in the batch.
    pub(crate) index: u32,
    /// Its own time.
    pub(crate) timestamp: i64,
    /// Bytes of its key, −1 for null.
    pub(crate) key_size: i32,
    /// Bytes of its value, −1 for null.
    pub(crate) value_size: i32,
}

impl Completion {
    /// Of a batch that is still open.
    pub(crate) fn new(partition: TopicPartition) -> Completion {
        Completion { partition, state: Mutex::default(), done: Condvar::new() }
    }

    /// Resolves it and wakes who waits. The first outcome stays.
    pub(crate) fn resolve(&self, outcome: Outcome) {
        let wakers = {
            let mut state = self.lock();
            if state.outcome.is_some() {
                return;
            }
            state.outcome = Some(outcome);
            if state.waiting > 0 {
                self.done.notify_all();
            }
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Waits on this thread until the batch, and what it was split into, is done.
    pub(crate) fn wait(&self) {
        if let Outcome::Split(parts) = self.wait_outcome() {
            parts.iter().for_each(|(_, part)| part.wait());
        }
    }

    fn wait_outcome(&self) -> Outcome {
        let mut state = self.lock();
        loop {
            if let Some(outcome) = &state.outcome {
                return outcome.clone();
            }
            state.waiting += 1;
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// The outcome if there is one; else `waker` is kept for record `index`.
    fn outcome_or_wait(&self, index: u32, waker: Option<&Waker>) -> Option<Outcome> {
        let mut state = self.lock();
        if state.outcome.is_none()
            && let Some(waker) = waker
        {
            let slot = index as usize;
            if state.wakers.len() <= slot {
                state.wakers.resize(slot + 1, None);
            }
            state.wakers[slot] = Some(waker.clone());
        }
        state.outcome.clone()
    }

    /// What `outcome`, which is no split, means for one record.
    pub(crate) fn result(&self, outcome: &Outcome, place: RecordPlace) -> Result<RecordMetadata, ClientError> {
        match outcome {
            Outcome::Acknowledged { base_offset, log_append_time } => Ok(RecordMetadata {
                partition: self.partition.clone(),
                offset: if base_offset.0 < 0 { *base_offset } else { *base_offset + i64::from(place.index) },
                timestamp: if *log_append_time < 0 { place.timestamp } else { *log_append_time },
                key_size: place.key_size,
                value_size: place.value_size,
            }),
            Outcome::Failed(error) => Err(error.clone()),
            Outcome::Split(_) => unreachable!("a split batch has no result of its own; its parts have"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a record: a future that can be awaited on any runtime, or waited for on a thread.
///
/// Dropping it changes nothing: the record is sent all the same.
#[derive(Debug)]
#[must_use = "a record that fails says so only here and in its callback"]
pub struct SendFuture(Inner);

#[derive(Debug)]
enum Inner {
    Refused(ClientError),
    Sent { completion: Arc<Completion>, place: RecordPlace },
}

impl SendFuture {
    pub(crate) fn refused(error: ClientError) -> SendFuture {
        SendFuture(Inner::Refused(error))
    }

    pub(crate) fn sent(completion: Arc<Completion>, place: RecordPlace) -> SendFuture {
        SendFuture(Inner::Sent { completion, place })
    }

    /// Waits on this thread. Within a callback this would wait for ever: the sender's thread runs callbacks.
    pub fn wait(mut self) -> Result<RecordMetadata, ClientError> {
        loop {
            let outcome = match &self.0 {
                Inner::Refused(error) => return Err(error.clone()),
                Inner::Sent { completion, .. } => completion.wait_outcome(),
            };
            if let Some(result) = self.follow(outcome) {
                return result;
            }
        }
    }

    /// What became of the record, if that is known already.
    pub fn try_get(&mut self) -> Option<Result<RecordMetadata, ClientError>> {
        self.check(None)
    }

    fn check(&mut self, waker: Option<&Waker>) -> Option<Result<RecordMetadata, ClientError>> {
        loop {
            let outcome = match &self.0 {
                Inner::Refused(error) => return Some(Err(error.clone())),
                Inner::Sent { completion, place } => completion.outcome_or_wait(place.index, waker)?,
            };
            if let Some(result) = self.follow(outcome) {
                return Some(result);
            }
        }
    }

    /// The record's result, or `None` after moving on to the part of a split batch that holds the record.
    fn follow(&mut self, outcome: Outcome) -> Option<Result<RecordMetadata, ClientError>> {
        let Inner::Sent { completion, place } = &mut self.0 else { return None };
        let Outcome::Split(parts) = outcome else { return Some(completion.result(&outcome, *place)) };
        let part = parts.partition_point(|(first, _)| *first <= place.index) - 1;
        place.index -= parts[part].0;
        *completion = Arc::clone(&parts[part].1);
        None
    }
}

impl Future for SendFuture {
    type Output = Result<RecordMetadata, ClientError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.check(Some(context.waker())) {
            Some(result) => Poll::Ready(result),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(index: u32) -> RecordPlace {
        RecordPlace { index, timestamp: 1000 + i64::from(index), key_size: -1, value_size: 3 }
    }

    fn completion() -> Arc<Completion> {
        Arc::new(Completion::new(TopicPartition::new("t", 0)))
    }

    /// Row 73.
    #[test]
    fn a_record_gets_its_own_offset_and_time() {
        let shared = completion();
        let mut future = SendFuture::sent(Arc::clone(&shared), place(2));
        assert!(future.try_get().is_none());
        shared.resolve(Outcome::Acknowledged { base_offset: Offset(40), log_append_time: -1 });
        let metadata = future.wait().unwrap();
        assert_eq!((metadata.offset, metadata.timestamp, metadata.value_size), (Offset(42), 1002, 3));
    }

    /// Row 34: the broker's time counts if it stamps records itself. Row 63: without answer the offset is −1.
    #[test]
    fn the_brokers_time_replaces_the_records_and_no_answer_means_no_offset() {
        let stamped = completion();
        stamped.resolve(Outcome::Acknowledged { base_offset: Offset(0), log_append_time: 77 });
        assert_eq!(SendFuture::sent(stamped, place(1)).wait().unwrap().timestamp, 77);
        let silent = completion();
        silent.resolve(Outcome::Acknowledged { base_offset: Offset(-1), log_append_time: -1 });
        assert_eq!(SendFuture::sent(silent, place(5)).wait().unwrap().offset, Offset(-1));
    }

    #[test]
    fn a_future_follows_its_record_into_a_split_batch() {
        let (whole, first, second) = (completion(), completion(), completion());
        let mut future = SendFuture::sent(Arc::clone(&whole), place(5));
        whole.resolve(Outcome::Split([(0, Arc::clone(&first)), (3, Arc::clone(&second))].into()));
        assert!(future.try_get().is_none());
        second.resolve(Outcome::Acknowledged { base_offset: Offset(10), log_append_time: -1 });
        assert_eq!(future.wait().unwrap().offset, Offset(12));
    }

    /// Row 74.
    #[test]
    fn awaiting_is_woken_by_the_outcome() {
        let shared = completion();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let resolved = Arc::clone(&shared);
        let future = SendFuture::sent(shared, place(0));
        let resolver = std::thread::spawn(move || {
            resolved.resolve(Outcome::Failed(ClientError::Closed { client: "producer" }));
        });
        assert!(matches!(runtime.block_on(future), Err(ClientError::Closed { .. })));
        resolver.join().unwrap();
    }
}
