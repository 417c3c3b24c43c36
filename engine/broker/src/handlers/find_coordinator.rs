//! FindCoordinator (10): which broker keeps a group. The topic that groups are kept in is made for the first who asks.

use std::sync::Arc;

use logdyno_controller::image::MetadataImage;
use logdyno_coordinator::{OFFSETS_TOPIC, partition_of};
use logdyno_wire::ErrorCode;
use logdyno_wire::messages::find_coordinator_response::Coordinator;
use logdyno_wire::messages::{self, FindCoordinatorRequest, FindCoordinatorResponse};
use logdyno_wire::request::Request;

use super::metadata::{endpoint, reachable_leader, text};
use super::{Answer, Desk, Unanswerable, code, encode};
use crate::groups::create_offsets_topic;

/// Kafka's `CoordinatorType`.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// The first version that asks for several keys (KIP-699).
const SEVERAL: i16 = 4;

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: FindCoordinatorRequest = request.decode()?;
    let keys = if request.version < SEVERAL { vec![asked.key] } else { asked.coordinator_keys };
    let image = match asked.key_type {
        GROUP => with_topic(desk).await,
        _ => desk.image(),
    };
    let found = keys.into_iter().map(|key| {
        let coordinator = match asked.key_type {
            GROUP => of_group(desk, &image, &key),
            // A refusal that clients do not ask again after: there are no transactions here.
            TRANSACTION => nobody(ErrorCode::UnsupportedVersion, "transactions are not served by this broker yet"),
            _ => nobody(ErrorCode::InvalidRequest, "there is no such kind of coordinator"),
        };
        coordinator.with_key(key)
    });
    let found: Vec<Coordinator> = found.collect();
    let response = FindCoordinatorResponse::default();
    let response = match found.first() {
        Some(only) if request.version < SEVERAL => response
            .with_error_code(only.error_code)
            .with_error_message(only.error_message.clone())
            .with_node_id(only.node_id)
            .with_host(only.host.clone())
            .with_port(only.port),
        _ => response.with_coordinators(found),
    };
    encode(request, &response)
}

/// The metadata with the topic of the groups in them, if it can be had.
async fn with_topic(desk: &Desk) -> Arc<MetadataImage> {
    let image = desk.image();
    if image.topic(OFFSETS_TOPIC).is_some() {
        return image;
    }
    match create_offsets_topic(&desk.controller, &desk.config, &image).await {
        Ok(()) => desk.catch_up().await,
        Err(error) => tracing::warn!("the topic of the groups could not be made: {error}"),
    }
    desk.image()
}

fn of_group(desk: &Desk, image: &MetadataImage, group: &str) -> Coordinator {
    let partitions = image.topic(OFFSETS_TOPIC).map(|topic| topic.partitions.as_slice()).unwrap_or_default();
    let count = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
    let state = usize::try_from(partition_of(group, count)).ok().and_then(|index| partitions.get(index));
    let leader = state.and_then(|state| reachable_leader(image, state, desk.listener()));
    let found = leader.and_then(|id| Some((id, endpoint(image.broker(id)?, desk.listener())?)));
    match found {
        Some((id, endpoint)) => Coordinator::default()
            .with_node_id(messages::BrokerId(id.0))
            .with_host(text(&endpoint.host))
            .with_port(i32::from(endpoint.port)),
        None => nobody(ErrorCode::CoordinatorNotAvailable, "the coordinator is not available: try again"),
    }
}

fn nobody(error: ErrorCode, message: &str) -> Coordinator {
    Coordinator::default()
        .with_node_id(messages::BrokerId(-1))
        .with_port(-1)
        .with_error_code(code(error))
        .with_error_message(Some(text(message)))
}
