//! What is done to all partitions from time to time.

use std::sync::Arc;
use std::time::Duration;

use super::Partitions;

/// How late an expired acknowledgement may be noticed.
const TICK: Duration = Duration::from_millis(100);

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
