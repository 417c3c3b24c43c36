//! Both sides at rest and of one mind, before a run and between requests.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use logdyno_wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use logdyno_wire::messages::{
    ApiKey, CreateTopicsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, InitProducerIdRequest,
    MetadataRequest, OffsetFetchRequest, RequestKind, ResponseKind,
};

use crate::exchange::{call, neutral};
use crate::generate::{GROUPS, REBALANCE, STAYING, name, text};
use crate::side::Side;
use crate::tree::Tree;

/// How long both sides have to come to the same view of what was changed.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// A rebalance of the first protocol's version may take as long as a session; it is not waited for.
const REBALANCE_MAX: Duration = Duration::from_secs(3);

/// The topics that stay, on both sides.
pub fn create_topics(sides: &mut [Side; 2]) -> Result<()> {
    let topic = |topic: &&str| {
        let policy = if *topic == "compacted" { "compact" } else { "delete" };
        let config = CreatableTopicConfig::default().with_name(text("cleanup.policy")).with_value(Some(text(policy)));
        let made = CreatableTopic::default().with_name(name(topic)).with_num_partitions(3).with_replication_factor(1);
        made.with_configs(vec![config])
    };
    let request =
        CreateTopicsRequest::default().with_topics(STAYING.iter().map(topic).collect()).with_timeout_ms(30_000);
    for side in sides.iter_mut() {
        call(side, &RequestKind::CreateTopics(request.clone()), ApiKey::CreateTopics, 7)?;
    }
    topics(sides)
}

/// Waits until groups and producers are served: Kafka makes its own topics for that when it is first asked.
pub fn coordinators(side: &mut Side) -> Result<()> {
    let begun = Instant::now();
    for group in GROUPS {
        loop {
            let request = FindCoordinatorRequest::default().with_key(text(group));
            call(side, &RequestKind::FindCoordinator(request), ApiKey::FindCoordinator, 1)?;
            let request = OffsetFetchRequest::default().with_group_id(GroupId(text(group))).with_topics(None);
            let answer = call(side, &RequestKind::OffsetFetch(request), ApiKey::OffsetFetch, 7)?;
            let producer =
                InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(1_000);
            let producer = call(side, &RequestKind::InitProducerId(producer), ApiKey::InitProducerId, 4)?;
            if let (ResponseKind::OffsetFetch(offsets), ResponseKind::InitProducerId(producer)) = (answer, producer)
                && offsets.error_code == 0
                && producer.error_code == 0
            {
                side.producers.push((producer.producer_id.0, producer.producer_epoch));
                break;
            }
            if begun.elapsed() > SETTLE_MAX {
                bail!("{} does not come to serve groups", side.name);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

/// Has both sides give the same producer ids from here on: they stand in the segments.
pub fn producers(sides: &mut [Side; 2]) -> Result<()> {
    let next = |side: &Side| side.producers.last().map_or(0, |(id, _)| *id);
    let target = sides.iter().map(next).max().unwrap_or_default() + 1;
    for side in sides {
        side.producers.clear();
        while next(side) < target {
            let request =
                InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(1_000);
            let answer = call(side, &RequestKind::InitProducerId(request), ApiKey::InitProducerId, 4)?;
            let ResponseKind::InitProducerId(answer) = answer else { bail!("no producer id") };
            if answer.error_code != 0 {
                bail!("{} gives no producer id: error {}", side.name, answer.error_code);
            }
            side.producers.push((answer.producer_id.0, answer.producer_epoch));
        }
        side.producers.drain(..side.producers.len() - 1);
    }
    Ok(())
}

/// Waits until both sides tell the same of all topics, and learns the topics' ids.
pub fn topics(sides: &mut [Side; 2]) -> Result<()> {
    let begun = Instant::now();
    loop {
        let mut told = Vec::new();
        for side in sides.iter_mut() {
            let request = RequestKind::Metadata(MetadataRequest::default().with_topics(None));
            let ResponseKind::Metadata(answer) = call(side, &request, ApiKey::Metadata, 12)? else {
                bail!("no metadata")
            };
            let named =
                answer.topics.iter().filter_map(|topic| Some((topic.name.as_ref()?.to_string(), topic.topic_id)));
            side.topics = named.collect();
            told.push(neutral(ResponseKind::Metadata(answer), side));
        }
        let leading = told[0].find("topics").is_some_and(|topics| !format!("{topics:?}").contains("\"-1\""));
        if told[0].find("topics") == told[1].find("topics") && leading {
            // What was altered takes its way through the broker too.
            std::thread::sleep(Duration::from_millis(20));
            return Ok(());
        }
        if begun.elapsed() > SETTLE_MAX {
            let names: Vec<_> = told.iter().map(|tree| tree.find("topics").map(Tree::names)).collect();
            bail!("the sides do not agree on the topics: {names:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until no group has offsets on one side only: those of a deleted topic are removed after it.
pub fn offsets(sides: &mut [Side; 2]) -> Result<()> {
    let begun = Instant::now();
    for group in GROUPS {
        let request = OffsetFetchRequest::default().with_group_id(GroupId(text(group))).with_topics(None);
        let request = RequestKind::OffsetFetch(request);
        loop {
            let mut told = Vec::new();
            for side in sides.iter_mut() {
                let ResponseKind::OffsetFetch(answer) = call(side, &request, ApiKey::OffsetFetch, 7)? else {
                    bail!("no offsets")
                };
                told.push(answer.topics.into_iter().map(|topic| topic.name.to_string()).collect::<BTreeSet<_>>());
            }
            if told[0] == told[1] || begun.elapsed() > REBALANCE_MAX {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

/// Waits until a group is amid no rebalance and both sides tell the same of it: what happens by the clock happens now, and
/// Kafka tells only what its log has taken. A rebalance that lasts as long as a session is
/// waited for once; from then on, only as long as those that it might give way to.
pub fn group(sides: &mut [Side; 2], group: &GroupId) -> Result<()> {
    let begun = Instant::now();
    let request = RequestKind::DescribeGroups(DescribeGroupsRequest::default().with_groups(vec![group.clone()]));
    loop {
        let mut states = Vec::new();
        for side in sides.iter_mut() {
            let ResponseKind::DescribeGroups(told) = call(side, &request, ApiKey::DescribeGroups, 3)? else {
                bail!("no group")
            };
            states.extend(told.groups.into_iter().map(|group| (group.group_state, group.members.len())));
        }
        let rests = states.iter().all(|(state, _)| !state.ends_with("Rebalance"));
        let agreed = states[0] == states[1];
        let patience = if sides[0].unrestful.contains(group.as_str()) { REBALANCE * 3 / 2 } else { REBALANCE_MAX };
        if agreed && rests || begun.elapsed() > patience {
            let unrestful = &mut sides[0].unrestful;
            _ = if rests { unrestful.remove(group.as_str()) } else { unrestful.insert(group.to_string()) };
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
