//! This broker's place in the cluster: registration, heartbeats, and acting on the metadata.

use std::sync::Arc;
use std::time::Duration;

use logdyno_controller::client::{Client, ClientError};
use logdyno_controller::decide::registration::{Heartbeat, HeartbeatAnswer};
use logdyno_controller::image::MetadataImage;
use logdyno_record::BrokerId;
use tokio::sync::watch;

use crate::following::Fetchers;
use crate::partitions::Partitions;

/// How long one fetch of metadata waits for news.
const METADATA_WAIT: Duration = Duration::from_millis(500);

/// One incarnation of a broker.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) id: BrokerId,
    pub(crate) epoch: i64,
    pub(crate) controller: Arc<Client>,
}

impl Member {
    async fn beat(&self, applied: i64, want_shut_down: bool) -> Result<HeartbeatAnswer, ClientError> {
        let heartbeat =
            Heartbeat { broker: self.id, broker_epoch: self.epoch, applied, want_fence: false, want_shut_down };
        self.controller.heartbeat(&heartbeat).await
    }

    /// Tells the controller every `interval`, and at once when there is news while out of service, that this broker lives and how much it
    /// knows. When it stops, the last heartbeat says goodbye, so that leaders need not wait for this broker to be missed; none comes after
    /// it, which would put the broker back into service.
    pub(crate) async fn beat_on(
        self,
        mut metadata: watch::Receiver<Arc<MetadataImage>>,
        interval: Duration,
        mut stopping: watch::Receiver<bool>,
    ) {
        let mut fenced = true;
        loop {
            let leaves = *stopping.borrow_and_update();
            let applied = metadata.borrow_and_update().next_offset().0 - 1;
            match self.beat(applied, leaves).await {
                Ok(answer) => fenced = answer.is_fenced,
                Err(error) if leaves => tracing::debug!("the controller was not told that this broker stops: {error}"),
                Err(error) => tracing::warn!("a heartbeat failed: {error}"),
            }
            if leaves {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                Ok(()) = metadata.changed(), if fenced => {}
                // Who could stop this broker goes away only with it.
                _ = stopping.changed() => {}
            }
        }
    }

    /// Follows the metadata into `news`. Runs for ever; if the metadata cannot be used, it says so and ends.
    pub(crate) async fn follow_metadata(self, news: watch::Sender<Arc<MetadataImage>>) {
        let told = |image, _: &[_]| {
            news.send_replace(image);
        };
        let Err(error) = self.controller.follow(MetadataImage::default(), METADATA_WAIT, told).await;
        tracing::error!("this broker stops following the cluster, restart it: {error}");
    }
}

/// Acts on the newest metadata, and only then shows them to handlers. Runs until the metadata end.
///
/// What was true before this incarnation registered is not acted on: the controller has given partitions that this broker led a new epoch
/// since, and the old one must not lead again.
pub(crate) async fn act_on(
    mut news: watch::Receiver<Arc<MetadataImage>>,
    acted_on: watch::Sender<Arc<MetadataImage>>,
    partitions: Arc<Partitions>,
    fetchers: Arc<tokio::sync::Mutex<Option<Fetchers>>>,
    member: Member,
) {
    while news.changed().await.is_ok() {
        let image = Arc::clone(&news.borrow_and_update());
        if image.broker(member.id).is_none_or(|broker| broker.epoch != member.epoch) {
            continue;
        }
        let (applying, to_apply) = (Arc::clone(&partitions), Arc::clone(&image));
        if let Err(failed) = tokio::task::spawn_blocking(move || applying.apply(&to_apply)).await {
            tracing::error!("acting on the metadata failed: {failed}");
        }
        acted_on.send_replace(Arc::clone(&image));
        if let Some(fetchers) = fetchers.lock().await.as_mut() {
            fetchers.look_again(&image);
        }
    }
}
