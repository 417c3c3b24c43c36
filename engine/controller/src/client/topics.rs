//! What concerns topics, forwarded as a client sent it, and how to learn when it is known here.

use logdyno_wire::messages::{
    AlterConfigsRequest, AlterConfigsResponse, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};

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

    /// Has topics given more partitions. Not retried, as creation is not.
    pub async fn create_partitions(
        &self,
        request: CreatePartitionsRequest,
    ) -> Result<CreatePartitionsResponse, ClientError> {
        self.call(&self.requests, request, 3).await
    }

    /// Has topics' settings replaced. May be sent again after a failure.
    pub async fn alter_configs(&self, request: AlterConfigsRequest) -> Result<AlterConfigsResponse, ClientError> {
        self.call(&self.requests, request, 2).await
    }

    /// Has topics' settings changed. Not retried: what is appended to a list might be subtracted again meanwhile.
    pub async fn incremental_alter_configs(
        &self,
        request: IncrementalAlterConfigsRequest,
    ) -> Result<IncrementalAlterConfigsResponse, ClientError> {
        self.call(&self.requests, request, 1).await
    }
}
