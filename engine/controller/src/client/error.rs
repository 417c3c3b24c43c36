//! What can go wrong between a broker and the controller.

use logdyno_record::Offset;
use logdyno_wire::ErrorCode;

use crate::ControllerError;

/// Why a call came to nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection: nothing was asked.
    #[error("no controller can be reached at {controllers}: {reason}")]
    Unreachable {
        /// As configured.
        controllers: String,
        /// The last failure.
        reason: String,
    },
    /// Asked, but not answered: it may have been carried out.
    #[error("the controller did not answer: {reason}")]
    Unanswered {
        /// What happened to the connection.
        reason: String,
    },
    /// The controller's no.
    #[error("the controller refuses {what}: {name} ({code}){hint}", name = name(*code), hint = hint(*code))]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Kafka's error code.
        code: i16,
    },
    /// The metadata cannot be applied.
    #[error("the metadata from offset {from} on cannot be used: {source}")]
    Metadata {
        /// Where.
        from: Offset,
        /// Why.
        source: ControllerError,
    },
}

impl ClientError {
    /// Whether the same call may go well a little later.
    pub fn is_passing(&self) -> bool {
        match self {
            ClientError::Unreachable { .. } | ClientError::Unanswered { .. } => true,
            ClientError::Refused { code, .. } => {
                *code == ErrorCode::DuplicateBrokerRegistration.code() || *code == ErrorCode::NotController.code()
            }
            ClientError::Metadata { .. } => false,
        }
    }
}

fn name(code: i16) -> String {
    ErrorCode::try_from_code(code).map_or_else(|| "unknown error".to_owned(), |error| format!("{error:?}"))
}

/// What an operator can do about it.
fn hint(code: i16) -> &'static str {
    match ErrorCode::try_from_code(code) {
        Some(ErrorCode::InconsistentClusterId) => {
            ": this data directory belongs to another cluster; it was not touched. Point log.dirs at this cluster's directory"
        }
        Some(ErrorCode::DuplicateBrokerRegistration) => {
            ": another process with this node.id is alive, or died less than broker.session.timeout.ms ago"
        }
        Some(ErrorCode::StaleBrokerEpoch) => {
            ": another process has registered with this node.id since; this one must stop"
        }
        Some(ErrorCode::BrokerIdNotRegistered) => ": the controller does not know this broker; restart it",
        Some(ErrorCode::UnknownServerError) => ": the controller's own log says why",
        _ => "",
    }
}
