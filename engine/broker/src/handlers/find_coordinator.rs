//! FindCoordinator (10): there are no groups or transactions yet, so nobody coordinates them.
//!
//! Named and refused, not left out: librdkafka before 2.11.1 compresses with lz4 only for a broker that names version 0.
//! The refusal is one that clients do not retry.

use logdyno_wire::ErrorCode;
use logdyno_wire::messages::{self, FindCoordinatorRequest, FindCoordinatorResponse};
use logdyno_wire::request::Request;

use super::{Answer, Unanswerable, code, encode};

pub(super) fn answer(request: &Request) -> Result<Answer, Unanswerable> {
    let _asked: FindCoordinatorRequest = request.decode()?;
    let refused = FindCoordinatorResponse::default()
        .with_error_code(code(ErrorCode::UnsupportedVersion))
        .with_node_id(messages::BrokerId(-1))
        .with_port(-1);
    encode(request, &refused)
}
