//! Which versions the peer serves.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Buf;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::protocol::{StrBytes, VersionRange};

use super::ChannelError;
use super::line::Line;
use super::sent::{Sent, decode};
use crate::ErrorCode;

/// The version that the first request has. Brokers that do not know it say so in version 0 (KIP-511).
const API_VERSIONS_VERSION: i16 = 3;

/// Asks for the versions that the peer serves; again in an older version if it does not know the first.
pub(super) async fn negotiate(line: &Arc<Line>) -> Result<HashMap<i16, VersionRange>, ChannelError> {
    let mut version = API_VERSIONS_VERSION;
    loop {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("logdyno"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let request = if version >= 3 { request } else { ApiVersionsRequest::default() };
        let sent: Sent<ApiVersionsResponse> = line.send(&request, version, true).await?;
        let body = sent.bytes().await?;
        let refused = body.get(4..6).is_some_and(|mut code| code.get_i16() == ErrorCode::UnsupportedVersion.code());
        let answered_in = if refused { 0 } else { version };
        let answer: ApiVersionsResponse = decode(ApiKey::ApiVersions as i16, answered_in, body)
            .map_err(|reason| line.breakdown(&format!("its ApiVersions answer cannot be read: {reason}")))?;
        if refused && version > 0 {
            let theirs = answer.api_keys.iter().find(|api| api.api_key == ApiKey::ApiVersions as i16);
            version = theirs.map_or(0, |api| api.max_version.clamp(0, version - 1));
            continue;
        }
        if answer.error_code != 0 {
            return Err(line.breakdown(&format!("it refused ApiVersions with error {}", answer.error_code)));
        }
        let range = |min, max| VersionRange { min, max };
        return Ok(answer.api_keys.iter().map(|api| (api.api_key, range(api.min_version, api.max_version))).collect());
    }
}
