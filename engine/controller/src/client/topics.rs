//! CreateTopics and DeleteTopics, forwarded as a client sent them.

use logdyno_wire::messages::{CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse};

use super::{Client, ClientError};

impl Client {
    /// Has topics created. Not retried: after [`ClientError::Unanswered`] they may exist.
    pub async fn create_topics(&self, request: CreateTopicsRequest) -> Result<CreateTopicsResponse, ClientError> {
        self.call(&self.requests, request, 7).await
    }

    /// Has topics deleted; the request names them in the way of version 6. Not retried, as creation is not.
    pub async fn delete_topics(&self, request: DeleteTopicsRequest) -> Result<DeleteTopicsResponse, ClientError> {
        self.call(&self.requests, request, 6).await
    }
}
