//! `[topic]`: how many topics of how many partitions. All other keys are Kafka's topic settings, which the target checks.

use logdyno_engine::controller::decide::topic_config::SETTINGS;

use super::Checked;
use super::kafka::settings;
use super::values::{optional, text_of};
use crate::workload::error::WorkloadError;
use crate::workload::keys::{PARTITIONS_MAX, TOPIC};
use crate::workload::plan::TopicPlan;
use crate::workload::raw::{Entry, Table};
use crate::workload::suggestion::nearest;

/// The topics that the table describes; they are called like the workload if it does not say otherwise.
pub(super) fn topic(workload: &str, mut table: Table) -> Checked<TopicPlan> {
    let name = table.take("name").map_or_else(|| Ok(workload.to_owned()), |entry| text_of(&table, &entry))?;
    let (count, partitions) = partitions(&mut table)?;
    let replication_factor = optional(&mut table, "replication.factor")? as i16;
    let configs = table.take_rest();
    configs.iter().try_for_each(|entry| no_slip(&table, entry))?;
    Ok(TopicPlan { name, count, partitions, replication_factor, configs: settings(configs) })
}

/// How many topics, and how many partitions each: in all no more than one topic could have.
fn partitions(table: &mut Table) -> Checked<(u16, i32)> {
    let place = table.place_of(if table.has("count") { "count" } else { "partitions" });
    let count = optional(table, "count")?;
    let partitions = optional(table, "partitions")?;
    let all = count * partitions;
    if all <= PARTITIONS_MAX {
        return Ok((count as u16, partitions as i32));
    }
    let reason = format!(
        "{count} topics of {partitions} partitions have {all} in all, and no more than {PARTITIONS_MAX} are run: lower \
         topic.count or topic.partitions"
    );
    Err(WorkloadError::Contradiction { place, reason })
}

/// What is nearly a key of ours and no setting that we know of Kafka's was meant to be ours: a target without topics would not
/// find it, and others would suggest a setting of Kafka's.
fn no_slip(table: &Table, entry: &Entry) -> Checked<()> {
    if SETTINGS.iter().any(|setting| setting.name == entry.key) {
        return Ok(());
    }
    let suggestion = nearest(&entry.key, TOPIC.iter().map(|key| key.name));
    suggestion.map_or(Ok(()), |suggestion| {
        Err(WorkloadError::Unknown {
            place: entry.place.clone(),
            what: "key",
            key: format!("{}.{}", table.name, entry.key),
            suggestion: Some(suggestion),
        })
    })
}
