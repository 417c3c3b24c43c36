//! Whose directory it is, and whose folder: `meta.properties` and `partition.metadata`.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use logdyno_record::TopicId;

use crate::error::LogError;

/// The owner of a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The cluster's id.
    pub cluster_id: String,
    /// The broker's `node.id`.
    pub node_id: i32,
}

impl Meta {
    /// As Kafka 4.x writes it (version 1), with a directory id of its own.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let directory = encode_id(TopicId::new_v4());
        format!("version=1\ncluster.id={}\nnode.id={}\ndirectory.id={directory}\n", self.cluster_id, self.node_id)
            .into_bytes()
    }

    pub(crate) fn decode(content: &[u8], file: &Path) -> Result<Meta, LogError> {
        let wrong = |line, why: &str| LogError::Format { path: file.to_owned(), line, why: why.to_owned() };
        let text = std::str::from_utf8(content).map_err(|_| wrong(1, "it is not text"))?;
        let value = |key: &str| {
            let pairs = text.lines().filter_map(|line| line.split_once('='));
            pairs.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim()).next_back()
        };
        let cluster_id = value("cluster.id").ok_or_else(|| wrong(1, "cluster.id is missing"))?.to_owned();
        let node_id = value("node.id").and_then(|id| id.parse().ok()).ok_or_else(|| wrong(1, "node.id is missing"))?;
        Ok(Meta { cluster_id, node_id })
    }
}

pub(crate) fn encode_topic_id(id: TopicId) -> Vec<u8> {
    format!("version: 0\ntopic_id: {}\n", encode_id(id)).into_bytes()
}

pub(crate) fn decode_topic_id(content: &[u8], file: &Path) -> Result<TopicId, LogError> {
    let wrong = |why: &str| LogError::Format { path: file.to_owned(), line: 2, why: why.to_owned() };
    let text = std::str::from_utf8(content).map_err(|_| wrong("it is not text"))?;
    let id =
        text.lines().find_map(|line| line.strip_prefix("topic_id:")).ok_or_else(|| wrong("topic_id is missing"))?;
    let bytes = URL_SAFE_NO_PAD.decode(id.trim()).map_err(|_| wrong("topic_id is no id"))?;
    TopicId::from_slice(&bytes).map_err(|_| wrong("topic_id does not have 16 bytes"))
}

/// Kafka writes ids in URL-safe base64 without padding.
fn encode_id(id: TopicId) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}
