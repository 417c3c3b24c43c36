//! BrokerHeartbeat (63).

use logdyno_record::BrokerId;
use logdyno_wire::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};

use super::FAILED;
use crate::active::Active;
use crate::decide::registration::Heartbeat;

pub(super) fn answer(active: &Active, request: &BrokerHeartbeatRequest) -> BrokerHeartbeatResponse {
    let heartbeat = Heartbeat {
        broker: BrokerId(request.broker_id.0),
        broker_epoch: request.broker_epoch,
        applied: request.current_metadata_offset,
        want_fence: request.want_fence,
        want_shut_down: request.want_shut_down,
    };
    let response = BrokerHeartbeatResponse::default();
    match active.heartbeat(&heartbeat) {
        Ok(Ok(answer)) => response
            .with_is_caught_up(answer.is_caught_up)
            .with_is_fenced(answer.is_fenced)
            .with_should_shut_down(answer.should_shut_down),
        Ok(Err(refusal)) => response.with_error_code(refusal.code()),
        Err(error) => {
            tracing::error!("{error}");
            response.with_error_code(FAILED)
        }
    }
}
