//! Why a request has no answer.

use std::time::Duration;

use kafka_protocol::messages::ApiKey;

/// Why a request has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChannelError {
    /// No connection came about.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// As asked for.
        address: String,
        /// The system's words.
        reason: String,
    },
    /// The peer does not serve the API in a version that is known here.
    #[error("{address} does not serve {api:?} in a version that this client knows")]
    NotServed {
        /// The peer.
        address: String,
        /// The API.
        api: ApiKey,
    },
    /// The connection ended before the answer.
    #[error("the connection to {address} ended: {reason}")]
    Closed {
        /// The peer.
        address: String,
        /// Why.
        reason: String,
    },
    /// Not taken, or not answered, in time.
    #[error("{address} did not answer within {timeout:?}; the connection was closed")]
    TimedOut {
        /// The peer.
        address: String,
        /// `request.timeout.ms`.
        timeout: Duration,
    },
    /// An answer that makes no sense, or a request that the version cannot carry.
    #[error("the conversation with {address} broke down: {reason}")]
    Protocol {
        /// The peer.
        address: String,
        /// What happened.
        reason: String,
    },
    /// A request whose answer nobody waits for has none.
    #[error("the request asked for no answer")]
    Unanswered,
}
