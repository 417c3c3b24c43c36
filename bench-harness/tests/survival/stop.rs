//! SIGTERM, and the end of brokers whose parent is killed.

use std::os::unix::fs::FileExt as _;

use logdyno_engine::record::Offset;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::clients::{create, end, producer, record};
use crate::process::serve;
use crate::{backends, eventually, segments};

/// The last batch is damaged while the broker is down. A recovery would find and cut it; a start after a clean stop
/// does not look, and one after a kill does.
#[test]
fn a_clean_stop_spares_the_next_start_its_recovery() {
    backends::on_each(|backend| {
        let data = TempDir::new().expect("a directory");
        let served = serve(backend, data.path(), 1, "");
        create(&served.addresses[0], 1, 1, &[]);
        let producer = producer(&served.addresses[0], "all");
        for sequence in 0..10 {
            producer.send(record(0, sequence)).wait().expect("acknowledged");
        }
        assert_eq!(served.stderr(), "", "a broker that nothing happens to is silent");
        served.stop();
        assert!(data.path().join(".kafka_cleanshutdown").exists());
        segments::assert_sound(data.path(), 0);
        flip_last_bit(&segments::files(data.path(), 0, "log")[0]);

        let mut served = serve(backend, data.path(), 1, "");
        assert!(!data.path().join(".kafka_cleanshutdown").exists(), "the mark holds for one start");
        assert_eq!(end(&served.addresses[0], 0), Offset(10));
        served.end(Signal::KILL);
    });
}

/// Killed when its metadata log had begun and nothing else was written: the next start is of the same cluster.
#[test]
fn a_first_start_that_was_killed_is_gone_on_with() {
    let data = TempDir::new().expect("a directory");
    let mut served = serve("buffered", data.path(), 1, "");
    create(&served.addresses[0], 1, 1, &[]);
    served.end(Signal::KILL);
    std::fs::remove_file(data.path().join("meta.properties")).expect("it says whose directory this is");
    let served = serve("buffered", data.path(), 1, "");
    assert_eq!(end(&served.addresses[0], 0), Offset(0), "the topic is known");
    served.stop();
}

fn flip_last_bit(file: &std::path::Path) {
    let open = std::fs::OpenOptions::new().read(true).write(true).open(file).expect("a segment");
    let last = open.metadata().expect("metadata").len() - 1;
    let mut byte = [0];
    open.read_exact_at(&mut byte, last).expect("a byte");
    open.write_all_at(&[byte[0] ^ 1], last).expect("written");
}

#[test]
fn sigterm_stops_all_brokers_cleanly() {
    backends::on_each(|backend| {
        let data = TempDir::new().expect("a directory");
        let served = serve(backend, data.path(), 3, "");
        create(&served.addresses[0], 1, 3, &[]);
        producer(&served.addresses[0], "all").send(record(0, 0)).wait().expect("acknowledged");
        let brokers = served.brokers();
        served.stop();
        for (id, broker) in (1..).zip(&brokers) {
            assert!(!broker.lives(), "broker {id} outlived serve");
            let mark = data.path().join(format!("{id}/data/.kafka_cleanshutdown"));
            assert!(mark.exists(), "broker {id} stopped cleanly");
        }
    });
}

#[test]
fn brokers_end_with_a_parent_that_is_killed() {
    let data = TempDir::new().expect("a directory");
    let mut served = serve("buffered", data.path(), 3, "");
    let brokers = served.brokers();
    assert!(brokers.iter().all(|broker| broker.lives()));
    served.end(Signal::KILL);
    eventually("the brokers' end", || brokers.iter().all(|broker| !broker.lives()).then_some(()));
}
