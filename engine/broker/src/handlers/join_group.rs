//! JoinGroup (11): waits until the group's members have joined.

use std::net::IpAddr;

use bytes::Bytes;
use logdyno_coordinator::{JoinAnswer, Joining};
use logdyno_wire::messages::join_group_response::JoinGroupResponseMember;
use logdyno_wire::messages::{JoinGroupRequest, JoinGroupResponse};
use logdyno_wire::request::Request;

use super::metadata::text;
use super::{Answer, Desk, Unanswerable, encode};
use crate::config::millis;

/// The first version whose clients come again with the id that they are given (KIP-394).
const COMES_AGAIN: i16 = 4;
/// The first version that may leave the protocol's name out.
const NO_PROTOCOL: i16 = 7;
/// The first version whose leaders can be spared an assignment (KIP-814).
const CAN_SKIP: i16 = 9;

pub(super) async fn answer(desk: &Desk, request: &Request, peer: IpAddr) -> Result<Answer, Unanswerable> {
    let asked: JoinGroupRequest = request.decode()?;
    let group = asked.group_id.to_string();
    let member = asked.member_id.to_string();
    // Copied: a member lives longer than the memory that its request came in.
    let protocols =
        asked.protocols.iter().map(|known| (known.name.to_string(), Bytes::copy_from_slice(&known.metadata)));
    let joining = Joining {
        member: member.clone(),
        instance: asked.group_instance_id.map(|instance| instance.to_string()),
        client_id: request.client_id.as_deref().unwrap_or_default().to_owned(),
        // As Java prints an address.
        client_host: format!("/{peer}"),
        session_timeout: millis(asked.session_timeout_ms),
        rebalance_timeout: millis(match asked.rebalance_timeout_ms {
            // Version 0 knows one timeout only.
            unknown if unknown < 0 => asked.session_timeout_ms,
            known => known,
        }),
        protocol_type: asked.protocol_type.to_string(),
        protocols: protocols.collect(),
        comes_again: request.version >= COMES_AGAIN,
        can_skip: request.version >= CAN_SKIP,
    };
    let shard = desk.groups.of(&desk.image(), &group);
    let joined = match shard {
        Ok(shard) => shard.join(&group, joining).await,
        Err(error) => JoinAnswer::refused(&member, error),
    };
    encode(request, &response(request.version, joined))
}

fn response(version: i16, joined: JoinAnswer) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|(id, instance, metadata)| {
        JoinGroupResponseMember::default()
            .with_member_id(text(&id))
            .with_group_instance_id(instance.as_deref().map(text))
            .with_metadata(metadata)
    });
    let protocol = match joined.protocol {
        None if version < NO_PROTOCOL => Some(text("")),
        protocol => protocol.as_deref().map(text),
    };
    JoinGroupResponse::default()
        .with_error_code(joined.error.map_or(0, |error| error.code()))
        .with_generation_id(joined.generation)
        .with_protocol_type(joined.protocol_type.as_deref().map(text))
        .with_protocol_name(protocol)
        .with_leader(text(&joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(text(&joined.member))
        .with_members(members.collect())
}
