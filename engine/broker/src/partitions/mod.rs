//! The partitions that this broker has a replica of.

mod recovered;
mod settings;
mod upkeep;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use logdyno_controller::image::{MetadataImage, Topic};
use logdyno_controller::record::PartitionState;
use logdyno_record::{BrokerId, Clock, LeaderEpoch, Offset, Probe, TopicId, TopicPartition};
use logdyno_replication::{IsrChanges, LeaderAndIsr, Replica, ReplicaError};
use logdyno_segment_log::{Log, LogDirectory, LogError, Wanted};
use logdyno_wire::ErrorCode;
use tokio::sync::oneshot;

use crate::config::BrokerConfig;
pub(crate) use recovered::tell_recovery;
pub(crate) use settings::TopicSettings;
pub(crate) use upkeep::{checkpoint, clean, expire_producers, flush, flush_aged, remove_deleted, retain, tick};

/// The metadata log lies in the same directory and is nobody's topic.
pub(crate) const METADATA_TOPIC: &str = logdyno_controller::metadata_log::METADATA_TOPIC;

/// A replica and what belongs to it.
#[derive(Clone)]
pub(crate) struct Hosted {
    pub(crate) replica: Arc<Replica>,
    pub(crate) topic: TopicId,
    pub(crate) settings: Arc<TopicSettings>,
}

/// What a replica is made with.
pub(crate) struct Surroundings {
    pub(crate) config: Arc<BrokerConfig>,
    pub(crate) directory: Arc<LogDirectory>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) probe: Arc<dyn Probe>,
    pub(crate) isr_changes: Arc<dyn IsrChanges>,
}

/// All replicas on this broker.
pub(crate) struct Partitions {
    around: Surroundings,
    topics: RwLock<HashMap<Arc<str>, BTreeMap<i32, Hosted>>>,
    /// There may be folders of partitions that are not hosted: at the start, and after one could not be opened or deleted.
    look_at_folders: AtomicBool,
}

impl Partitions {
    pub(crate) fn new(around: Surroundings) -> Partitions {
        Partitions { around, topics: RwLock::default(), look_at_folders: AtomicBool::new(true) }
    }

