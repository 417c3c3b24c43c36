//! One data directory (`log.dir`): its lock, its owner, its checkpoints, its partitions' folders.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use logdyno_record::{Clock, Nanos, Offset, Probe, TopicId, TopicPartition};
use logdyno_storage::{Backend, Storage};

use crate::config::{LogConfig, Recovery};
use crate::error::LogError;
use crate::log::Log;
use crate::meta::{self, Meta};
use crate::names;
use crate::offsets_file::{OffsetsFile, PartitionCheckpoints, failed as storage};
use crate::recovery::RecoveryReport;

type Result<T> = std::result::Result<T, LogError>;

/// A data directory in use by this process. Its lock is given back when it is dropped.
pub struct LogDirectory {
    path: PathBuf,
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
    root: Arc<dyn Storage>,
    clean_shutdown: bool,
    recovery_points: Arc<OffsetsFile>,
    log_starts: Arc<OffsetsFile>,
    cleaned_offsets: Arc<OffsetsFile>,
    high_watermarks: OffsetsFile,
    logs: Mutex<BTreeMap<TopicPartition, Arc<Place>>>,
    /// Folders of deleted partitions, and when they are to be removed.
    doomed: Mutex<Vec<(Nanos, PathBuf)>>,
    _lock: Lock,
}

/// A partition's log, once it is open. Locked while it is being opened: that may take a recovery, and holds up nobody else.
#[derive(Default)]
struct Place(Mutex<Option<Arc<Log>>>);

impl Place {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Log>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log to be opened.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Of which partition.
    pub partition: TopicPartition,
    /// The topic that its folder must belong to.
    pub topic_id: TopicId,
    /// Its settings.
    pub config: LogConfig,
}

impl LogDirectory {
    /// Takes the directory for this process, making it if it is missing.
    ///
    /// The mark of a clean stop is taken away at once: from here on only [`LogDirectory::close_clean`] gives it back.
    pub fn open(
        path: &Path,
        backend: Arc<dyn Backend>,
        clock: Arc<dyn Clock>,
        probe: Arc<dyn Probe>,
    ) -> Result<LogDirectory> {
        fs::create_dir_all(path).map_err(|source| at(path, source))?;
        let lock = Lock::take(path)?;
        let root = backend.open(path).map_err(|source| storage(path, source))?;
        // What a process that died had not made durable yet, may be gone after the next crash: nothing is concluded from it before.
        root.sync_all().map_err(|source| storage(path, source))?;
        let load = |name| OffsetsFile::load(path, name, &root);
        let (recovery_points, log_starts) = (load(names::RECOVERY_POINTS)?, load(names::LOG_STARTS)?);
        let (cleaned_offsets, high_watermarks) = (load(names::CLEANED_OFFSETS)?, load(names::HIGH_WATERMARKS)?);
        let clean = root.load(names::CLEAN_SHUTDOWN).map_err(|source| storage(path, source))?.is_some();
        if clean {
            root.remove(names::CLEAN_SHUTDOWN).map_err(|source| storage(path, source))?;
        }
        let directory = LogDirectory {
            path: path.to_owned(),
            backend,
            clock,
            probe,
            root,
            clean_shutdown: clean,
            recovery_points: Arc::new(recovery_points),
            log_starts: Arc::new(log_starts),
            cleaned_offsets: Arc::new(cleaned_offsets),
            high_watermarks,
            logs: Mutex::default(),
            doomed: Mutex::default(),
            _lock: lock,
        };
        directory.remove_leftovers()?;
        Ok(directory)
    }

    /// Whose directory it is; `None` if it is new.
    pub fn meta(&self) -> Result<Option<Meta>> {
        let content = self.root.load(names::META).map_err(|source| storage(&self.path, source))?;
        content.map(|content| Meta::decode(&content, &self.path.join(names::META))).transpose()
    }

    /// Writes down whose directory it is.
    pub fn write_meta(&self, meta: &Meta) -> Result<()> {
        self.root.replace(names::META, &meta.encode()).map_err(|source| storage(&self.path, source))
    }

    /// Partitions that have a folder here, with the topic ids in them, in order.
    pub fn existing(&self) -> Vec<(TopicPartition, TopicId)> {
        let Ok(folders) = self.folders() else { return Vec::new() };
        let mut found: Vec<_> = folders
            .iter()
            .filter_map(|name| {
                let partition = names::parse_folder(name)?;
                let file = self.path.join(name).join(names::PARTITION_METADATA);
                let id = meta::decode_topic_id(&fs::read(&file).ok()?, &file).ok()?;
                Some((partition, id))
            })
            .collect();
        found.sort();
        found
    }

