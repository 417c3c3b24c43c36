//! Heartbeat (12): a member is alive, and hears whether the group rebalances.

use logdyno_wire::messages::{HeartbeatRequest, HeartbeatResponse};
use logdyno_wire::request::Request;

use super::{Answer, Desk, Unanswerable, encode};

pub(super) fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: HeartbeatRequest = request.decode()?;
    let shard = desk.groups.of(&desk.image(), &asked.group_id);
    let beaten = shard.and_then(|shard| {
        let instance = asked.group_instance_id.as_deref();
        shard.heartbeat(&asked.group_id, &asked.member_id, instance, asked.generation_id)
    });
    encode(request, &HeartbeatResponse::default().with_error_code(beaten.map_or_else(|error| error.code(), |()| 0)))
}
