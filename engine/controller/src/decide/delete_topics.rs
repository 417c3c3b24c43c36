//! DeleteTopics.

use std::sync::Arc;

use logdyno_record::TopicId;

use super::Refusal;
use crate::image::{MetadataImage, Topic};
use crate::record::MetadataRecord;

/// How a topic is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicRef {
    /// By name.
    Name(String),
    /// By id (DeleteTopics 6).
    Id(TopicId),
}

/// The topic that is to go, and the record by which it goes.
pub fn delete_topic(image: &MetadataImage, topic: &TopicRef) -> Result<(Arc<Topic>, MetadataRecord), Refusal> {
    let found = match topic {
        TopicRef::Name(name) => image.topic(name).ok_or_else(|| Refusal::UnknownTopic { name: name.clone() }),
        TopicRef::Id(id) => image.topic_by_id(*id).ok_or(Refusal::UnknownTopicId { id: *id }),
    };
    found.map(|found| (Arc::clone(found), MetadataRecord::TopicRemoved { id: found.id }))
}
