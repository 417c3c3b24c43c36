//! One request frame in, one answer frame out.

use std::sync::Arc;

use bytes::Bytes;
use logdyno_record::Offset;
use logdyno_wire::ErrorCode;
use logdyno_wire::api::is_served;
use logdyno_wire::kafka_protocol::protocol::Encodable;
use logdyno_wire::messages::{ApiKey, FetchRequest};
use logdyno_wire::request::{Request, RequestError};
use logdyno_wire::response::{self, Unwritable};
use tokio::sync::watch;

use super::api_versions::SERVED;
use super::{
    OK, allocate_producer_ids, alter_configs, alter_partition, api_versions, blocking, broker_heartbeat,
    broker_registration, create_partitions, create_topics, delete_topics, fetch,
};
use crate::active::Active;

/// Why a frame is not answered: the connection is closed.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// The peer's mistake.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// Our mistake.
    #[error(transparent)]
    Answer(#[from] Unwritable),
}

/// What answers need.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) active: Arc<Active>,
    pub(crate) committed: watch::Receiver<Offset>,
}

impl Desk {
    /// Answers a request: the frame's content in, the pieces of a whole frame out.
    pub(super) async fn answer(&self, frame: Bytes) -> Result<Vec<Bytes>, Unanswered> {
        let request = Request::parse(frame, SERVED)?;
        match request.api {
            ApiKey::ApiVersions if is_served(SERVED, request.api, request.version) => {
                encode(&request, &api_versions::answer(OK))
            }
            // What the client can read in any case, so that it can ask again (KIP-511).
            ApiKey::ApiVersions => {
                let unsupported = api_versions::answer(ErrorCode::UnsupportedVersion.code());
                encode(&Request { version: 0, ..request }, &unsupported)
            }
            ApiKey::Fetch => {
                let asked: FetchRequest = request.decode()?;
                encode(&request, &fetch::answer(&self.active, &self.committed, asked).await)
            }
            _ => blocking(&self.active, move |active| decide(active, &request)).await,
        }
    }
}

/// The requests that change metadata, and wait for the disk.
fn decide(active: &Active, request: &Request) -> Result<Vec<Bytes>, Unanswered> {
    match request.api {
        ApiKey::CreateTopics => encode(request, &create_topics::answer(active, &request.decode()?)),
        ApiKey::DeleteTopics => encode(request, &delete_topics::answer(active, &request.decode()?, request.version)),
        ApiKey::CreatePartitions => encode(request, &create_partitions::answer(active, &request.decode()?)),
        ApiKey::AlterConfigs => encode(request, &alter_configs::answer(active, &request.decode()?)),
        ApiKey::IncrementalAlterConfigs => {
            encode(request, &alter_configs::answer_incremental(active, &request.decode()?))
        }
        ApiKey::AlterPartition => {
            encode(request, &alter_partition::answer(active, &request.decode()?, request.version))
        }
        ApiKey::BrokerRegistration => encode(request, &broker_registration::answer(active, &request.decode()?)),
        ApiKey::AllocateProducerIds => encode(request, &allocate_producer_ids::answer(active, &request.decode()?)),
        ApiKey::BrokerHeartbeat => encode(request, &broker_heartbeat::answer(active, &request.decode()?)),
        other => Err(RequestError::UnknownApi { api: other as i16 }.into()),
    }
}

fn encode(request: &Request, body: &impl Encodable) -> Result<Vec<Bytes>, Unanswered> {
    Ok(response::encode(request.api, request.version, request.correlation_id, body)?)
}
