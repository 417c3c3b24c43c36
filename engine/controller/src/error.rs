//! What can go wrong in a controller, as a sentence for an operator.

use logdyno_record::{BatchError, Offset};
use logdyno_segment_log::LogError;

use crate::image::Misfit;

/// An error of the controller itself; what it refuses is a [`crate::decide::Refusal`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum ControllerError {
    /// The metadata log failed.
    #[error("the metadata log failed: {0}")]
    Log(#[from] LogError),
    /// A batch could not be built or read.
    #[error("a batch of the metadata log is unsound: {0}")]
    Batch(#[from] BatchError),
    /// A record of the metadata log that cannot be read.
    #[error("the metadata log cannot be read at offset {offset}: {what}")]
    Unreadable {
        /// The offset of the record or its batch.
        offset: Offset,
        /// What is wrong.
        what: String,
    },
    /// A record that contradicts the ones before it.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// The metadata log belongs to another cluster.
    #[error(
        "the metadata log is of cluster {found}, the configuration says {configured}: point log.dirs at this cluster's directory or correct cluster.id"
    )]
    OtherCluster {
        /// Of the log.
        found: String,
        /// Of the configuration.
        configured: String,
    },
    /// The listener could not be opened.
    #[error("the controller cannot listen on {address}: {reason}")]
    Listen {
        /// As configured.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The controller is stopping.
    #[error("the controller is stopping")]
    Stopped,
}
