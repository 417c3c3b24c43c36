//! ListGroups (16): the groups that this broker coordinates.

use logdyno_coordinator::GroupError;
use logdyno_wire::messages::list_groups_response::ListedGroup;
use logdyno_wire::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};
use logdyno_wire::request::Request;

use super::metadata::text;
use super::{Answer, Desk, Unanswerable, encode};

/// The protocol of all groups here.
const CLASSIC: &str = "classic";

pub(super) fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: ListGroupsRequest = request.decode()?;
    let shards = desk.groups.all();
    if shards.iter().any(|shard| !shard.is_loaded()) {
        return encode(request, &ListGroupsResponse::default().with_error_code(GroupError::Loading.code()));
    }
    let wanted = |filter: &[logdyno_wire::StrBytes], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let all = shards.iter().flat_map(|shard| shard.list());
    let listed = all
        .filter(|(_, found)| wanted(&asked.states_filter, found.state) && wanted(&asked.types_filter, CLASSIC))
        .map(|(name, found)| {
            ListedGroup::default()
                .with_group_id(GroupId(text(&name)))
                .with_protocol_type(text(&found.protocol_type))
                .with_group_state(text(found.state))
                .with_group_type(text(CLASSIC))
        });
    encode(request, &ListGroupsResponse::default().with_groups(listed.collect()))
}
