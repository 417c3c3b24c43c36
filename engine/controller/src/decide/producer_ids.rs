//! Blocks of producer ids (KIP-730): each id is handed out once in the life of a cluster.

use std::ops::Range;

use logdyno_record::BrokerId;

use super::{Refusal, registration};
use crate::image::MetadataImage;
use crate::record::MetadataRecord;

/// Ids in a block, as many as Kafka's.
pub const BLOCK: i64 = 1000;

/// The next block, for a broker of this incarnation, and the record by which nobody gets it again.
pub fn allocate(
    image: &MetadataImage,
    broker: BrokerId,
    broker_epoch: i64,
) -> Result<(Range<i64>, MetadataRecord), Refusal> {
    registration::current(image, broker, broker_epoch)?;
    let first = image.next_producer_id();
    let next = first.checked_add(BLOCK).ok_or(Refusal::NoProducerIds)?;
    Ok((first..next, MetadataRecord::ProducerIds { next }))
}
