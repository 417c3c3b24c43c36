//! The active controller: the one place where metadata change.
//!
//! A change is decided on the newest image, made durable, applied and published, under one lock; only then
//! is anybody answered. Everything here may block: it waits for the disk.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use logdyno_record::{BrokerId, Clock, Offset, batches};
use uuid::Uuid;

use crate::decide::Refusal;
use crate::decide::alter_configs::{Alteration, alter_configs};
use crate::decide::alter_partition::{IsrChange, alter_partition};
use crate::decide::create_partitions::{MorePartitions, create_partitions};
use crate::decide::create_topics::{CreatedTopic, NewTopic, TopicDefaults, create_topic};
use crate::decide::delete_topics::{TopicRef, delete_topic};
use crate::decide::producer_ids;
use crate::decide::registration::{self, Heartbeat, HeartbeatAnswer, Registration};
use crate::decide::sessions::Sessions;
use crate::error::ControllerError;
use crate::image::{MetadataImage, Topic};
use crate::metadata_log::{MetadataLog, records_of};
use crate::record::{MetadataRecord, PartitionState};

/// Bytes of the metadata log read at once while it is replayed.
const REPLAY_BYTES: usize = 1 << 20;

/// What a decision came to: an answer, a refusal, or a failure of the controller itself.
pub(crate) type Decided<T> = Result<Result<T, Refusal>, ControllerError>;

pub(crate) struct Active {
    log: Arc<dyn MetadataLog>,
    clock: Arc<dyn Clock>,
    defaults: TopicDefaults,
    deciding: Mutex<Sessions>,
    image: RwLock<Arc<MetadataImage>>,
}

impl Active {
    /// Replays the log, which must be that of `cluster_id` if that is known; an empty one becomes it, or that of a new cluster. Every
    /// broker in service gets a whole session.
    pub(crate) fn open(
        log: Arc<dyn MetadataLog>,
        cluster_id: Option<&str>,
        defaults: TopicDefaults,
        session_timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Result<Active, ControllerError> {
        let mut image = replay(log.as_ref())?;
        match (image.cluster_id(), cluster_id) {
            (Some(found), Some(configured)) if found != configured => {
                let (found, configured) = (found.to_owned(), configured.to_owned());
                return Err(ControllerError::OtherCluster { found, configured });
            }
            (Some(_), _) => {}
            (None, known) => {
                let id = known.map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_owned);
                let first = MetadataRecord::Cluster { id };
                let offsets = log.propose(std::slice::from_ref(&first))?;
                image.apply(offsets.start, &first)?;
            }
        }
        let live: Vec<_> = image.live_brokers().map(|(id, _)| id).collect();
        let sessions = Sessions::new(session_timeout, live, clock.now());
        Ok(Active { log, clock, defaults, deciding: Mutex::new(sessions), image: RwLock::new(Arc::new(image)) })
    }

    pub(crate) fn log(&self) -> &Arc<dyn MetadataLog> {
        &self.log
    }

