//! ApiVersions (18).

use logdyno_wire::api::Api;
use logdyno_wire::messages::api_versions_response::ApiVersion;
use logdyno_wire::messages::{ApiKey, ApiVersionsResponse};

const fn api(key: ApiKey, min: i16, max: i16) -> Api {
    Api { key, advertised_min: min, served_min: min, max }
}

/// What the controller's listener serves. Fetch in the one version that our brokers use: it follows a log by name.
pub(super) const SERVED: &[Api] = &[
    api(ApiKey::Fetch, 12, 12),
    api(ApiKey::ApiVersions, 0, 3),
    api(ApiKey::CreateTopics, 2, 7),
    api(ApiKey::DeleteTopics, 1, 6),
    api(ApiKey::CreatePartitions, 3, 3),
    api(ApiKey::AlterConfigs, 2, 2),
    api(ApiKey::IncrementalAlterConfigs, 1, 1),
    api(ApiKey::AlterPartition, 2, 3),
    api(ApiKey::BrokerRegistration, 0, 4),
    api(ApiKey::BrokerHeartbeat, 0, 1),
    api(ApiKey::AllocateProducerIds, 0, 0),
];

pub(super) fn answer(error_code: i16) -> ApiVersionsResponse {
    let served = SERVED.iter().map(|api| {
        let versions = ApiVersion::default().with_api_key(api.key as i16);
        versions.with_min_version(api.advertised_min).with_max_version(api.max)
    });
    ApiVersionsResponse::default().with_error_code(error_code).with_api_keys(served.collect())
}
