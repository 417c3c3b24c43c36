//! Differences that have a reason. Each is counted where it is met; what is not here is a finding.

use logdyno_wire::messages::ApiKey;

/// Where two answers differ.
pub struct Difference<'a> {
    pub api: ApiKey,
    /// Names of the fields down to it, `[]` for any entry of a list.
    pub path: &'a str,
    pub kafka: &'a str,
    pub ours: &'a str,
}

/// One kind of difference, and why it may be.
pub struct Rule {
    pub reason: &'static str,
    applies: fn(&Difference) -> bool,
}

pub const RULES: &[Rule] = &[
    Rule {
        reason: "ApiVersions names other APIs and features: transactions, KIP-848, share groups, quotas and the like are not here",
        applies: |at| at.api == ApiKey::ApiVersions && !at.path.ends_with("error_code"),
    },
    Rule {
        reason: "the path and the size of the disk that the data directory is on",
        applies: |at| {
            at.api == ApiKey::DescribeLogDirs && [".log_dir", "_bytes"].iter().any(|end| at.path.ends_with(end))
        },
    },
    Rule {
        reason: "an error is explained in other words, also where Kafka has none",
        applies: |at| at.path.ends_with("error_message"),
    },
    Rule {
        reason: "a setting that nothing obeys is read-only here, and can be set to its default only",
        applies: |at| tells_configs(at) && at.path.ends_with("read_only") && at.ours == "true",
    },
    Rule {
        reason: "logdyno.ack.level is our own setting",
        applies: |at| tells_configs(at) && at.ours == "\"logdyno.ack.level\"",
    },
    Rule {
        reason: "Kafka 4.1 keeps min.insync.replicas as a default of the whole cluster (eligible leader replicas, KIP-966)",
        applies: |at| {
            tells_configs(at)
                && (at.path.ends_with("config_source") && at.kafka == "3"
                    || at.kafka.contains("(\"source\", Leaf(\"3\"))"))
        },
    },
    Rule {
        reason: "no aborted transactions: an empty list and none are the same to a client, and Kafka sends now one, now the other",
        applies: |at| {
            at.path.ends_with("aborted_transactions")
                && [at.kafka, at.ours].iter().all(|list| *list == "None" || *list == "List([])")
        },
    },
    Rule {
        reason: "an alteration that does not exist (config_operation 9) is refused as invalid; Kafka fails inside",
        applies: |at| at.api == ApiKey::IncrementalAlterConfigs && at.kafka == "-1" && at.ours == "42",
    },
    Rule {
        reason: "a new topic's id is of the broker's making",
        applies: |at| at.api == ApiKey::CreateTopics && at.path.ends_with("topic_id"),
    },
    Rule {
        reason: "CreateTopics repeats a setting as it came; here it is told as it is stored, without blanks and as its type is written",
        applies: |at| {
            let bare = |text: &str| text.replace(['"', ' '], "");
            let number = |text: &str| bare(text).parse::<f64>().ok();
            let same =
                bare(at.kafka) == bare(at.ours) || number(at.kafka).is_some_and(|kafka| number(at.ours) == Some(kafka));
            at.api == ApiKey::CreateTopics && at.path.ends_with("value") && same
        },
    },
    Rule {
        reason: "settings are documented in other words",
        applies: |at| at.api == ApiKey::DescribeConfigs && at.path.ends_with("documentation"),
    },
];

fn tells_configs(at: &Difference) -> bool {
    matches!(at.api, ApiKey::DescribeConfigs | ApiKey::CreateTopics)
}

/// The rule that this difference falls under.
pub fn rule(at: &Difference) -> Option<usize> {
    RULES.iter().position(|rule| (rule.applies)(at))
}
