//! A broker's tasks: how they are put together, and how they end.

use std::sync::Arc;
use std::sync::Mutex as StdMutex;
use std::time::Duration;

use logdyno_controller::Controller;
use logdyno_controller::image::MetadataImage;
use logdyno_wire::transport::Listener;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::foundation::Foundation;
use crate::config::millis;
use crate::error::{StartError, StopError};
use crate::fetch_sessions::FetchSessions;
use crate::following::{Fetchers, IsrLine, propose_changes};
use crate::groups::{Groups, keep};
use crate::handlers::Desk;
use crate::membership::{Member, act_on};
use crate::partitions::{
    Partitions, Surroundings, checkpoint, clean, expire_producers, flush, flush_aged, remove_deleted, retain, tick,
};
use crate::producer_ids::ProducerIds;
use crate::server::{Lending, Load, serve};

/// How long a broker that stops tries to tell a controller which does not answer.
const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// A broker's tasks, and what they share.
pub(super) struct Running {
    pub(super) member: Member,
    pub(super) metadata: watch::Receiver<Arc<MetadataImage>>,
    partitions: Arc<Partitions>,
    fetchers: Arc<Mutex<Option<Fetchers>>>,
    pub(super) controller: Option<Controller>,
    pub(super) desk: Arc<Desk>,
    stopping: watch::Sender<bool>,
    beating: JoinHandle<()>,
    serving: JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
}

impl Foundation {
    pub(super) fn run(&self, member: Member, listener: Listener, controller: Option<Controller>) -> Running {
        let config = Arc::clone(&self.config);
        let (news, fresh) = watch::channel(Arc::new(MetadataImage::default()));
        let (acted_on, metadata) = watch::channel(Arc::new(MetadataImage::default()));
        let isr_line = Arc::new(IsrLine::new(metadata.clone()));
        let queue = isr_line.take_queue();
        let partitions = Arc::new(Partitions::new(Surroundings {
            config: Arc::clone(&config),
            directory: Arc::clone(&self.directory),
            clock: Arc::clone(&self.clock),
            probe: Arc::clone(&self.probe),
            isr_changes: isr_line,
        }));
        let fetchers = Fetchers::new(
            Arc::clone(&config),
            Arc::clone(&partitions),
            metadata.clone(),
            Arc::clone(&self.counters),
            member.epoch,
        );
        let fetchers = Arc::new(Mutex::new(Some(fetchers)));
        let groups = Groups::new(Arc::clone(&config), Arc::clone(&partitions), Arc::clone(&self.clock));
        let groups = Arc::new(groups);
        let slots = usize::try_from(config.max_incremental_fetch_session_cache_slots).unwrap_or(0);
        let desk = Arc::new(Desk {
            config: Arc::clone(&config),
            partitions: Arc::clone(&partitions),
            metadata: metadata.clone(),
            controller: Arc::clone(&member.controller),
            producer_ids: ProducerIds::new(Arc::clone(&member.controller), member.id, member.epoch),
            groups: Arc::clone(&groups),
            counters: Arc::clone(&self.counters),
            clock: Arc::clone(&self.clock),
            load: Arc::new(Load::new(&config)),
            lending: Arc::new(Lending::new(usize::try_from(config.fetch_bytes_in_flight_max).unwrap_or(usize::MAX))),
            fetch_sessions: StdMutex::new(FetchSessions::new(slots, Arc::clone(&self.counters))),
        });
        let (stopping, stop) = watch::channel(false);
        let heartbeats = millis(config.broker_heartbeat_interval_ms);
        let high_watermarks = millis(config.replica_high_watermark_checkpoint_interval_ms);
        let recovery_points = millis(config.log_flush_offset_checkpoint_interval_ms);
        let retention = millis(config.log_retention_check_interval_ms);
        let expirations = millis(config.producer_id_expiration_check_interval_ms);
        let mut tasks = vec![
            tokio::spawn(member.clone().follow_metadata(news)),
            tokio::spawn(act_on(fresh, acted_on, Arc::clone(&partitions), Arc::clone(&fetchers), member.clone())),
            tokio::spawn(tick(Arc::clone(&partitions))),
            tokio::spawn(checkpoint(Arc::clone(&partitions), high_watermarks)),
            tokio::spawn(flush(Arc::clone(&partitions), recovery_points)),
            tokio::spawn(flush_aged(Arc::clone(&partitions))),
            tokio::spawn(retain(Arc::clone(&partitions), retention)),
            tokio::spawn(remove_deleted(Arc::clone(&partitions))),
            tokio::spawn(expire_producers(Arc::clone(&partitions), expirations)),
            tokio::spawn(keep(groups, metadata.clone())),
        ];
        if config.log_cleaner_enable {
            let pause = millis(config.log_cleaner_backoff_ms).max(Duration::from_millis(1));
            tasks.push(tokio::spawn(clean(Arc::clone(&partitions), pause)));
        }
        let proposing = |queue| {
            let controller = Arc::clone(&member.controller);
            tokio::spawn(propose_changes(queue, controller, Arc::clone(&partitions), config, member.epoch))
        };
        tasks.extend(queue.map(proposing));
        let beating = tokio::spawn(member.clone().beat_on(metadata.clone(), heartbeats, stop.clone()));
        let serving = tokio::spawn(serve(listener, Arc::clone(&desk), stop));
        Running { member, metadata, partitions, fetchers, controller, desk, stopping, beating, serving, tasks }
    }
}

impl Running {
    pub(super) async fn in_service(&self, patience: Duration) -> Result<(), StartError> {
        let mut metadata = self.metadata.clone();
        let in_service = metadata.wait_for(|image| image.live_epoch(self.member.id) == Some(self.member.epoch));
        match tokio::time::timeout(patience, in_service).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StartError::NotInService { seconds: patience.as_secs() }),
        }
    }

    pub(super) async fn stop(mut self) -> Result<(), StopError> {
        self.stopping.send_replace(true);
        // The last heartbeat says so.
        if tokio::time::timeout(GOODBYE_MAX, &mut self.beating).await.is_err() {
            self.beating.abort();
        }
        // Connections end by themselves: they have been told.
        drop(self.serving.await);
        for task in self.tasks {
            task.abort();
            // What comes back is that it was aborted.
            drop(task.await);
        }
        if let Some(fetchers) = self.fetchers.lock().await.take() {
            fetchers.stop().await;
        }
        if let Some(controller) = self.controller {
            controller.stop().await;
        }
        let partitions = self.partitions;
        let closed = tokio::task::spawn_blocking(move || partitions.close()).await;
        closed.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?;
        Ok(())
    }
}
