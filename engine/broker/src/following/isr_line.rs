//! AlterPartition: what leaders here ask of the controller, one request in flight (Kafka's `AlterPartitionManager`).

use std::sync::{Arc, Mutex, PoisonError};

use logdyno_controller::client::{Client, IsrOutcome};
use logdyno_controller::decide::alter_partition::IsrChange;
use logdyno_controller::image::MetadataImage;
use logdyno_record::BrokerId;
use logdyno_replication::{AlterIsr, IsrChanges, IsrRefusal};
use tokio::sync::{mpsc, watch};

use crate::config::BrokerConfig;
use crate::partitions::{Hosted, Partitions};

/// Takes proposals from replicas; [`propose_changes`] carries them to the controller.
pub(crate) struct IsrLine {
    proposals: mpsc::UnboundedSender<AlterIsr>,
    queue: Mutex<Option<mpsc::UnboundedReceiver<AlterIsr>>>,
    metadata: watch::Receiver<Arc<MetadataImage>>,
}

impl IsrLine {
    pub(crate) fn new(metadata: watch::Receiver<Arc<MetadataImage>>) -> IsrLine {
        let (proposals, queue) = mpsc::unbounded_channel();
        IsrLine { proposals, queue: Mutex::new(Some(queue)), metadata }
    }

    /// The proposals, for the one who carries them.
    pub(crate) fn take_queue(&self) -> Option<mpsc::UnboundedReceiver<AlterIsr>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl IsrChanges for IsrLine {
    fn propose(&self, change: AlterIsr) {
        // The carrier only goes away when the broker stops.
        drop(self.proposals.send(change));
    }

    fn broker_epoch(&self, broker: BrokerId) -> Option<i64> {
        self.metadata.borrow().live_epoch(broker)
    }
}

/// Carries proposals, all that have come in meanwhile in one request. Runs until the line is gone.
pub(crate) async fn propose_changes(
    mut queue: mpsc::UnboundedReceiver<AlterIsr>,
    controller: Arc<Client>,
    partitions: Arc<Partitions>,
    config: Arc<BrokerConfig>,
    broker_epoch: i64,
) {
    let mut proposals = Vec::new();
    while queue.recv_many(&mut proposals, 1024).await > 0 {
        let hosted = |proposal: AlterIsr| {
            let hosted = partitions.get(&proposal.partition.topic, proposal.partition.partition)?;
            Some((change(&hosted, &proposal), hosted))
        };
        let (changes, asked): (Vec<IsrChange>, Vec<Hosted>) = proposals.drain(..).filter_map(hosted).unzip();
        let outcomes = match controller.alter_partitions(config.id(), broker_epoch, &changes).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                tracing::warn!("changes of in-sync replicas could not be proposed: {error}");
                vec![IsrOutcome::Unanswered; changes.len()]
            }
        };
        for ((change, hosted), outcome) in changes.iter().zip(&asked).zip(outcomes) {
            tell(change, hosted, outcome);
        }
    }
}

fn change(hosted: &Hosted, proposal: &AlterIsr) -> IsrChange {
    IsrChange {
        topic: hosted.topic,
        partition: proposal.partition.partition,
        leader_epoch: proposal.proposal.leader_epoch.0,
        partition_epoch: proposal.proposal.partition_epoch,
        isr: proposal.proposal.isr.iter().map(|member| (member.broker, member.broker_epoch)).collect(),
    }
}

fn tell(change: &IsrChange, hosted: &Hosted, outcome: IsrOutcome) {
    let leader_epoch = logdyno_record::LeaderEpoch(change.leader_epoch);
    let replica = &hosted.replica;
    let refusal = match outcome {
        IsrOutcome::Committed { leader_epoch, isr, partition_epoch } => {
            tracing::info!(partition = %replica.partition(), ?isr, "the in-sync replicas have changed");
            return replica.on_isr_committed(leader_epoch, &isr, partition_epoch);
        }
        IsrOutcome::Ineligible => IsrRefusal::Ineligible,
        IsrOutcome::Stale => IsrRefusal::Stale,
        IsrOutcome::Unanswered => IsrRefusal::Unanswered,
    };
    replica.on_isr_refused(leader_epoch, change.partition_epoch, refusal);
}
