//! What is answered to each request: a file per API.

mod alter_configs;
mod api_versions;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod resource;
mod sync_group;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use logdyno_controller::client::Client;
use logdyno_controller::image::MetadataImage;
use logdyno_record::{Clock, LeaderEpoch};
use logdyno_wire::ErrorCode;
use logdyno_wire::api;
use logdyno_wire::kafka_protocol::protocol::Encodable;
use logdyno_wire::messages::ApiKey;
use logdyno_wire::request::{Request, RequestError};
use logdyno_wire::response::{self, Unwritable};
use tokio::sync::watch;

use crate::config::BrokerConfig;
use crate::counters::Counters;
use crate::fetch_sessions::FetchSessions;
use crate::groups::Groups;
use crate::partitions::Partitions;
use crate::producer_ids::ProducerIds;
use crate::server::{Lending, Lent, Load};
pub(crate) use metadata::endpoint;

/// What handlers need.
pub(crate) struct Desk {
    pub(crate) config: Arc<BrokerConfig>,
    pub(crate) partitions: Arc<Partitions>,
    /// The metadata as far as this broker has acted on them. They are looked at through [`Desk::image`]: who held on to the channel while
    /// it takes a lock would hold up whoever has the lock and looks at them.
    pub(crate) metadata: watch::Receiver<Arc<MetadataImage>>,
    pub(crate) controller: Arc<Client>,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) groups: Arc<Groups>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) fetch_sessions: Mutex<FetchSessions>,
    pub(crate) load: Arc<Load>,
    pub(crate) lending: Arc<Lending>,
}

impl Desk {
    fn image(&self) -> Arc<MetadataImage> {
        Arc::clone(&self.metadata.borrow())
    }

    /// Waits until what the controller has committed by now is known and acted on here, so that who is told that
    /// something was changed finds it changed. It is changed in any case: without news in time the answer leaves too.
    async fn catch_up(&self) {
        let known = self.image().next_offset();
        let caught_up = async {
            match self.controller.committed_end(known).await {
                Ok(end) => drop(self.metadata.clone().wait_for(|image| image.next_offset() >= end).await),
                Err(error) => tracing::debug!("the controller did not tell how far the metadata are: {error}"),
            }
        };
        drop(tokio::time::timeout(CATCH_UP_TIME, caught_up).await);
    }

    fn fetch_sessions(&self) -> MutexGuard<'_, FetchSessions> {
        self.fetch_sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The listener that clients came in by, by which brokers are advertised to them.
    fn listener(&self) -> &str {
        self.config.client_listener().map_or("PLAINTEXT", |listener| listener.name.as_str())
    }
}

/// How long an answer waits for this broker to know of the change that it tells.
const CATCH_UP_TIME: Duration = Duration::from_secs(5);

/// A part of a request that is refused.
struct Refused {
    code: i16,
    message: Option<String>,
}

/// What goes back.
pub(crate) enum Answer {
    /// A whole frame.
    Frame(Vec<Bytes>),
    /// A whole frame that holds records, and what says so until it has been sent.
    Records(Vec<Bytes>, Lent),
    /// Nothing: Produce with acks=0.
    Silent,
}

/// An answer to come. What the request changes has been done, or is begun when this is first polled.
pub(crate) type Pending = Pin<Box<dyn Future<Output = Result<Answer, Unanswerable>> + Send>>;

/// A request that was taken.
pub(crate) struct Taken {
    pub(crate) pending: Pending,
    /// Whether what it changes has been done already.
    pub(crate) is_done: bool,
}

/// Why a connection is closed instead of answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswerable {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Answer(#[from] Unwritable),
    #[error("its records (acks=0, so that there is no other way to say so) were refused with error {code}")]
    Unacknowledged { code: i16 },
}

