//! What is done to all partitions from time to time.

use std::sync::Arc;
use std::time::Duration;

use logdyno_segment_log::RetentionPlan;

use super::{Hosted, Partitions};
use crate::config::millis;

/// How late an expired acknowledgement may be noticed.
const TICK: Duration = Duration::from_millis(100);

/// How late a deleted file may be removed.
const REMOVAL: Duration = Duration::from_secs(1);

/// Lets replicas check their ISR and expire acknowledgements. Runs for ever.
pub(crate) async fn tick(partitions: Arc<Partitions>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = partitions.around.clock.now();
        partitions.all().iter().for_each(|hosted| hosted.replica.tick(now));
    }
}

/// Writes the high watermarks down every `interval`. Runs for ever.
pub(crate) async fn checkpoint(partitions: Arc<Partitions>, interval: Duration) {
    every(partitions, interval, |partitions| {
        if let Err(error) = partitions.around.directory.write_checkpoints(&partitions.high_watermarks()) {
            tracing::error!("the high watermarks could not be written down: {error}");
        }
    })
    .await;
}

/// Moves recovery points up every `interval`, so that a start after a crash has less to look through. Runs for ever.
pub(crate) async fn flush(partitions: Arc<Partitions>, interval: Duration) {
    every(partitions, interval, |partitions| {
        for hosted in partitions.all() {
            if let Err(error) = hosted.replica.log().flush() {
                tracing::error!(partition = %hosted.replica.partition(), "the log could not be flushed: {error}");
            }
        }
    })
    .await;
}

/// Deletes the segments that retention gives up, of led and followed partitions alike, every `interval`. Runs for ever.
pub(crate) async fn retain(partitions: Arc<Partitions>, interval: Duration) {
    every(partitions, interval, |partitions| {
        for Hosted { replica, .. } in partitions.all() {
            let partition = replica.partition();
            match replica.enforce_retention() {
                Ok(plan) if plan.segments() > 0 => {
                    let RetentionPlan { before_log_start, over_size, over_age } = plan;
                    let start = replica.log().start_offset();
                    tracing::info!(%partition, %start, before_log_start, over_size, over_age, "old segments were deleted");
                }
                Ok(_) => {}
                Err(error) => tracing::error!(%partition, "old segments could not be deleted: {error}"),
            }
        }
    })
    .await;
}

/// Forgets idempotent producers that have been silent for `producer.id.expiration.ms`. Runs for ever.
pub(crate) async fn expire_producers(partitions: Arc<Partitions>, interval: Duration) {
    every(partitions, interval, |partitions| {
        let expiration = millis(partitions.around.config.producer_id_expiration_ms);
        partitions.all().iter().for_each(|hosted| hosted.replica.log().expire_producers(expiration));
    })
    .await;
}

/// Removes the files of deleted segments and partitions once their time is over. Runs for ever.
pub(crate) async fn remove_deleted(partitions: Arc<Partitions>) {
    every(partitions, REMOVAL, |partitions| {
        for Hosted { replica, .. } in partitions.all() {
            if let Err(error) = replica.log().remove_deleted() {
                let partition = replica.partition();
                tracing::error!(%partition, "a deleted file is removed at the next start only: {error}");
            }
        }
        if let Err(error) = partitions.around.directory.remove_deleted() {
            tracing::error!("a deleted partition's folder is removed at the next start only: {error}");
        }
    })
    .await;
}

/// Does `work` where waiting for the disk is allowed.
async fn every(partitions: Arc<Partitions>, interval: Duration, work: fn(&Partitions)) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let partitions = Arc::clone(&partitions);
        if let Err(failed) = tokio::task::spawn_blocking(move || work(&partitions)).await {
            tracing::error!("upkeep of the partitions failed: {failed}");
        }
    }
}
