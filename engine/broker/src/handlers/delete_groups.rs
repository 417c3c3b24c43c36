//! DeleteGroups (42): groups without members go, with their offsets.

use logdyno_wire::messages::delete_groups_response::DeletableGroupResult;
use logdyno_wire::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use logdyno_wire::request::Request;

use super::{Answer, Desk, Unanswerable, encode};

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: DeleteGroupsRequest = request.decode()?;
    let mut results = Vec::with_capacity(asked.groups_names.len());
    for group in asked.groups_names {
        let shard = desk.groups.of_any(&desk.image(), &group);
        let deleted = match shard {
            Ok(shard) => shard.delete(&group).await,
            Err(error) => Err(error),
        };
        let error = deleted.map_or_else(|error| error.code(), |()| 0);
        results.push(DeletableGroupResult::default().with_group_id(group).with_error_code(error));
    }
    encode(request, &DeleteGroupsResponse::default().with_results(results))
}
