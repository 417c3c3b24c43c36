//! Promises about memory on the paths that every record takes.

use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, Header};

use crate::allocations::counting;
use crate::shapes::TIME;

fn appended(builder: &mut BatchBuilder) {
    let headers = [Header::new("h", "1")];
    for i in 0..1000 {
        builder.append(TIME + i, Some(b"key"), Some(b"a value of some bytes"), &headers);
    }
}

#[test]
fn appending_a_thousand_records_allocates_one_buffer() {
    let mut builder = BatchBuilder::new(Codec::default(), 64 << 10);
    let ((), allocations) = counting(|| appended(&mut builder));
    // One for the batch; one for the test's own headers.
    assert!(allocations.count <= 2, "{allocations:?}");
}

#[test]
fn building_without_compression_moves_the_buffer_out() {
    let mut builder = BatchBuilder::new(Codec::default(), 64 << 10);
    appended(&mut builder);
    let size = builder.size();
    let (batch, allocations) = counting(|| builder.build(&BatchOptions::default()).expect("no codec"));
    assert_eq!(batch.size(), size);
    assert!(allocations.bytes < 256, "the records were copied: {allocations:?}");
}

#[test]
fn walking_over_uncompressed_records_allocates_nothing() {
    let mut builder = BatchBuilder::new(Codec::default(), 64 << 10);
    appended(&mut builder);
    let batch = builder.build(&BatchOptions::default()).expect("no codec");
    let (walked, allocations) = counting(|| {
        let records = batch.records().expect("no codec");
        batch.validate().expect("a good batch");
        records.iter().filter(|record| record.as_ref().is_ok_and(|record| record.headers.last(b"h").is_some())).count()
    });
    assert_eq!(walked, 1000);
    assert_eq!(allocations.count, 0, "{allocations:?}");
}

/// The producer compresses every batch: after the first one the codecs' tables are there.
#[test]
fn a_compressing_builder_keeps_its_buffer_and_its_tables() {
    for compression in [Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let mut builder = BatchBuilder::new(Codec::new(compression), 64 << 10);
        let mut build = || {
            appended(&mut builder);
            builder.build(&BatchOptions::default()).expect("the codec works")
        };
        build();
        let (batch, allocations) = counting(&mut build);
        assert_eq!(batch.header().count, 1000);
        // The output, which grows at most a few times, its reference count, and the test's own headers.
        assert!(allocations.count <= 8, "{compression}: {allocations:?}");
    }
}