    /// The replica of a partition, on any broker that has one.
    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<Hosted> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(topic)?.get(&partition).cloned()
    }

    /// The replica of a partition that may lead it, or the error that a client is told: 3 for what does not exist, 6 for what is
    /// elsewhere. Whether it leads, the replica says itself.
    pub(crate) fn leading(&self, image: &MetadataImage, topic: &str, partition: i32) -> Result<Hosted, i16> {
        if let Some(hosted) = self.get(topic, partition) {
            return Ok(hosted);
        }
        let exists = state(image, topic, partition).is_some();
        let error = if exists { ErrorCode::NotLeaderOrFollower } else { ErrorCode::UnknownTopicOrPartition };
        Err(error.code())
    }

    /// Who leads a partition by the metadata.
    pub(crate) fn current_leader(
        &self,
        image: &MetadataImage,
        topic: &str,
        partition: i32,
    ) -> Option<(BrokerId, LeaderEpoch)> {
        let state = state(image, topic, partition)?;
        Some((state.leader?, state.leader_epoch))
    }

    /// All replicas.
    pub(crate) fn all(&self) -> Vec<Hosted> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.values().flat_map(|partitions| partitions.values().cloned()).collect()
    }

    /// Makes this broker what the metadata say: opens, deletes, leads and follows. May wait for the disk.
    ///
    /// A partition that cannot be opened is left out and tried again with the next news; the others go on.
    pub(crate) fn apply(&self, image: &MetadataImage) {
        let me = self.around.config.id();
        self.remove_strangers(image, me);
        self.open_missing(image, me);
        for (topic, partition, state) in image.partitions_on(me) {
            if let Err(error) = self.apply_one(topic, &partition, state) {
                tracing::error!(%partition, "the partition is out of service: {error}");
            }
        }
    }

    /// Opens the logs of partitions that are new here, several at a time: after an unclean stop each is recovered.
    fn open_missing(&self, image: &MetadataImage, me: BrokerId) {
        let placed = image.partitions_on(me);
        let missing = placed.filter(|(_, partition, _)| self.get(&partition.topic, partition.partition).is_none());
        let (settings, wanted): (Vec<_>, Vec<_>) = missing
            .map(|(topic, partition, _)| {
                let settings = Arc::new(TopicSettings::new(&self.around.config, &topic.configs));
                let config = settings.log.clone();
                (settings, Wanted { partition, topic_id: topic.id, config })
            })
            .unzip();
        let threads = self.around.config.num_recovery_threads_per_data_dir as usize;
        let opened = self.around.directory.open_logs(&wanted, threads);
        for ((settings, wanted), opened) in settings.into_iter().zip(wanted).zip(opened) {
            match opened {
                Ok((log, report)) => {
                    tell_recovery(&log, &report);
                    self.host_log(log, wanted.topic_id, settings);
                }
                Err(error) => {
                    tracing::error!(partition = %wanted.partition, "the partition is out of service: {error}");
                    self.look_at_folders.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    fn apply_one(&self, topic: &Topic, partition: &TopicPartition, state: &PartitionState) -> Result<(), ReplicaError> {
        let hosted = match self.get(&partition.topic, partition.partition) {
            Some(hosted) if hosted.settings.are_of(&topic.configs) => hosted,
            Some(hosted) => self.reconfigure(hosted, topic)?,
            // It could not be opened; the next news may find it mended.
            None => return Ok(()),
        };
        let Some(leader) = state.leader else {
            hosted.replica.go_offline();
            return Ok(());
        };
        let news = LeaderAndIsr {
            leader,
            leader_epoch: state.leader_epoch,
            partition_epoch: state.partition_epoch,
            isr: state.isr.clone(),
            replicas: state.replicas.clone(),
        };
        if leader == self.around.config.id() {
            hosted.replica.become_leader(&news)
        } else {
            hosted.replica.become_follower(&news);
            Ok(())
        }
    }

    /// Has a log and a replica obey the topic's new settings; who takes the replica from now on finds them with it.
    fn reconfigure(&self, mut hosted: Hosted, topic: &Topic) -> Result<Hosted, LogError> {
        let settings = Arc::new(TopicSettings::new(&self.around.config, &topic.configs));
        hosted.replica.log().reconfigure(settings.log.clone())?;
        hosted.replica.reconfigure(settings.replica);
        hosted.settings = settings;
        self.host(hosted.clone());
        Ok(hosted)
    }

    fn host(&self, hosted: Hosted) {
        let partition = hosted.replica.partition().clone();
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        topics.entry(partition.topic).or_default().insert(partition.partition, hosted);
    }

    fn host_log(&self, log: Arc<Log>, topic: TopicId, settings: Arc<TopicSettings>) {
        let Surroundings { config, directory, clock, probe, isr_changes } = &self.around;
        let high_watermark = directory.high_watermark(log.partition());
        let (clock, probe) = (Arc::clone(clock), Arc::clone(probe));
        let isr_changes = Arc::clone(isr_changes);
        let replica = Replica::new(config.id(), log, high_watermark, settings.replica, clock, probe, isr_changes);
        self.host(Hosted { replica, topic, settings });
    }

    /// Deletes replicas that the metadata do not place here: of deleted topics, also of ones that have a namesake now.
    fn remove_strangers(&self, image: &MetadataImage, me: BrokerId) {
        let belongs = |partition: &TopicPartition, topic: TopicId| {
            let placed = image.partition(partition).is_some_and(|state| state.replicas.contains(&me));
            placed && image.topic(&partition.topic).is_some_and(|known| known.id == topic)
        };
        for hosted in self.all() {
            let partition = hosted.replica.partition().clone();
            if !belongs(&partition, hosted.topic) {
                hosted.replica.go_offline();
                let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
                if let Entry::Occupied(mut partitions) = topics.entry(Arc::clone(&partition.topic)) {
                    partitions.get_mut().remove(&partition.partition);
                    if partitions.get().is_empty() {
                        partitions.remove();
                    }
                }
                drop(topics);
                self.delete_log(&partition);
            }
        }
        if self.look_at_folders.swap(false, Ordering::Relaxed) {
            let strangers = self.around.directory.existing().into_iter();
            let strangers = strangers.filter(|(partition, topic)| !belongs(partition, *topic));
            strangers.filter(|(partition, _)| &*partition.topic != METADATA_TOPIC).for_each(|(partition, _)| {
                self.delete_log(&partition);
            });
        }
    }

    fn delete_log(&self, partition: &TopicPartition) {
        match self.around.directory.delete_log(partition) {
            Ok(()) => tracing::info!(%partition, "the log of a deleted partition was removed"),
            Err(error) => {
                tracing::error!(%partition, "a deleted partition's log is left over: {error}");
                self.look_at_folders.store(true, Ordering::Relaxed);
            }
        }
    }

    fn high_watermarks(&self) -> Vec<(TopicPartition, Offset)> {
        let replicas = self.all().into_iter().map(|hosted| hosted.replica);
        replicas.map(|replica| (replica.partition().clone(), replica.high_watermark())).collect()
    }

    /// Serves nobody any more, and closes the logs so that the next start need not recover them.
    pub(crate) fn close(&self) -> Result<(), LogError> {
        self.all().iter().for_each(|hosted| hosted.replica.go_offline());
        self.around.directory.write_checkpoints(&self.high_watermarks())?;
        self.around.directory.close_clean()
    }
}

/// Waits until an append that found no room is worth trying again; `false` if that is not so within `patience`.
pub(crate) async fn room(hosted: &Hosted, patience: Duration) -> bool {
    let (waker, room) = oneshot::channel();
    // A waker that is dropped says so too: its segment has closed.
    hosted.replica.when_room(Box::new(move || waker.send(()).unwrap_or_default()));
    tokio::time::timeout(patience, room).await.is_ok()
}

pub(crate) fn state<'a>(image: &'a MetadataImage, topic: &str, partition: i32) -> Option<&'a PartitionState> {
    image.topic(topic)?.partitions.get(usize::try_from(partition).ok()?)
}
