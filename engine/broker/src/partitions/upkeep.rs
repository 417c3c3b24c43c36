//! What is done to all partitions from time to time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use logdyno_record::TopicPartition;
use logdyno_segment_log::{Compaction, CompactionLimits, CompactionPlan, RetentionPlan};

use super::{Hosted, Partitions};
use crate::config::millis;

/// How late an expired acknowledgement may be noticed.
const TICK: Duration = Duration::from_millis(100);

/// How often it is looked at least for records that have waited for the device too long.
const FLUSH_LOOK: Duration = Duration::from_secs(1);

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

/// Makes durable what has waited for `flush.ms`. Runs for ever.
pub(crate) async fn flush_aged(partitions: Arc<Partitions>) {
    loop {
        let shortest = partitions.all().iter().map(|hosted| hosted.replica.log().config().flush_ms).min();
        let pause = shortest.map_or(FLUSH_LOOK, |shortest| Duration::from_millis(shortest.max(1)).min(FLUSH_LOOK));
        tokio::time::sleep(pause).await;
        if shortest.is_some_and(|shortest| shortest < i64::MAX as u64) {
            in_background(&partitions, |partitions| {
                for hosted in partitions.all() {
                    if let Err(error) = hosted.replica.log().flush_aged() {
                        tracing::error!(partition = %hosted.replica.partition(), "the log could not be flushed: {error}");
                    }
                }
            })
            .await;
        }
    }
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

/// Compacts the logs that are due, the dirtiest first, and looks again after `pause`. Runs for ever.
pub(crate) async fn clean(partitions: Arc<Partitions>, pause: Duration) {
    every(partitions, pause, |partitions| {
        let config = &partitions.around.config;
        let limits = CompactionLimits {
            map_bytes: usize::try_from(config.log_cleaner_dedupe_buffer_size).unwrap_or(usize::MAX),
            io_bytes_per_second: config.log_cleaner_io_max_bytes_per_second,
        };
        let mut left_alone = BTreeSet::new();
        while let Some(Hosted { replica, .. }) = partitions.dirtiest(&left_alone) {
            let partition = replica.partition();
            match replica.log().compact(replica.high_watermark(), &limits) {
                Ok(Some(Compaction { cleaned_to, bytes_before, bytes_after, .. })) => {
                    tracing::info!(%partition, %cleaned_to, bytes_before, bytes_after, "the log was compacted");
                    continue;
                }
                Ok(None) => {}
                Err(error) => tracing::error!(%partition, "the log could not be compacted: {error}"),
            }
            left_alone.insert(partition.clone());
        }
    })
    .await;
}

impl Partitions {
    /// The log that most needs compaction: what is overdue before what is only dirty (Kafka's LogCleanerManager).
    fn dirtiest(&self, left_alone: &BTreeSet<TopicPartition>) -> Option<Hosted> {
        let due = self.all().into_iter().filter(|hosted| !left_alone.contains(hosted.replica.partition()));
        let due = due.filter_map(|hosted| {
            let plan = hosted.replica.log().compaction_due(hosted.replica.high_watermark())?;
            Some((plan, hosted))
        });
        let worse = |one: &CompactionPlan, other: &CompactionPlan| {
            one.overdue_ms.cmp(&other.overdue_ms).then(one.dirty_ratio().total_cmp(&other.dirty_ratio()))
        };
        due.max_by(|(one, _), (other, _)| worse(one, other)).map(|(_, hosted)| hosted)
    }
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
                tracing::error!(%partition, "a deleted file could not be removed, and stays until it can: {error}");
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
        in_background(&partitions, work).await;
    }
}

async fn in_background(partitions: &Arc<Partitions>, work: fn(&Partitions)) {
    let partitions = Arc::clone(partitions);
    if let Err(failed) = tokio::task::spawn_blocking(move || work(&partitions)).await {
        tracing::error!("upkeep of the partitions failed: {failed}");
    }
}
