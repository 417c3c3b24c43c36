//! Bytes that may be batches, and bytes that may be compressed.

use bytes::Bytes;
use logdyno_record::{Compression, batches, codec};

/// What a hostile payload may grow to here.
const DECOMPRESSED_BYTES_MAX: usize = 1 << 20;

/// Walks batches and asks everything of each. Nothing may panic; what is valid reads the same twice.
pub fn walk(bytes: &[u8]) {
    let mut walked = 0;
    for batch in batches(Bytes::copy_from_slice(bytes)) {
        let Ok(batch) = batch else { return };
        walked += batch.size();
        assert!(walked <= bytes.len(), "a batch ends behind its bytes");
        // Compressed payloads are the other target's: here they might grow without a bound.
        let valid =
            batch.verify_crc().is_ok() && batch.header().compression().is_ok_and(|found| found == Compression::None);
        if let Some(records) = valid.then(|| batch.records()).and_then(Result::ok) {
            let offsets = || records.iter().map_while(Result::ok).map(|record| record.offset.0).collect::<Vec<_>>();
            assert_eq!(offsets(), offsets());
        }
    }
}

/// Decompresses what stands behind a byte that chooses the codec: an error, or no more than was allowed.
pub fn decompress(bytes: &[u8]) {
    let Some((chosen, compressed)) = bytes.split_first() else { return };
    let Ok(compression) = Compression::from_id(chosen % 5) else { return };
    if let Ok(raw) = codec::decompress(compression, compressed, DECOMPRESSED_BYTES_MAX) {
        assert!(raw.len() <= DECOMPRESSED_BYTES_MAX, "{} bytes from {compression:?}", raw.len());
    }
}
