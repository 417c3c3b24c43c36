//! DescribeCluster (60): brokers, controller, cluster id.

use logdyno_wire::ErrorCode;
use logdyno_wire::messages::describe_cluster_response::DescribeClusterBroker;
use logdyno_wire::messages::{self, DescribeClusterRequest, DescribeClusterResponse};
use logdyno_wire::request::Request;

use super::metadata::{CLUSTER_OPERATIONS, controller_id, endpoint, text};
use super::{Answer, Desk, Unanswerable, code, encode};

/// `endpoint_type` of brokers; controllers (2) are asked at their own listener.
const BROKERS: i8 = 1;
/// Kafka's mark for operations that nobody asked for.
const NOT_ASKED: i32 = i32::MIN;

pub(super) fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: DescribeClusterRequest = request.decode()?;
    let image = desk.image();
    let response = DescribeClusterResponse::default()
        .with_cluster_id(text(image.cluster_id().unwrap_or_default()))
        .with_controller_id(messages::BrokerId(controller_id(desk, &image)));
    if request.version >= 1 && asked.endpoint_type != BROKERS {
        let refused = response.with_endpoint_type(asked.endpoint_type);
        return encode(request, &refused.with_error_code(code(ErrorCode::MismatchedEndpointType)));
    }
    let brokers = image.live_brokers().filter_map(|(id, broker)| {
        let endpoint = endpoint(broker, desk.listener())?;
        let described = DescribeClusterBroker::default()
            .with_broker_id(messages::BrokerId(id.0))
            .with_host(text(&endpoint.host))
            .with_port(i32::from(endpoint.port))
            .with_rack(broker.rack.as_deref().map(text));
        Some(described)
    });
    let brokers = brokers.collect();
    let operations = if asked.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { NOT_ASKED };
    let response = response.with_cluster_authorized_operations(operations);
    encode(request, &response.with_brokers(brokers))
}
