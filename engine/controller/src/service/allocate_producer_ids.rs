//! AllocateProducerIds (67).

use logdyno_record::BrokerId;
use logdyno_wire::messages::{AllocateProducerIdsRequest, AllocateProducerIdsResponse, ProducerId};

use super::FAILED;
use crate::active::Active;

pub(super) fn answer(active: &Active, request: &AllocateProducerIdsRequest) -> AllocateProducerIdsResponse {
    let response = AllocateProducerIdsResponse::default();
    match active.allocate_producer_ids(BrokerId(request.broker_id.0), request.broker_epoch) {
        Ok(Ok(block)) => response
            .with_producer_id_start(ProducerId(block.start))
            .with_producer_id_len(i32::try_from(block.end - block.start).unwrap_or(i32::MAX)),
        Ok(Err(refusal)) => response.with_error_code(refusal.code()),
        Err(error) => {
            tracing::error!("{error}");
            response.with_error_code(FAILED)
        }
    }
}
