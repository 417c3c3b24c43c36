//! Splits a batch that the broker found too large.

use std::sync::Arc;

use bytes::Bytes;
use logdyno_record::{Batch, BatchError, Codec, Record};

use super::{Filling, NewBatch, ProducerBatch, RecordParts};
use crate::error::ClientError;
use crate::producer::completion::Outcome;

impl ProducerBatch {
    /// Splits a sealed batch that the broker found too large into smaller ones, in order.
    ///
    /// The first time parts of `batch_size` are tried; a batch that is no larger, or that was split before,
    /// is halved; a record that is larger gets a part of its own, whatever the limit, so that each round makes
    /// smaller batches. The parts take over callbacks and memory; futures follow to them.
    pub(crate) fn split(mut self, codec: Codec, batch_size: usize) -> Result<Vec<ProducerBatch>, ClientError> {
        let size = self.estimated_size();
        let target = if self.is_split || size <= batch_size { size / 2 } else { batch_size };
        let parts = match self.refill(codec, target) {
            Ok(parts) => parts,
            Err(reason) => {
                let error = ClientError::Compression { partition: self.partition.clone(), reason };
                self.complete(Outcome::Failed(error.clone()));
                return Err(error);
            }
        };
        let places = parts.iter().map(|(first, part)| (*first, Arc::clone(&part.completion)));
        self.completion.resolve(Outcome::Split(places.collect()));
        Ok(parts.into_iter().map(|(_, part)| part).collect())
    }

    fn refill(&mut self, codec: Codec, target: usize) -> Result<Vec<(u32, ProducerBatch)>, String> {
        let Filling::Sealed(bytes, _) = &self.filling else { unreachable!("only a sealed batch was sent") };
        let records = records_of(bytes, self.uncompressed_bytes).map_err(|error| error.to_string())?;
        // Nothing fails from here on: each callback goes to a part.
        let mut thunks = std::mem::take(&mut self.thunks).into_iter().peekable();
        let mut parts: Vec<(u32, ProducerBatch)> = Vec::new();
        for (index, record) in (0_u32..).zip(&records) {
            let record = RecordParts {
                timestamp: record.timestamp,
                key: record.key.as_deref(),
                value: record.value.as_deref(),
                headers: &record.headers,
            };
            let mut callback = thunks.next_if(|thunk| thunk.place.index == index).map(|thunk| thunk.callback);
            if parts.last_mut().is_some_and(|(_, part)| part.try_append(record, &mut callback, self.created).is_some())
            {
                continue;
            }
            let mut part = self.part(codec, target);
            part.stamped = self.stamped.map(|whole| whole.part(index));
            if part.try_append(record, &mut callback, self.created).is_none() {
                unreachable!("the first record of a batch always fits");
            }
            parts.push((index, part));
        }
        Ok(parts)
    }

    fn part(&self, codec: Codec, write_limit: usize) -> ProducerBatch {
        let mut part = ProducerBatch::new(NewBatch {
            number: self.number,
            partition: self.partition.clone(),
            codec,
            write_limit,
            ratio: 1.0,
            memory: Arc::clone(&self.memory),
            created: self.created,
        });
        part.is_split = true;
        part.attempts = self.attempts;
        part.last_leader = self.last_leader;
        part
    }
}

/// The records of a sealed batch that has `bytes_max` bytes before compression.
fn records_of(sealed: &Bytes, bytes_max: usize) -> Result<Vec<Record>, BatchError> {
    let records = Batch::parse(sealed.clone())?.records_within(bytes_max)?;
    records.iter().map(|record| Ok(records.share(&record?))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use logdyno_record::{Compression, Nanos, Offset, TopicPartition};

    use super::*;
    use crate::producer::buffer_pool::BufferPool;
    use crate::producer::completion::Callback;

    /// A batch with a callback for each record, which notes whether it was sent.
    fn sealed(values: &[&[u8]], told: &Arc<Mutex<Vec<bool>>>) -> ProducerBatch {
        let memory = Arc::new(BufferPool::new(1 << 20)).allocate(1 << 16, Duration::ZERO, || ()).unwrap();
        let mut batch = ProducerBatch::new(NewBatch {
            number: 0,
            partition: TopicPartition::new("t", 0),
            codec: Codec::new(Compression::Gzip),
            write_limit: 1 << 16,
            ratio: 1.0,
            memory: Arc::new(memory),
            created: Nanos(0),
        });
        for value in values {
            let told = Arc::clone(told);
            let note = move |result: Result<_, _>| told.lock().unwrap().push(result.is_ok());
            let record = RecordParts { timestamp: 1, key: None, value: Some(value), headers: &[] };
            batch.try_append(record, &mut Some(Callback::new(note)), Nanos(0)).unwrap();
        }
        batch.seal(&|| Nanos(1)).unwrap();
        batch
    }

    #[test]
    fn the_parts_of_a_batch_have_its_callbacks() {
        let told = Arc::default();
        let batch = sealed(&[&[7; 20_000], &[8; 20_000]], &told);
        let parts = batch.split(Codec::new(Compression::None), 25_000).unwrap();
        assert_eq!((parts.len(), told.lock().unwrap().len()), (2, 0));
        for part in parts {
            part.complete(Outcome::Acknowledged { base_offset: Offset(0), log_append_time: -1 });
        }
        assert_eq!(*told.lock().unwrap(), [true, true]);
    }

    /// Row 66: what fails for good is told to each record, also where its batch cannot be read any more.
    #[test]
    fn a_batch_that_cannot_be_split_fails_each_record() {
        let told = Arc::default();
        let mut batch = sealed(&[&[7; 200], &[8; 200]], &told);
        let Filling::Sealed(bytes, stamp) = &batch.filling else { unreachable!() };
        let mut broken = bytes.to_vec();
        let end = broken.len() - 9;
        broken[end] ^= 0xFF;
        batch.filling = Filling::Sealed(broken.into(), *stamp);
        assert!(batch.split(Codec::new(Compression::None), 100).is_err());
        assert_eq!(*told.lock().unwrap(), [false, false]);
    }
}
