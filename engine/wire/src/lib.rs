//! Kafka on the wire: frames, header versions, messages, the transport, and a client's channel.
//!
//! The messages themselves come from `kafka-protocol` and are used as they are. What is added here is what that crate does not do:
//! limits on what a peer may claim ([`frame`], [`shape`]), a Fetch response that lends the log's bytes to the socket ([`fetch_response`]),
//! and requests in flight ([`channel`]). Nothing above this crate opens a socket by other means than [`transport`].

pub mod api;
pub mod channel;
pub mod fetch_response;
pub mod frame;
mod pieces;
pub mod request;
pub mod response;
pub mod shape;
pub mod transport;

pub use channel::{Channel, ChannelConfig, ChannelError, Sent};
pub use kafka_protocol;
pub use kafka_protocol::error::ResponseError as ErrorCode;
pub use kafka_protocol::protocol::StrBytes;

/// The requests and responses of Kafka 4.1.
pub mod messages {
    pub use kafka_protocol::messages::*;
}
