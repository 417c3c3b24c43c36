//! DescribeGroups (15): state, members, and who has which part.

use logdyno_coordinator::{Description, GroupError, MemberDescription};
use logdyno_wire::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use logdyno_wire::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};
use logdyno_wire::request::Request;

use super::metadata::text;
use super::{Answer, Desk, Unanswerable, encode};

/// The first version in which an unknown group is an error instead of a dead group (KIP-1043).
const UNKNOWN_IS_AN_ERROR: i16 = 6;
/// Operations on a group, as bits (KIP-430): without an authorizer everybody may read, delete and describe it, and describe and
/// alter its settings.
const GROUP_OPERATIONS: i32 = 0b1101_0100_1000;

pub(super) fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: DescribeGroupsRequest = request.decode()?;
    let described = asked.groups.into_iter().map(|group| {
        let described = describe(desk, request.version, group);
        match asked.include_authorized_operations && described.error_code == 0 {
            true => described.with_authorized_operations(GROUP_OPERATIONS),
            false => described,
        }
    });
    encode(request, &DescribeGroupsResponse::default().with_groups(described.collect()))
}

fn describe(desk: &Desk, version: i16, group: GroupId) -> DescribedGroup {
    let shard = desk.groups.of_any(&desk.image(), &group);
    let found = shard.map(|shard| shard.describe(&group));
    let response = DescribedGroup::default().with_group_id(group);
    match found {
        Err(error) => response.with_error_code(error.code()),
        Ok(Some(found)) => known(response, found),
        Ok(None) if version < UNKNOWN_IS_AN_ERROR => response.with_group_state(text("Dead")),
        Ok(None) => {
            let message = format!("Group {} not found.", response.group_id.as_str());
            response
                .with_group_state(text("Dead"))
                .with_error_code(GroupError::GroupNotFound.code())
                .with_error_message(Some(text(&message)))
        }
    }
}

fn known(response: DescribedGroup, found: Description) -> DescribedGroup {
    let member = |member: MemberDescription| {
        DescribedGroupMember::default()
            .with_member_id(text(&member.id))
            .with_group_instance_id(member.instance.as_deref().map(text))
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.client_host))
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    };
    response
        .with_group_state(text(found.state))
        .with_protocol_type(text(&found.protocol_type))
        .with_protocol_data(text(&found.protocol))
        .with_members(found.members.into_iter().map(member).collect())
}
