//! A metadata log without a disk, for what is not about the disk.

use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;
use logdyno_controller::ControllerError;
use logdyno_controller::metadata_log::{Listener, MetadataLog};
use logdyno_controller::record::MetadataRecord;
use logdyno_controller::record::format::encode;
use logdyno_record::{BatchBuilder, BatchOptions, Codec, Compression, Offset, batches};

#[derive(Default)]
pub(crate) struct MemoryLog(Mutex<(Vec<u8>, i64, Vec<Listener>)>);

impl MetadataLog for MemoryLog {
    fn propose(&self, records: &[MetadataRecord]) -> Result<Range<Offset>, ControllerError> {
        let mut builder = BatchBuilder::new(Codec::new(Compression::None), 1024);
        for record in records {
            builder.append(0, None, Some(&encode(record)), &[]);
        }
        let mut log = self.0.lock().expect("no panic");
        let start = Offset(log.1);
        let batch = builder.build(&BatchOptions { base_offset: start, ..BatchOptions::default() })?;
        log.0.extend_from_slice(batch.bytes());
        let end = batch.header().next_offset();
        log.1 = end.0;
        let listeners = log.2.clone();
        drop(log);
        listeners.iter().for_each(|listener| listener(end));
        Ok(start..end)
    }

    fn committed_end(&self) -> Offset {
        Offset(self.0.lock().expect("no panic").1)
    }

    fn read(&self, from: Offset, _: usize) -> Result<Bytes, ControllerError> {
        let all = Bytes::from(self.0.lock().expect("no panic").0.clone());
        let behind = batches(all).map(|batch| batch.expect("as built")).filter(|b| b.header().last_offset() >= from);
        Ok(behind.flat_map(|batch| batch.into_bytes()).collect())
    }

    fn subscribe(&self, listener: Listener) {
        self.0.lock().expect("no panic").2.push(listener);
    }
}