    /// Opens a partition's log, making its folder if it is missing. The same log again if it is open.
    pub fn open_log(
        &self,
        partition: &TopicPartition,
        topic_id: TopicId,
        config: LogConfig,
    ) -> Result<(Arc<Log>, RecoveryReport)> {
        let place = Arc::clone(self.places().entry(partition.clone()).or_default());
        let mut place = place.lock();
        if let Some(log) = &*place {
            return Ok((Arc::clone(log), RecoveryReport::default()));
        }
        let folder = self.folder(partition);
        let storage = self.backend.open(&folder).map_err(|source| storage(&folder, source))?;
        check_topic_id(&*storage, partition, topic_id, &folder)?;
        let recovery = Recovery {
            clean_shutdown: self.clean_shutdown,
            recovery_point: self.recovery_points.get(partition).unwrap_or_default(),
            log_start: self.log_starts.get(partition).unwrap_or_default(),
        };
        let (clock, probe) = (Arc::clone(&self.clock), Arc::clone(&self.probe));
        let (log, report) = Log::open(storage, partition.clone(), config, recovery, clock, probe)?;
        log.set_checkpoints(PartitionCheckpoints {
            partition: partition.clone(),
            recovery_points: Arc::clone(&self.recovery_points),
            log_starts: Arc::clone(&self.log_starts),
            cleaned_offsets: Arc::clone(&self.cleaned_offsets),
        });
        *place = Some(Arc::clone(&log));
        Ok((log, report))
    }

