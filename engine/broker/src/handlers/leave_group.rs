//! LeaveGroup (13): members go, or are made to go.

use logdyno_coordinator::Leaving;
use logdyno_wire::messages::leave_group_request::MemberIdentity;
use logdyno_wire::messages::leave_group_response::MemberResponse;
use logdyno_wire::messages::{LeaveGroupRequest, LeaveGroupResponse};
use logdyno_wire::request::Request;

use super::{Answer, Desk, Unanswerable, encode};

/// The first version that names several members (KIP-345).
const SEVERAL: i16 = 3;

pub(super) fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: LeaveGroupRequest = request.decode()?;
    let members = match request.version < SEVERAL {
        true => vec![MemberIdentity::default().with_member_id(asked.member_id)],
        false => asked.members,
    };
    let leaving: Vec<Leaving> = members.iter().map(leaving).collect();
    let shard = desk.groups.of(&desk.image(), &asked.group_id);
    let left = shard.map(|shard| shard.leave(&asked.group_id, &leaving));
    let response = match left {
        Err(error) => LeaveGroupResponse::default().with_error_code(error.code()),
        Ok(left) => {
            let codes: Vec<i16> = left.into_iter().map(|left| left.map_or_else(|error| error.code(), |()| 0)).collect();
            if request.version < SEVERAL {
                LeaveGroupResponse::default().with_error_code(codes.first().copied().unwrap_or(0))
            } else {
                let told = members.into_iter().zip(codes).map(|(member, code)| {
                    MemberResponse::default()
                        .with_member_id(member.member_id)
                        .with_group_instance_id(member.group_instance_id)
                        .with_error_code(code)
                });
                LeaveGroupResponse::default().with_members(told.collect())
            }
        }
    };
    encode(request, &response)
}

fn leaving(member: &MemberIdentity) -> Leaving {
    Leaving {
        member: member.member_id.to_string(),
        instance: member.group_instance_id.as_ref().map(|instance| instance.to_string()),
    }
}
