//! Writes what is left of a group of segments into one file.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use logdyno_record::Clock;
use logdyno_storage::{Append, Storage, StorageError, Writer};

use super::Transactions;
use super::filter::{Filter, Left};
use crate::config::LogConfig;
use crate::log::walk::{Walk, WalkError};
use crate::names;
use crate::segment::{Contents, Segment};

/// How long a writer may take to make room.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(60);

/// After so many bytes it is asked whether the log is still open.
const ASK_BYTES: usize = 1 << 20;

/// What a round reads and writes, held back to a rate.
pub(crate) struct Throttle {
    clock: Arc<dyn Clock>,
    began: logdyno_record::Nanos,
    bytes: u64,
    bytes_per_second: f64,
}

impl Throttle {
    pub(crate) fn new(clock: Arc<dyn Clock>, bytes_per_second: f64) -> Throttle {
        Throttle { began: clock.now(), clock, bytes: 0, bytes_per_second }
    }

    /// Notes bytes that were moved, and waits if they came too early.
    pub(crate) fn took(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        let due = self.bytes as f64 / self.bytes_per_second;
        let early = due - self.clock.now().since(self.began).as_secs_f64();
        if early > 0.001 {
            std::thread::sleep(Duration::from_secs_f64(early.min(3600.0)));
        }
    }
}

/// Why a group was not rewritten.
pub(crate) enum Unwritten {
    Storage(StorageError),
    /// What could not be read of this segment.
    Walk(Arc<Segment>, WalkError),
    /// The log goes away, or what it was read from does.
    Stopped,
}

impl From<StorageError> for Unwritten {
    fn from(source: StorageError) -> Unwritten {
        Unwritten::Storage(source)
    }
}

/// Writes what the filter leaves of `group` into the `.cleaned` file of its first segment, durably.
pub(crate) fn rewrite(
    storage: &dyn Storage,
    config: &LogConfig,
    group: &[Arc<Segment>],
    filter: &Filter<'_>,
    transactions: &mut Transactions,
    throttle: &mut Throttle,
    goes_on: &dyn Fn() -> bool,
) -> Result<Contents, Unwritten> {
    let Some(first) = group.first() else { return Err(Unwritten::Stopped) };
    let name = names::cleaned(first.base);
    if storage.list()?.contains(&name) {
        // Of a round that failed.
        storage.remove(&name)?;
    }
    let read: u64 = group.iter().map(|segment| segment.contents().size).sum();
    let mut writer = storage.create(&name, capacity_for(read))?;
    let mut contents = Contents::new(first.base, config, filter.now_ms);
    let mut since_asked = 0;
    for (at, segment) in group.iter().enumerate() {
        let size = segment.contents().size;
        let unreadable = |error| Unwritten::Walk(Arc::clone(segment), error);
        let mut walk = Walk::new(Arc::clone(&segment.reader), 0, size);
        while let Some(batch) = walk.next() {
            let position = walk.position();
            let batch = batch.map_err(unreadable)?;
            let damaged = |source| unreadable(WalkError::Batch { position: position - batch.size() as u64, source });
            batch.verify_crc().map_err(damaged)?;
            let ends_group = at + 1 == group.len() && position == size;
            let left = match filter.apply(&batch, transactions, ends_group).map_err(damaged)? {
                Left::Same => Some(batch.clone()),
                Left::Rewritten(left) => Some(left),
                Left::Nothing => None,
            };
            if let Some(left) = &left {
                append(&mut *writer, left.bytes())?;
                contents.note(left.header(), config.index_interval_bytes);
            }
            transactions.take_kept().into_iter().for_each(|kept| contents.aborted.push(kept));
            throttle.took(batch.size() + left.map_or(0, |left| left.size()));
            since_asked += batch.size();
            if since_asked >= ASK_BYTES {
                since_asked = 0;
                if !goes_on() {
                    return Err(Unwritten::Stopped);
                }
            }
        }
    }
    writer.close()?;
    Ok(contents)
}

/// Room for what is left of `read` bytes. What is compressed anew may take more than a producer that gave it more time made of it.
fn capacity_for(read: u64) -> u64 {
    (4 * read + (1 << 20)).min(i32::MAX as u64)
}

/// Appends, waiting for room.
fn append(writer: &mut dyn Writer, bytes: &[u8]) -> Result<(), Unwritten> {
    loop {
        match writer.append(&[IoSlice::new(bytes)])? {
            Append::At(_) => return Ok(()),
            Append::Full => {
                let (room, wait) = mpsc::sync_channel(1);
                writer.when_room(Box::new(move || room.try_send(()).unwrap_or_default()));
                if wait.recv_timeout(ROOM_WAIT_MAX).is_err() {
                    return Err(Unwritten::Storage(StorageError::Stopped));
                }
            }
        }
    }
}
