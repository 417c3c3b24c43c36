//! ApiVersions (18): what is served here.

use logdyno_wire::ErrorCode;
use logdyno_wire::api;
use logdyno_wire::messages::api_versions_response::ApiVersion;
use logdyno_wire::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use logdyno_wire::request::Request;
use logdyno_wire::response;

use super::{Answer, Unanswerable, code, encode};

/// A version that is not known is answered in version 0 with error 35 and all ranges, so that the client can ask again (KIP-511).
pub(super) fn answer(request: &Request) -> Result<Answer, Unanswerable> {
    if !api::is_served(api::BROKER, ApiKey::ApiVersions, request.version) {
        let refused = versions().with_error_code(code(ErrorCode::UnsupportedVersion));
        return Ok(Answer::Frame(response::encode(ApiKey::ApiVersions, 0, request.correlation_id, &refused)?));
    }
    request.decode::<ApiVersionsRequest>()?;
    encode(request, &versions())
}

fn versions() -> ApiVersionsResponse {
    let versions = api::BROKER.iter().map(|api| {
        ApiVersion::default()
            .with_api_key(api.key as i16)
            .with_min_version(api.advertised_min)
            .with_max_version(api.max)
    });
    ApiVersionsResponse::default().with_api_keys(versions.collect())
}
