//! A device that stands still: appends are refused at once, nothing is half appended, and the log goes on with the device.

use std::sync::mpsc;
use std::time::Duration;

use logdyno_segment_log::{LogConfig, LogError};
use logdyno_storage::kinds;
use logdyno_storage::seam::simulated::SimulatedDisk;

use crate::power_loss::start;
use crate::world::{EPOCH, append, batch, content, open, threes, unclean};

/// Longer than any step takes; nothing waits for it but a failure.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_log_without_room_has_taken_nothing_and_says_when_there_is_some() {
    let mut ran = 0;
    for kind in kinds() {
        let disk = SimulatedDisk::new(1);
        let Some((_backend, storage)) = start(kind, &disk) else { continue };
        ran += 1;
        let (log, _) = open(storage, &LogConfig::default(), unclean(0)).expect("a new log");
        append(&log, &batch(3, 100));
        log.flush().expect("the device runs");
        disk.hold_device();
        let large = batch(3, 30_000);
        let refused = std::iter::repeat_with(|| log.append_as_leader(&large, EPOCH)).take(10_000).find_map(Result::err);
        assert!(matches!(refused, Some(LogError::Full { .. })), "{}: {refused:?}", kind.name);
        let end = log.end_offset();
        let (waker, room) = mpsc::channel();
        log.when_room(Box::new(move || waker.send(()).expect("the test waits for it")));
        assert!(matches!(log.append_as_leader(&large, EPOCH), Err(LogError::Full { .. })), "{}", kind.name);
        assert_eq!(log.end_offset(), end, "{}: a refused append has moved the end", kind.name);

        disk.release_device();
        room.recv_timeout(PATIENCE).expect("room appears");
        log.append_with_patience(&large, EPOCH, PATIENCE).expect("there is room, or there will be");
        assert_eq!(content(&log), threes(end.0 + 3), "{}", kind.name);
    }
    assert!(ran > 0, "no backend runs here");
}