    /// The newest metadata.
    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        Arc::clone(&self.image.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Registers a broker; gives its epoch.
    pub(crate) fn register(&self, request: &Registration) -> Decided<i64> {
        let mut sessions = self.deciding();
        let now = self.clock.now();
        let is_alive = sessions.is_alive(request.broker, now);
        let records = match registration::register(&self.image(), request, is_alive) {
            Ok(records) => records,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !records.is_empty() {
            sessions.end(request.broker);
        }
        let image = self.commit(&records)?;
        let epoch = image.broker(request.broker).map_or(-1, |broker| broker.epoch);
        tracing::info!(broker = %request.broker, epoch, "a broker has registered");
        Ok(Ok(epoch))
    }

    /// Hears a broker's heartbeat.
    pub(crate) fn heartbeat(&self, request: &Heartbeat) -> Decided<HeartbeatAnswer> {
        let mut sessions = self.deciding();
        let (answer, records) = match registration::heartbeat(&self.image(), request) {
            Ok(decided) => decided,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.commit(&records)?;
        if answer.is_fenced {
            sessions.end(request.broker);
        } else {
            sessions.touch(request.broker, self.clock.now());
        }
        if !records.is_empty() {
            let state = if answer.is_fenced { "out of" } else { "in" };
            tracing::info!(broker = %request.broker, "a broker is {state} service");
        }
        Ok(Ok(answer))
    }

    /// Fences brokers that have been silent for a session. That one cannot be is no reason to spare the others: the first failure comes back.
    pub(crate) fn fence_silent(&self) -> Result<(), ControllerError> {
        let mut sessions = self.deciding();
        let mut outcome = Ok(());
        for broker in sessions.silent(self.clock.now()) {
            tracing::warn!(%broker, "a broker has been silent for broker.session.timeout.ms: it is fenced");
            match self.commit(&registration::fence(&self.image(), broker)) {
                Ok(_) => sessions.end(broker),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    /// Commits the ISR changes that stand; all in one batch.
    pub(crate) fn alter_partitions(
        &self,
        broker: BrokerId,
        broker_epoch: i64,
        changes: &[IsrChange],
    ) -> Decided<Vec<Result<PartitionState, Refusal>>> {
        let _deciding = self.deciding();
        let mut draft = MetadataImage::clone(&self.image());
        if let Err(refusal) = registration::current(&draft, broker, broker_epoch) {
            return Ok(Err(refusal));
        }
        let mut records = Vec::new();
        let mut answers = Vec::with_capacity(changes.len());
        for change in changes {
            let answer = alter_partition(&draft, broker, change);
            if let Ok((_, record)) = &answer {
                draft.apply(draft.next_offset(), record)?;
                records.push(record.clone());
            }
            answers.push(answer.map(|(state, _)| state));
        }
        self.commit(&records)?;
        Ok(Ok(answers))
    }

    /// Creates a topic; with `validate_only` only says what would come of it.
    pub(crate) fn create_topic(&self, topic: &NewTopic, validate_only: bool) -> Decided<CreatedTopic> {
        let _deciding = self.deciding();
        let id = Uuid::new_v4();
        // A random id is also a seed: each topic starts on another broker.
        let (_, seed) = id.as_u64_pair();
        let (created, records) = match create_topic(&self.image(), self.defaults, topic, id, seed) {
            Ok(decided) => decided,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !validate_only {
            self.commit(&records)?;
            tracing::info!(topic = topic.name, %id, partitions = created.partitions, "a topic was created");
        }
        Ok(Ok(created))
    }

    /// Gives a topic more partitions; with `validate_only` only says whether it can have them.
    pub(crate) fn create_partitions(&self, more: &MorePartitions, validate_only: bool) -> Decided<()> {
        let _deciding = self.deciding();
        let (_, seed) = Uuid::new_v4().as_u64_pair();
        let records = match create_partitions(&self.image(), more, seed) {
            Ok(records) => records,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !validate_only {
            self.commit(&records)?;
            tracing::info!(topic = more.topic, partitions = more.count, "a topic has got more partitions");
        }
        Ok(Ok(()))
    }

    /// Gives a topic other settings; with `validate_only` only says whether it might have them.
    pub(crate) fn alter_configs(&self, topic: &str, alteration: &Alteration, validate_only: bool) -> Decided<()> {
        let _deciding = self.deciding();
        let records = match alter_configs(&self.image(), topic, alteration) {
            Ok(records) => records,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !validate_only && !records.is_empty() {
            self.commit(&records)?;
            tracing::info!(topic, changes = records.len(), "the topic's settings were altered");
        }
        Ok(Ok(()))
    }

    /// Hands a block of producer ids to a broker.
    pub(crate) fn allocate_producer_ids(&self, broker: BrokerId, broker_epoch: i64) -> Decided<Range<i64>> {
        let _deciding = self.deciding();
        let (block, record) = match producer_ids::allocate(&self.image(), broker, broker_epoch) {
            Ok(decided) => decided,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.commit(&[record])?;
        Ok(Ok(block))
    }

    /// Deletes a topic.
    pub(crate) fn delete_topic(&self, topic: &TopicRef) -> Decided<Arc<Topic>> {
        let _deciding = self.deciding();
        let (topic, record) = match delete_topic(&self.image(), topic) {
            Ok(decided) => decided,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.commit(&[record])?;
        tracing::info!(topic = %topic.name, id = %topic.id, "a topic was deleted");
        Ok(Ok(topic))
    }

    /// Makes records durable, applies and publishes them. The caller holds `deciding`.
    fn commit(&self, records: &[MetadataRecord]) -> Result<Arc<MetadataImage>, ControllerError> {
        if records.is_empty() {
            return Ok(self.image());
        }
        let offsets = self.log.propose(records)?;
        let mut next = MetadataImage::clone(&self.image());
        for (index, record) in (offsets.start.0..).zip(records) {
            next.apply(Offset(index), record)?;
        }
        let next = Arc::new(next);
        *self.image.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&next);
        Ok(next)
    }

    fn deciding(&self) -> MutexGuard<'_, Sessions> {
        self.deciding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The image of everything that is committed.
fn replay(log: &dyn MetadataLog) -> Result<MetadataImage, ControllerError> {
    let mut image = MetadataImage::default();
    while image.next_offset() < log.committed_end() {
        let before = image.next_offset();
        for batch in batches(log.read(before, REPLAY_BYTES)?) {
            for (offset, record) in records_of(&batch?)? {
                image.apply(offset, &record)?;
            }
        }
        if image.next_offset() == before {
            let what = "nothing readable is there, although more is committed".to_owned();
            return Err(ControllerError::Unreadable { offset: before, what });
        }
    }
    Ok(image)
}
