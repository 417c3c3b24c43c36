//! InitProducerId (22): an id and an epoch for an idempotent producer.

use logdyno_wire::ErrorCode;
use logdyno_wire::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use logdyno_wire::request::Request;

use super::{Answer, Desk, Unanswerable, code, encode};

/// A producer that asks again (after an error that it cannot tell the outcome of) gets a new id, as from Kafka; its old
/// one ends with what is in flight.
pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: InitProducerIdRequest = request.decode()?;
    let refused = |error| {
        let nobody = InitProducerIdResponse::default().with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
        nobody.with_error_code(code(error))
    };
    let response = if asked.transactional_id.is_some() {
        // There is no transaction coordinator to ask.
        refused(ErrorCode::InvalidRequest)
    } else {
        match desk.producer_ids.next().await {
            Ok(id) => InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0),
            Err(error) => {
                tracing::warn!("no producer id for a client: {error}");
                // What Kafka says while its block is on the way; clients ask again.
                refused(ErrorCode::CoordinatorLoadInProgress)
            }
        }
    };
    encode(request, &response)
}
