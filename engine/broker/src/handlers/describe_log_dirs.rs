//! DescribeLogDirs (35): how much of the data directory each partition takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use logdyno_wire::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use logdyno_wire::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use logdyno_wire::request::Request;

use super::metadata::{text, topic_name};
use super::{Answer, Desk, Unanswerable, encode};
use crate::partitions::Hosted;

pub(super) async fn answer(desk: &Desk, request: &Request) -> Result<Answer, Unanswerable> {
    let asked: DescribeLogDirsRequest = request.decode()?;
    let is_asked_for = |hosted: &Hosted| {
        let partition = hosted.replica.partition();
        asked.topics.as_ref().is_none_or(|topics| {
            let mut of_topic = topics.iter().filter(|topic| *topic.topic.as_str() == *partition.topic);
            of_topic.any(|topic| topic.partitions.contains(&partition.partition))
        })
    };
    let mut topics: BTreeMap<_, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for hosted in desk.partitions.all().into_iter().filter(is_asked_for) {
        let partition = hosted.replica.partition();
        let size = i64::try_from(hosted.replica.log().size()).unwrap_or(i64::MAX);
        let described =
            DescribeLogDirsPartition::default().with_partition_index(partition.partition).with_partition_size(size);
        topics.entry(partition.topic.clone()).or_default().push(described);
    }
    let topics = topics.into_iter().map(|(name, mut partitions)| {
        partitions.sort_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic::default().with_name(topic_name(&name)).with_partitions(partitions)
    });
    let dir = std::path::absolute(&desk.config.log_dirs).unwrap_or_else(|_| desk.config.log_dirs.clone());
    let (total, usable) = space(dir.clone()).await;
    let result = DescribeLogDirsResult::default()
        .with_log_dir(text(&dir.display().to_string()))
        .with_topics(topics.collect())
        .with_total_bytes(total)
        .with_usable_bytes(usable);
    encode(request, &DescribeLogDirsResponse::default().with_results(vec![result]))
}

/// Bytes of the volume that holds the directory: all, and those that this process may still take. -1 where the system does
/// not tell.
async fn space(dir: PathBuf) -> (i64, i64) {
    let asked = tokio::task::spawn_blocking(move || volume(&dir)).await;
    match asked {
        Ok(Some(space)) => space,
        _ => (-1, -1),
    }
}

fn volume(dir: &Path) -> Option<(i64, i64)> {
    let volume = rustix::fs::statvfs(dir).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(volume.f_frsize)).unwrap_or(i64::MAX);
    Some((bytes(volume.f_blocks), bytes(volume.f_bavail)))
}
