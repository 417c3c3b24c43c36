//! Blocks of producer ids.

use std::ops::Range;

use logdyno_record::BrokerId;
use logdyno_wire::messages::{self, AllocateProducerIdsRequest};

use super::registration::refuse;
use super::{Client, ClientError};

impl Client {
    /// Asks for a block of ids that no producer has had. Not retried: a block whose answer is lost is never used.
    pub async fn allocate_producer_ids(&self, broker: BrokerId, epoch: i64) -> Result<Range<i64>, ClientError> {
        let broker = messages::BrokerId(broker.0);
        let request = AllocateProducerIdsRequest::default().with_broker_id(broker).with_broker_epoch(epoch);
        let response = self.call(&self.requests, request, 0).await?;
        refuse("producer ids", response.error_code)?;
        let first = response.producer_id_start.0;
        Ok(first..first.saturating_add(i64::from(response.producer_id_len)))
    }
}
