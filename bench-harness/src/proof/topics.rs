//! Whether all topics were used: a workload of four that fills three would be reported under the wrong number.

use super::Evidence;
use crate::topics::Topics;

/// What came out of each topic, by the offsets after the last of their partitions; nothing is to be shown of one topic.
#[must_use]
pub fn judge_topics(topics: &Topics, ends: &[u64]) -> Option<Evidence> {
    if topics.count() == 1 {
        return None;
    }
    let records: Vec<u64> =
        ends.chunks(topics.partitions_each() as usize).map(|of_topic| of_topic.iter().sum()).collect();
    let empty = topics.names().iter().zip(&records).find(|(_, records)| **records == 0);
    let used = records.iter().filter(|records| **records > 0).count();
    let (least, most) = (records.iter().min().unwrap_or(&0), records.iter().max().unwrap_or(&0));
    let range = if least == most { least.to_string() } else { format!("{least} to {most}") };
    let detail = match empty {
        None => format!("{used} of {} topics were read, {range} records each", topics.count()),
        Some((name, _)) => format!("{used} of {} topics were read: nothing came out of {name}", topics.count()),
    };
    Some(Evidence { name: "topics".to_owned(), holds: empty.is_none(), detail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Settings, TopicPlan};

    #[test]
    fn an_empty_topic_is_found_out_and_one_topic_shows_nothing() {
        let configs = Settings::default();
        let plan = TopicPlan { name: "t".to_owned(), count: 2, partitions: 2, replication_factor: 1, configs };
        let topics = Topics::of(&plan, 1, std::iter::empty());
        let sound = judge_topics(&topics, &[0, 7, 3, 5]).unwrap();
        assert!(sound.holds && sound.detail == "2 of 2 topics were read, 7 to 8 records each", "{sound:?}");
        let skipped = judge_topics(&topics, &[9, 7, 0, 0]).unwrap();
        assert!(!skipped.holds && skipped.detail.ends_with("nothing came out of t-1"), "{skipped:?}");
        assert_eq!(judge_topics(&Topics::one("t", 2), &[0, 0]), None);
    }
}