    /// Opens many logs on `threads` threads; the results stand in the order of the wishes.
    ///
    /// A recovery waits for the device most of the time, and for one processor the rest: two at a time use both.
    pub fn open_logs(&self, wanted: &[Wanted], threads: usize) -> Vec<Result<(Arc<Log>, RecoveryReport)>> {
        let (next, opened) = (AtomicUsize::new(0), wanted.iter().map(|_| OnceLock::new()).collect::<Vec<_>>());
        std::thread::scope(|scope| {
            for _ in 0..threads.clamp(1, wanted.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(Wanted { partition, topic_id, config }) = wanted.get(at) else { break };
                        let result = self.open_log(partition, *topic_id, config.clone());
                        assert!(opened[at].set(result).is_ok(), "each place is filled once");
                    }
                });
            }
        });
        opened.into_iter().map(|slot| slot.into_inner().expect("all places are filled")).collect()
    }

    /// Removes the folders of deleted partitions whose `file.delete.delay.ms` is over; returns how many. What is left when the
    /// process ends goes at the next start.
    pub fn remove_deleted(&self) -> Result<usize> {
        let now = self.clock.now();
        let due: Vec<PathBuf> = self.doomed().extract_if(.., |(at, _)| *at <= now).map(|(_, path)| path).collect();
        for path in &due {
            fs::remove_dir_all(path).map_err(|source| at(path, source))?;
        }
        Ok(due.len())
    }

    /// Takes a partition's folder out of the way; [`LogDirectory::remove_deleted`] removes it.
    ///
    /// The folder is renamed first, as Kafka does, so that the topic can be made anew at once; readers that are at
    /// work keep the files that they have open.
    pub fn delete_log(&self, partition: &TopicPartition) -> Result<()> {
        let place = self.places().remove(partition);
        let log = place.and_then(|place| place.lock().take());
        if let Some(Err(error)) = log.as_ref().map(|log| log.close()) {
            tracing::warn!(%partition, "closing a log that is deleted: {error}");
        }
        // A log of the same name starts anew.
        self.recovery_points.forget(partition)?;
        self.log_starts.forget(partition)?;
        self.cleaned_offsets.forget(partition)?;
        self.high_watermarks.forget(partition)?;
        let folder = self.folder(partition);
        if !folder.exists() {
            return Ok(());
        }
        let doomed = self.path.join(format!("{partition}.{}{}", TopicId::new_v4().simple(), names::DELETED_FOLDER));
        fs::rename(&folder, &doomed).map_err(|source| at(&folder, source))?;
        let delay = log.map_or(Duration::ZERO, |log| Duration::from_millis(log.config().file_delete_delay_ms));
        self.doomed().push((self.clock.now().after(delay), doomed));
        Ok(())
    }

    /// Writes high watermarks, recovery points and log starts, as they are now.
    pub fn write_checkpoints(&self, high_watermarks: &[(TopicPartition, Offset)]) -> Result<()> {
        self.high_watermarks.update(|known| known.extend(high_watermarks.iter().cloned()))?;
        self.write_log_offsets()
    }

    /// A partition's high watermark as last written down; 0 if it never was.
    pub fn high_watermark(&self, partition: &TopicPartition) -> Offset {
        self.high_watermarks.get(partition).unwrap_or_default()
    }

    /// Closes all logs and, if all closed well, leaves the mark that spares the next start its recovery.
    pub fn close_clean(&self) -> Result<()> {
        let logs = self.logs();
        let closed: Vec<Result<()>> = logs.values().map(|log| log.close()).collect();
        self.write_log_offsets()?;
        closed.into_iter().collect::<Result<()>>()?;
        let unseen = self.existing().into_iter().any(|(partition, _)| !logs.contains_key(&partition));
        if unseen && !self.clean_shutdown {
            // What nobody has opened since the unclean stop has not been recovered.
            return Ok(());
        }
        let mark = br#"{"version":0,"brokerEpoch":-1}"#;
        self.root.replace(names::CLEAN_SHUTDOWN, mark).map_err(|source| storage(&self.path, source))
    }

    /// Writes what the logs say of themselves. A log start is written only where the files do not tell it.
    fn write_log_offsets(&self) -> Result<()> {
        let logs = self.logs();
        let points = logs.iter().map(|(partition, log)| (partition.clone(), log.recovery_point()));
        self.recovery_points.update(|known| known.extend(points))?;
        self.log_starts.update(|known| {
            for (partition, log) in logs.iter() {
                if let Some(start) = log.start_within_segment() {
                    known.insert(partition.clone(), start);
                } else {
                    known.remove(partition);
                }
            }
        })
    }

    fn folder(&self, partition: &TopicPartition) -> PathBuf {
        self.path.join(partition.to_string())
    }

    /// Names of the directory's folders.
    fn folders(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(&self.path).map_err(|source| at(&self.path, source))?;
        let folders = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            entry.file_type().ok()?.is_dir().then(|| entry.file_name().into_string().ok())?
        });
        Ok(folders.collect())
    }

    /// Removes what a deletion did not come to remove.
    fn remove_leftovers(&self) -> Result<()> {
        for name in self.folders()?.into_iter().filter(|name| name.ends_with(names::DELETED_FOLDER)) {
            let path = self.path.join(name);
            fs::remove_dir_all(&path).map_err(|source| at(&path, source))?;
        }
        Ok(())
    }

    fn doomed(&self) -> MutexGuard<'_, Vec<(Nanos, PathBuf)>> {
        self.doomed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The logs that are open; one that is being opened right now has nothing to say yet.
    fn logs(&self) -> BTreeMap<TopicPartition, Arc<Log>> {
        let places = self.places();
        let open = places.iter().filter_map(|(partition, place)| {
            let log = place.0.try_lock().ok()?.clone()?;
            Some((partition.clone(), log))
        });
        open.collect()
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<TopicPartition, Arc<Place>>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks, or writes before any data, which topic the folder belongs to.
fn check_topic_id(folder: &dyn Storage, partition: &TopicPartition, wanted: TopicId, path: &Path) -> Result<()> {
    let content = folder.load(names::PARTITION_METADATA).map_err(|source| storage(path, source))?;
    let Some(content) = content else {
        let content = meta::encode_topic_id(wanted);
        return folder.replace(names::PARTITION_METADATA, &content).map_err(|source| storage(path, source));
    };
    let found = meta::decode_topic_id(&content, &path.join(names::PARTITION_METADATA))?;
    if found == wanted { Ok(()) } else { Err(LogError::OtherTopic { partition: partition.clone(), found, wanted }) }
}

/// The directory's lock. It is given back by name: a process that this one is starting holds copies of its descriptors until it runs its
/// own program, and with them a lock that is merely closed.
struct Lock(File);

impl Lock {
    fn take(directory: &Path) -> Result<Lock> {
        let path = directory.join(names::LOCK);
        let file =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(|source| at(&path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(fs::TryLockError::WouldBlock) => Err(LogError::Locked { path: directory.to_owned() }),
            Err(fs::TryLockError::Error(source)) => Err(at(&path, source)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(source) = self.0.unlock() {
            tracing::warn!(%source, "the lock of a data directory goes with its last descriptor only");
        }
    }
}

fn at(path: &Path, source: std::io::Error) -> LogError {
    LogError::Directory { path: path.to_owned(), source: Arc::new(source) }
}
