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
    let asked: ApiVersionsRequest = request.decode()?;
    if request.version >= 3 && !(is_word(&asked.client_software_name) && is_word(&asked.client_software_version)) {
        return encode(request, &ApiVersionsResponse::default().with_error_code(code(ErrorCode::InvalidRequest)));
    }
    encode(request, &versions())
}

/// Letters and digits, with dots and dashes within (KIP-511): it becomes part of metrics' names.
fn is_word(text: &str) -> bool {
    let within = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let ends = [text.bytes().next(), text.bytes().next_back()];
    text.bytes().all(within) && ends.iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
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
