//! Replicas are byte-equal.

use std::path::Path;

use logdyno_engine::record::Offset;
use tempfile::TempDir;

use crate::clients::{consumer, create, end, producer, read_to, record, wait_for_isr};
use crate::process::serve;
use crate::{backends, segments};

const CONFIG: &str = "log.segment.bytes=1048576\n";

/// Row 11.
/// Row 9: files may roll at different offsets, so they are compared as one.
#[test]
fn three_replicas_are_byte_equal() {
    backends::on_each(|backend| {
        let data = TempDir::new().expect("a directory");
        let served = serve(backend, data.path(), 3, CONFIG);
        let address = &served.addresses[0];
        create(address, 1, 3, &[("min.insync.replicas", "2")]);
        let producer = producer(address, "all");
        let sent: Vec<_> = (0..4000).map(|sequence| producer.send(record(0, sequence))).collect();
        for (offset, sent) in (0..).zip(sent) {
            assert_eq!(sent.wait().expect("acknowledged").offset, Offset(offset));
        }
        assert_eq!(end(address, 0), Offset(4000));
        read_to(&mut consumer(address, 0), Offset(4000), |offset, sequence| {
            assert_eq!(offset.0.unsigned_abs(), sequence);
        });
        wait_for_isr(address, 0, &[1, 2, 3]);
        served.stop();
        let one = content(&data.path().join("1/data"));
        assert!(one.len() > 2 << 20, "more than one segment: {} bytes", one.len());
        for id in [2, 3] {
            let other = content(&data.path().join(format!("{id}/data")));
            let differs = one.iter().zip(&other).position(|(a, b)| a != b);
            assert_eq!((other.len(), differs), (one.len(), None), "broker {id} against broker 1");
        }
    });
}

/// A replica's log in the order of offsets, as one.
fn content(data: &Path) -> Vec<u8> {
    segments::assert_sound(data, 0);
    let files = segments::files(data, 0, "log");
    files.iter().flat_map(|file| std::fs::read(file).expect("a segment")).collect()
}
