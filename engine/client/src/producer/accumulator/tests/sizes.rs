//! Batches that compress well, and batches that a broker finds too large.

use super::*;

/// Row 67: with a codec the batch is filled beyond batch.size, by what the topic's batches have compressed to.
#[test]
fn compression_lets_more_into_a_batch_once_it_has_been_seen_to_work() {
    let bench = bench(AccumulatorSettings { codec: Codec::new(Compression::Lz4), ..settings() });
    let leaders = led(&[1]);
    let fill = || {
        while bench.ready_nodes(&leaders).is_empty() {
            bench.append(0, 100);
        }
        let batch = bench.drain(&leaders, 1, usize::MAX).remove(0);
        bench.land(&batch);
        batch
    };
    let untrained = acknowledged(&fill());
    assert!(untrained.bytes_uncompressed as usize <= BATCH_SIZE);
    assert!(untrained.bytes_sent < untrained.bytes_uncompressed / 2);
    for _ in 0..200 {
        bench.topic.ratio.observe(0.25);
    }
    let old = fill();
    assert!(old.records() > 0, "the batch that was begun before keeps the old estimate");
    let trained = acknowledged(&fill());
    assert!(trained.bytes_uncompressed as usize > 3 * BATCH_SIZE, "{trained:?}");
    assert!(bench.accumulator.pool().free() <= bench.accumulator.pool().total());
}

/// MESSAGE_TOO_LARGE: parts of batch.size, then halves, in order, each record once.
#[test]
fn a_batch_too_large_for_the_broker_is_split_and_futures_follow() {
    let bench = bench(AccumulatorSettings { batch_size: 4096, ..settings() });
    let leaders = led(&[1]);
    let futures: Vec<Appended> = (0..10).map(|_| bench.append(0, 300)).collect();
    bench.clock.advance(LINGER);
    let whole = bench.drain(&leaders, 1, usize::MAX).remove(0);
    let codec = Codec::new(Compression::None);
    let parts = whole.split(codec, 1024).unwrap();
    let counts: Vec<u32> = parts.iter().map(ProducerBatch::records).collect();
    assert_eq!(counts, [3, 3, 3, 1]);
    let mut base = 0;
    for part in parts {
        let records = i64::from(part.records());
        part.complete(Outcome::Acknowledged { base_offset: Offset(base), log_append_time: -1 });
        base += records;
    }
    for (index, appended) in futures.into_iter().enumerate() {
        let future = crate::producer::SendFuture::sent(appended.completion, appended.place);
        assert_eq!(future.wait().unwrap().offset, Offset(index as i64));
    }
    assert_eq!(bench.accumulator.pool().free(), bench.accumulator.pool().total());
}

#[test]
fn a_batch_no_larger_than_batch_size_is_halved() {
    let bench = bench(AccumulatorSettings { batch_size: 4096, ..settings() });
    let leaders = led(&[1]);
    for _ in 0..8 {
        bench.append(0, 300);
    }
    bench.clock.advance(LINGER);
    let whole = bench.drain(&leaders, 1, usize::MAX).remove(0);
    let parts = whole.split(Codec::new(Compression::None), 4096).unwrap();
    assert!(parts.len() >= 2, "the broker's limit is below batch.size");
}
