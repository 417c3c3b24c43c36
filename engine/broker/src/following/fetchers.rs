//! Which leaders are fetched from.

use std::collections::HashMap;
use std::sync::Arc;

use logdyno_controller::image::MetadataImage;
use logdyno_record::BrokerId;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::fetcher::{Fetcher, FetcherShared};
use crate::config::BrokerConfig;
use crate::counters::Counters;
use crate::partitions::Partitions;

/// One task per broker that leads a partition which is followed here.
pub(crate) struct Fetchers {
    shared: Arc<FetcherShared>,
    running: HashMap<BrokerId, (Arc<Notify>, JoinHandle<()>)>,
}

impl Fetchers {
    pub(crate) fn new(
        config: Arc<BrokerConfig>,
        partitions: Arc<Partitions>,
        metadata: watch::Receiver<Arc<MetadataImage>>,
        counters: Arc<Counters>,
        broker_epoch: i64,
    ) -> Fetchers {
        let shared = FetcherShared { config, partitions, metadata, counters, broker_epoch };
        Fetchers { shared: Arc::new(shared), running: HashMap::new() }
    }

    /// Leaders have changed: starts fetchers for new ones and lets the others look at their partitions again. One without partitions rests.
    pub(crate) fn look_again(&mut self, image: &MetadataImage) {
        let me = self.shared.config.id();
        let leaders = image.partitions_on(me).filter_map(|(_, _, state)| state.leader).filter(|leader| *leader != me);
        for leader in leaders.collect::<std::collections::BTreeSet<_>>() {
            self.running.entry(leader).or_insert_with(|| {
                let changed = Arc::new(Notify::new());
                let fetcher = Fetcher::new(leader, Arc::clone(&self.shared), Arc::clone(&changed));
                (changed, tokio::spawn(fetcher.run()))
            });
        }
        self.running.values().for_each(|(changed, _)| changed.notify_one());
    }

    /// Stops all of them. What they are appending is appended.
    pub(crate) async fn stop(self) {
        for (_, task) in self.running.into_values() {
            task.abort();
            // What comes back is that it was aborted.
            drop(task.await);
        }
    }
}
