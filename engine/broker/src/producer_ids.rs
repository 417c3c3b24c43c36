//! Ids for idempotent producers, out of blocks that the controller hands out (KIP-730).

use std::ops::Range;
use std::sync::Arc;

use logdyno_controller::client::{Client, ClientError};
use logdyno_record::BrokerId;
use tokio::sync::Mutex;

/// What is left of this broker's block. The rest of one is lost when the broker stops: ids never repeat.
pub(crate) struct ProducerIds {
    controller: Arc<Client>,
    broker: BrokerId,
    broker_epoch: i64,
    block: Mutex<Range<i64>>,
}

impl ProducerIds {
    pub(crate) fn new(controller: Arc<Client>, broker: BrokerId, broker_epoch: i64) -> ProducerIds {
        ProducerIds { controller, broker, broker_epoch, block: Mutex::new(0..0) }
    }

    /// An id that no producer of this cluster has had.
    pub(crate) async fn next(&self) -> Result<i64, ClientError> {
        let mut block = self.block.lock().await;
        loop {
            if let Some(id) = block.next() {
                return Ok(id);
            }
            *block = self.controller.allocate_producer_ids(self.broker, self.broker_epoch).await?;
        }
    }
}
