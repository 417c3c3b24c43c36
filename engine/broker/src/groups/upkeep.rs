//! What happens to groups without a request: leaderships come and go, sessions end, offsets expire.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use logdyno_controller::image::MetadataImage;
use logdyno_coordinator::OFFSETS_TOPIC;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Groups;
use crate::config::millis;

/// How late the end of a session may be noticed.
const TICK: Duration = Duration::from_millis(100);

/// Looks after the groups. Runs for ever.
pub(crate) async fn keep(groups: Arc<Groups>, mut metadata: watch::Receiver<Arc<MetadataImage>>) {
    let config = Arc::clone(&groups.around.config);
    let (check, retention_ms) =
        (millis(config.offsets_retention_check_interval_ms), i64::from(config.offsets_retention_minutes) * 60_000);
    let mut topics = BTreeSet::new();
    let mut next_check = Instant::now() + check;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Copied: what follows takes locks whose holders look at the metadata, too.
        let has_changed = metadata.has_changed().unwrap_or(false);
        let image = Arc::clone(&metadata.borrow_and_update());
        if has_changed {
            topics = groups.forget_deleted(&topics, &image);
        }
        groups.look_at_leaderships(&image);
        groups.all().iter().filter(|shard| shard.is_loaded()).for_each(|shard| shard.tick());
        if Instant::now() >= next_check {
            next_check = Instant::now() + check;
            groups.all().iter().filter(|shard| shard.is_loaded()).for_each(|shard| shard.expire(retention_ms));
        }
    }
}

impl Groups {
    /// Loads what has come here, lets go what has gone, before anybody asks.
    fn look_at_leaderships(&self, image: &MetadataImage) {
        let here = image.topic(OFFSETS_TOPIC).map_or(0, |topic| topic.partitions.len());
        let known: Vec<i32> = self.shards().keys().copied().collect();
        let partitions: BTreeSet<i32> = (0..i32::try_from(here).unwrap_or(i32::MAX)).chain(known).collect();
        partitions.into_iter().for_each(|partition| drop(self.led(partition)));
    }

    /// Forgets what was committed for topics that were there and are not any more. Returns the topics that are there.
    fn forget_deleted(&self, before: &BTreeSet<String>, image: &MetadataImage) -> BTreeSet<String> {
        let now: BTreeSet<String> = image.topics().map(|topic| topic.name.to_string()).collect();
        for deleted in before.difference(&now) {
            self.all().iter().for_each(|shard| shard.forget_topic(deleted));
        }
        now
    }
}
