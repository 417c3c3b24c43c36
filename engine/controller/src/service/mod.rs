//! The controller's listener: Kafka requests in, answers out.
//!
//! An API per file. Requests of one connection are answered one after the other; a broker follows the
//! metadata on a connection of its own, so that its heartbeats do not wait behind a long poll.

mod allocate_producer_ids;
mod alter_configs;
mod alter_partition;
mod api_versions;
mod broker_heartbeat;
mod broker_registration;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod dispatch;
mod fetch;
mod listener;

use std::sync::Arc;

use logdyno_wire::StrBytes;

use crate::active::Active;
use crate::decide::Refusal;

pub(crate) use dispatch::Desk;
pub(crate) use listener::accept;

/// `NONE`.
const OK: i16 = 0;
/// `UNKNOWN_SERVER_ERROR`: the controller itself has failed, its log says how.
const FAILED: i16 = -1;

/// A refusal as code and message.
fn error_of(refusal: &Refusal) -> (i16, Option<StrBytes>) {
    (refusal.code(), Some(StrBytes::from_string(refusal.to_string())))
}

/// Runs what waits for the disk where that is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    active: &Arc<Active>,
    work: impl FnOnce(&Active) -> T + Send + 'static,
) -> T {
    let active = Arc::clone(active);
    match tokio::task::spawn_blocking(move || work(&active)).await {
        Ok(done) => done,
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        // The runtime is going away, and this task with it.
        Err(_) => std::future::pending().await,
    }
}