/// Takes a request of `peer`'s. Appends are made here, in the order in which requests come: a log whose device does not keep up holds
/// up the connection, not the thread.
pub(crate) async fn take(desk: &Arc<Desk>, peer: IpAddr, frame: Bytes) -> Result<Taken, Unanswerable> {
    let request = Request::parse(frame, api::BROKER)?;
    let desk = Arc::clone(desk);
    let pending: Pending = match request.api {
        ApiKey::Produce => return Ok(Taken { pending: produce::take(&desk, request).await?, is_done: true }),
        ApiKey::Fetch => Box::pin(async move { fetch::answer(&desk, &request).await }),
        ApiKey::ListOffsets => Box::pin(async move { list_offsets::answer(&desk, &request).await }),
        ApiKey::Metadata => Box::pin(async move { metadata::answer(&desk, &request).await }),
        ApiKey::CreateTopics => Box::pin(async move { create_topics::answer(&desk, &request).await }),
        ApiKey::DeleteTopics => Box::pin(async move { delete_topics::answer(&desk, &request).await }),
        ApiKey::OffsetForLeaderEpoch => Box::pin(async move { offset_for_leader_epoch::answer(&desk, &request) }),
        ApiKey::DescribeCluster => Box::pin(async move { describe_cluster::answer(&desk, &request) }),
        ApiKey::CreatePartitions => Box::pin(async move { create_partitions::answer(&desk, &request).await }),
        ApiKey::DeleteRecords => Box::pin(async move { delete_records::answer(&desk, &request).await }),
        ApiKey::DescribeLogDirs => Box::pin(async move { describe_log_dirs::answer(&desk, &request).await }),
        ApiKey::DescribeProducers => Box::pin(async move { describe_producers::answer(&desk, &request) }),
        ApiKey::DescribeTopicPartitions => Box::pin(async move { describe_topic_partitions::answer(&desk, &request) }),
        ApiKey::DescribeConfigs => Box::pin(async move { describe_configs::answer(&desk, &request) }),
        ApiKey::AlterConfigs => Box::pin(async move { alter_configs::answer(&desk, &request).await }),
        ApiKey::IncrementalAlterConfigs => {
            Box::pin(async move { alter_configs::answer_incremental(&desk, &request).await })
        }
        ApiKey::FindCoordinator => Box::pin(async move { find_coordinator::answer(&desk, &request).await }),
        ApiKey::JoinGroup => Box::pin(async move { join_group::answer(&desk, &request, peer).await }),
        ApiKey::SyncGroup => Box::pin(async move { sync_group::answer(&desk, &request).await }),
        ApiKey::Heartbeat => Box::pin(async move { heartbeat::answer(&desk, &request) }),
        ApiKey::LeaveGroup => Box::pin(async move { leave_group::answer(&desk, &request) }),
        ApiKey::OffsetCommit => Box::pin(async move { offset_commit::answer(&desk, &request).await }),
        ApiKey::OffsetFetch => Box::pin(async move { offset_fetch::answer(&desk, &request) }),
        ApiKey::DescribeGroups => Box::pin(async move { describe_groups::answer(&desk, &request) }),
        ApiKey::ListGroups => Box::pin(async move { list_groups::answer(&desk, &request) }),
        ApiKey::DeleteGroups => Box::pin(async move { delete_groups::answer(&desk, &request).await }),
        ApiKey::OffsetDelete => Box::pin(async move { offset_delete::answer(&desk, &request).await }),
        ApiKey::InitProducerId => Box::pin(async move { init_producer_id::answer(&desk, &request).await }),
        ApiKey::ApiVersions => Box::pin(async move { api_versions::answer(&request) }),
        other => return Err(RequestError::UnknownApi { api: other as i16 }.into()),
    };
    Ok(Taken { pending, is_done: false })
}

fn encode(request: &Request, body: &impl Encodable) -> Result<Answer, Unanswerable> {
    Ok(Answer::Frame(response::encode(request.api, request.version, request.correlation_id, body)?))
}

/// The leader epoch that a request names; -1 names none, and what is below is as an old one.
fn named_epoch(epoch: i32) -> Option<LeaderEpoch> {
    (epoch != -1).then_some(LeaderEpoch(epoch))
}

fn code(error: ErrorCode) -> i16 {
    error.code()
}
