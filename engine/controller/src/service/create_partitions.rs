//! CreatePartitions (37).

use std::collections::BTreeMap;

use logdyno_record::BrokerId;
use logdyno_wire::messages::create_partitions_request::CreatePartitionsTopic;
use logdyno_wire::messages::create_partitions_response::CreatePartitionsTopicResult;
use logdyno_wire::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use super::{FAILED, error_of};
use crate::active::Active;
use crate::decide::Refusal;
use crate::decide::create_partitions::MorePartitions;

pub(super) fn answer(active: &Active, request: &CreatePartitionsRequest) -> CreatePartitionsResponse {
    let mut named = BTreeMap::new();
    for topic in &request.topics {
        *named.entry(topic.name.as_str()).or_insert(0) += 1;
    }
    let results = request.topics.iter().map(|topic| {
        let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
        let refusal = if named[topic.name.as_str()] > 1 {
            let reason = format!("the request names topic '{}' more than once", topic.name.as_str());
            Refusal::InvalidRequest { reason }
        } else {
            match active.create_partitions(&more_partitions(topic), request.validate_only) {
                Ok(Ok(())) => return result,
                Ok(Err(refusal)) => refusal,
                Err(error) => {
                    tracing::error!("{error}");
                    return result.with_error_code(FAILED);
                }
            }
        };
        let (code, message) = error_of(&refusal);
        result.with_error_code(code).with_error_message(message)
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}

fn more_partitions(topic: &CreatePartitionsTopic) -> MorePartitions {
    let assignment = topic.assignments.as_ref().map(|partitions| {
        let replicas =
            partitions.iter().map(|partition| partition.broker_ids.iter().map(|id| BrokerId(id.0)).collect());
        replicas.collect()
    });
    MorePartitions { topic: topic.name.to_string(), count: topic.count, assignment }
}
