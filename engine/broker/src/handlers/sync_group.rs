//! SyncGroup (14): the leader brings the assignment, everybody gets its part of it.

use bytes::Bytes;
use logdyno_coordinator::{GroupError, SyncAnswer, Syncing};
use logdyno_wire::messages::sync_group_request::SyncGroupRequestAssignment;
use logdyno_wire::messages::{SyncGroupRequest, SyncGroupResponse};
use logdyno_wire::request::Request;

use super::metadata::text;
use super::{Answer, Desk, Unanswerable, encode};

/// The first version that says the protocol, and must (KIP-559).
const SAYS_PROTOCOL: i16 = 5;

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: SyncGroupRequest = request.decode()?;
    let group = asked.group_id.to_string();
    let says = asked.protocol_type.is_some() && asked.protocol_name.is_some();
    let syncing = Syncing {
        member: asked.member_id.to_string(),
        instance: asked.group_instance_id.map(|instance| instance.to_string()),
        generation: asked.generation_id,
        protocol_type: asked.protocol_type.map(|kind| kind.to_string()),
        protocol: asked.protocol_name.map(|name| name.to_string()),
        assignments: asked.assignments.iter().map(copied).collect(),
    };
    let shard = match request.version >= SAYS_PROTOCOL && !says {
        true => Err(GroupError::InconsistentProtocol),
        false => desk.groups.of(&desk.image(), &group),
    };
    let synced = match shard {
        Ok(shard) => shard.sync(&group, syncing).await,
        Err(error) => SyncAnswer::refused(error),
    };
    let response = SyncGroupResponse::default()
        .with_error_code(synced.error.map_or(0, |error| error.code()))
        .with_protocol_type(synced.protocol_type.as_deref().map(text))
        .with_protocol_name(synced.protocol.as_deref().map(text))
        .with_assignment(synced.assignment);
    encode(request, &response)
}

/// A member and its part, which outlive the memory that the request came in.
fn copied(part: &SyncGroupRequestAssignment) -> (String, Bytes) {
    (part.member_id.to_string(), Bytes::copy_from_slice(&part.assignment))
}
