//! The fields of answers. Written by scripts/wire/shapes from Kafka's message definitions; not edited by hand.

use kafka_protocol::messages::ApiKey;

use super::fields::Kind::{Blob, Fixed, Inside, List, Maybe, Numbers, Text, Texts};
use super::fields::{Described, NEVER, always, between, since, tagged, until};

/// The first flexible version of answers of this kind, and their fields.
pub(super) fn described(api: ApiKey) -> Option<Described> {
    Some(match api {
        ApiKey::Produce => PRODUCE,
        ApiKey::Fetch => FETCH,
        ApiKey::ListOffsets => LIST_OFFSETS,
        ApiKey::Metadata => METADATA,
        ApiKey::OffsetCommit => OFFSET_COMMIT,
        ApiKey::OffsetFetch => OFFSET_FETCH,
        ApiKey::FindCoordinator => FIND_COORDINATOR,
        ApiKey::JoinGroup => JOIN_GROUP,
        ApiKey::Heartbeat => HEARTBEAT,
        ApiKey::LeaveGroup => LEAVE_GROUP,
        ApiKey::SyncGroup => SYNC_GROUP,
        ApiKey::DescribeGroups => DESCRIBE_GROUPS,
        ApiKey::ListGroups => LIST_GROUPS,
        ApiKey::ApiVersions => API_VERSIONS,
        ApiKey::CreateTopics => CREATE_TOPICS,
        ApiKey::DeleteTopics => DELETE_TOPICS,
        ApiKey::DeleteRecords => DELETE_RECORDS,
        ApiKey::InitProducerId => INIT_PRODUCER_ID,
        ApiKey::OffsetForLeaderEpoch => OFFSET_FOR_LEADER_EPOCH,
        ApiKey::AddPartitionsToTxn => ADD_PARTITIONS_TO_TXN,
        ApiKey::AddOffsetsToTxn => ADD_OFFSETS_TO_TXN,
        ApiKey::EndTxn => END_TXN,
        ApiKey::WriteTxnMarkers => WRITE_TXN_MARKERS,
        ApiKey::TxnOffsetCommit => TXN_OFFSET_COMMIT,
        ApiKey::DescribeConfigs => DESCRIBE_CONFIGS,
        ApiKey::AlterConfigs => ALTER_CONFIGS,
        ApiKey::DescribeLogDirs => DESCRIBE_LOG_DIRS,
        ApiKey::CreatePartitions => CREATE_PARTITIONS,
        ApiKey::DeleteGroups => DELETE_GROUPS,
        ApiKey::ElectLeaders => ELECT_LEADERS,
        ApiKey::IncrementalAlterConfigs => INCREMENTAL_ALTER_CONFIGS,
        ApiKey::AlterPartitionReassignments => ALTER_PARTITION_REASSIGNMENTS,
        ApiKey::ListPartitionReassignments => LIST_PARTITION_REASSIGNMENTS,
        ApiKey::OffsetDelete => OFFSET_DELETE,
        ApiKey::AlterPartition => ALTER_PARTITION,
        ApiKey::DescribeCluster => DESCRIBE_CLUSTER,
        ApiKey::DescribeProducers => DESCRIBE_PRODUCERS,
        ApiKey::BrokerRegistration => BROKER_REGISTRATION,
        ApiKey::BrokerHeartbeat => BROKER_HEARTBEAT,
        ApiKey::AllocateProducerIds => ALLOCATE_PRODUCER_IDS,
        ApiKey::DescribeTransactions => DESCRIBE_TRANSACTIONS,
        ApiKey::ListTransactions => LIST_TRANSACTIONS,
        ApiKey::DescribeTopicPartitions => DESCRIBE_TOPIC_PARTITIONS,
        ApiKey::ConsumerGroupHeartbeat => CONSUMER_GROUP_HEARTBEAT,
        ApiKey::ConsumerGroupDescribe => CONSUMER_GROUP_DESCRIBE,
        _ => return None,
    })
}

const PRODUCE: Described = (
    9,
    &[
        always(List(&[
            until(12, Text),
            since(13, Fixed(16)),
            always(List(&[
                always(Fixed(22)),
                since(5, Fixed(8)),
                since(8, List(&[since(8, Fixed(4)), since(8, Text)])),
                since(8, Text),
                tagged(0, 10, Inside(&[since(10, Fixed(8))])),
            ])),
        ])),
        always(Fixed(4)),
        tagged(0, 10, List(&[since(10, Fixed(4)), since(10, Text), since(10, Fixed(4)), since(10, Text)])),
    ],
);
const FETCH: Described = (
    12,
    &[
        always(Fixed(4)),
        since(7, Fixed(6)),
        always(List(&[
            until(12, Text),
            since(13, Fixed(16)),
            always(List(&[
                always(Fixed(22)),
                since(5, Fixed(8)),
                tagged(0, 12, Inside(&[since(12, Fixed(12))])),
                tagged(1, 12, Inside(&[since(12, Fixed(8))])),
                tagged(2, 12, Inside(&[always(Fixed(12))])),
                always(List(&[always(Fixed(16))])),
                since(11, Fixed(4)),
                always(Blob),
            ])),
        ])),
        tagged(0, 16, List(&[since(16, Fixed(4)), since(16, Text), since(16, Fixed(4)), since(16, Text)])),
    ],
);
const LIST_OFFSETS: Described =
    (6, &[since(2, Fixed(4)), always(List(&[always(Text), always(List(&[always(Fixed(22)), since(4, Fixed(4))]))]))]);
const METADATA: Described = (
    9,
    &[
        since(3, Fixed(4)),
        always(List(&[always(Fixed(4)), always(Text), always(Fixed(4)), since(1, Text)])),
        since(2, Text),
        since(1, Fixed(4)),
        always(List(&[
            always(Fixed(2)),
            always(Text),
            since(10, Fixed(16)),
            since(1, Fixed(1)),
            always(List(&[
                always(Fixed(10)),
                since(7, Fixed(4)),
                always(Numbers(4)),
                always(Numbers(4)),
                since(5, Numbers(4)),
            ])),
            since(8, Fixed(4)),
        ])),
        between(8, 10, Fixed(4)),
        since(13, Fixed(2)),
    ],
);
const OFFSET_COMMIT: Described = (
    8,
    &[since(3, Fixed(4)), always(List(&[until(9, Text), since(10, Fixed(16)), always(List(&[always(Fixed(6))]))]))],
);
const OFFSET_FETCH: Described = (
    6,
    &[
        since(3, Fixed(4)),
        until(
            7,
            List(&[
                until(7, Text),
                until(7, List(&[until(7, Fixed(12)), between(5, 7, Fixed(4)), until(7, Text), until(7, Fixed(2))])),
            ]),
        ),
        between(2, 7, Fixed(2)),
        since(
            8,
            List(&[
                since(8, Text),
                since(
                    8,
                    List(&[
                        between(8, 9, Text),
                        since(10, Fixed(16)),
                        since(8, List(&[since(8, Fixed(16)), since(8, Text), since(8, Fixed(2))])),
                    ]),
                ),
                since(8, Fixed(2)),
            ]),
        ),
    ],
);
const FIND_COORDINATOR: Described = (
    3,
    &[
        since(1, Fixed(4)),
        until(3, Fixed(2)),
        between(1, 3, Text),
        until(3, Fixed(4)),
        until(3, Text),
        until(3, Fixed(4)),
        since(4, List(&[since(4, Text), since(4, Fixed(4)), since(4, Text), since(4, Fixed(6)), since(4, Text)])),
    ],
);
const JOIN_GROUP: Described = (
    6,
    &[
        since(2, Fixed(4)),
        always(Fixed(6)),
        since(7, Text),
        always(Text),
        always(Text),
        since(9, Fixed(1)),
        always(Text),
        always(List(&[always(Text), since(5, Text), always(Blob)])),
    ],
);
const HEARTBEAT: Described = (4, &[since(1, Fixed(4)), always(Fixed(2))]);
const LEAVE_GROUP: Described =
    (4, &[since(1, Fixed(4)), always(Fixed(2)), since(3, List(&[since(3, Text), since(3, Text), since(3, Fixed(2))]))]);
const SYNC_GROUP: Described =
    (4, &[since(1, Fixed(4)), always(Fixed(2)), since(5, Text), since(5, Text), always(Blob)]);
const DESCRIBE_GROUPS: Described = (
    5,
    &[
        since(1, Fixed(4)),
        always(List(&[
            always(Fixed(2)),
            since(6, Text),
            always(Text),
            always(Text),
            always(Text),
            always(Text),
            always(List(&[always(Text), since(4, Text), always(Text), always(Text), always(Blob), always(Blob)])),
            since(3, Fixed(4)),
        ])),
    ],
);
const LIST_GROUPS: Described = (
    3,
    &[
        since(1, Fixed(4)),
        always(Fixed(2)),
        always(List(&[always(Text), always(Text), since(4, Text), since(5, Text)])),
    ],
);
const API_VERSIONS: Described = (
    3,
    &[
        always(Fixed(2)),
        always(List(&[always(Fixed(6))])),
        since(1, Fixed(4)),
        tagged(0, 3, List(&[since(3, Text), since(3, Fixed(4))])),
        tagged(1, 3, Fixed(8)),
        tagged(2, 3, List(&[since(3, Text), since(3, Fixed(4))])),
        tagged(3, 3, Fixed(1)),
    ],
);
const CREATE_TOPICS: Described = (
    5,
    &[
        always(Fixed(4)),
        always(List(&[
            always(Text),
            since(7, Fixed(16)),
            always(Fixed(2)),
            always(Text),
            tagged(0, 5, Fixed(2)),
            since(5, Fixed(6)),
            since(5, List(&[since(5, Text), since(5, Text), since(5, Fixed(3))])),
        ])),
    ],
);
const DELETE_TOPICS: Described =
    (4, &[always(Fixed(4)), always(List(&[always(Text), since(6, Fixed(16)), always(Fixed(2)), since(5, Text)]))]);
const DELETE_RECORDS: Described =
    (2, &[always(Fixed(4)), always(List(&[always(Text), always(List(&[always(Fixed(14))]))]))]);
const INIT_PRODUCER_ID: Described = (2, &[always(Fixed(16)), since(6, Fixed(10))]);
const OFFSET_FOR_LEADER_EPOCH: Described =
    (4, &[always(Fixed(4)), always(List(&[always(Text), always(List(&[always(Fixed(18))]))]))]);
const ADD_PARTITIONS_TO_TXN: Described = (
    3,
    &[
        always(Fixed(4)),
        since(4, Fixed(2)),
        since(4, List(&[since(4, Text), since(4, List(&[always(Text), always(List(&[always(Fixed(6))]))]))])),
        until(3, List(&[always(Text), always(List(&[always(Fixed(6))]))])),
    ],
);
const ADD_OFFSETS_TO_TXN: Described = (3, &[always(Fixed(6))]);
const END_TXN: Described = (3, &[always(Fixed(6)), since(5, Fixed(10))]);
const WRITE_TXN_MARKERS: Described =
    (1, &[always(List(&[always(Fixed(8)), always(List(&[always(Text), always(List(&[always(Fixed(6))]))]))]))]);
const TXN_OFFSET_COMMIT: Described =
    (3, &[always(Fixed(4)), always(List(&[always(Text), always(List(&[always(Fixed(6))]))]))]);
const DESCRIBE_CONFIGS: Described = (
    4,
    &[
        always(Fixed(4)),
        always(List(&[
            always(Fixed(2)),
            always(Text),
            always(Fixed(1)),
            always(Text),
            always(List(&[
                always(Text),
                always(Text),
                always(Fixed(3)),
                always(List(&[always(Text), always(Text), always(Fixed(1))])),
                since(3, Fixed(1)),
                since(3, Text),
            ])),
        ])),
    ],
);
const ALTER_CONFIGS: Described =
    (2, &[always(Fixed(4)), always(List(&[always(Fixed(2)), always(Text), always(Fixed(1)), always(Text)]))]);
const DESCRIBE_LOG_DIRS: Described = (
    2,
    &[
        always(Fixed(4)),
        since(3, Fixed(2)),
        always(List(&[
            always(Fixed(2)),
            always(Text),
            always(List(&[always(Text), always(List(&[always(Fixed(21))]))])),
            since(4, Fixed(16)),
        ])),
    ],
);
const CREATE_PARTITIONS: Described =
    (2, &[always(Fixed(4)), always(List(&[always(Text), always(Fixed(2)), always(Text)]))]);
const DELETE_GROUPS: Described = (2, &[always(Fixed(4)), always(List(&[always(Text), always(Fixed(2))]))]);
const ELECT_LEADERS: Described = (
    2,
    &[
        always(Fixed(4)),
        since(1, Fixed(2)),
        always(List(&[always(Text), always(List(&[always(Fixed(6)), always(Text)]))])),
    ],
);
const INCREMENTAL_ALTER_CONFIGS: Described =
    (1, &[always(Fixed(4)), always(List(&[always(Fixed(2)), always(Text), always(Fixed(1)), always(Text)]))]);
const ALTER_PARTITION_REASSIGNMENTS: Described = (
    0,
    &[
        always(Fixed(4)),
        since(1, Fixed(1)),
        always(Fixed(2)),
        always(Text),
        always(List(&[always(Text), always(List(&[always(Fixed(6)), always(Text)]))])),
    ],
);
const LIST_PARTITION_REASSIGNMENTS: Described = (
    0,
    &[
        always(Fixed(6)),
        always(Text),
        always(List(&[
            always(Text),
            always(List(&[always(Fixed(4)), always(Numbers(4)), always(Numbers(4)), always(Numbers(4))])),
        ])),
    ],
);
const OFFSET_DELETE: Described =
    (NEVER, &[always(Fixed(6)), always(List(&[always(Text), always(List(&[always(Fixed(6))]))]))]);
const ALTER_PARTITION: Described = (
    0,
    &[
        always(Fixed(6)),
        always(List(&[always(Fixed(16)), always(List(&[always(Fixed(14)), always(Numbers(4)), always(Fixed(5))]))])),
    ],
);
const DESCRIBE_CLUSTER: Described = (
    0,
    &[
        always(Fixed(6)),
        always(Text),
        since(1, Fixed(1)),
        always(Text),
        always(Fixed(4)),
        always(List(&[always(Fixed(4)), always(Text), always(Fixed(4)), always(Text), since(2, Fixed(1))])),
        always(Fixed(4)),
    ],
);
const DESCRIBE_PRODUCERS: Described = (
    0,
    &[
        always(Fixed(4)),
        always(List(&[
            always(Text),
            always(List(&[always(Fixed(6)), always(Text), always(List(&[always(Fixed(36))]))])),
        ])),
    ],
);
const BROKER_REGISTRATION: Described = (0, &[always(Fixed(14))]);
const BROKER_HEARTBEAT: Described = (0, &[always(Fixed(9))]);
const ALLOCATE_PRODUCER_IDS: Described = (0, &[always(Fixed(18))]);
const DESCRIBE_TRANSACTIONS: Described = (
    0,
    &[
        always(Fixed(4)),
        always(List(&[
            always(Fixed(2)),
            always(Text),
            always(Text),
            always(Fixed(22)),
            always(List(&[always(Text), always(Numbers(4))])),
        ])),
    ],
);
const LIST_TRANSACTIONS: Described =
    (0, &[always(Fixed(6)), always(Texts), always(List(&[always(Text), always(Fixed(8)), always(Text)]))]);
const DESCRIBE_TOPIC_PARTITIONS: Described = (
    0,
    &[
        always(Fixed(4)),
        always(List(&[
            always(Fixed(2)),
            always(Text),
            always(Fixed(17)),
            always(List(&[
                always(Fixed(14)),
                always(Numbers(4)),
                always(Numbers(4)),
                always(Numbers(4)),
                always(Numbers(4)),
                always(Numbers(4)),
            ])),
            always(Fixed(4)),
        ])),
        always(Maybe(&[always(Text), always(Fixed(4))])),
    ],
);
const CONSUMER_GROUP_HEARTBEAT: Described = (
    0,
    &[
        always(Fixed(6)),
        always(Text),
        always(Text),
        always(Fixed(8)),
        always(Maybe(&[always(List(&[always(Fixed(16)), always(Numbers(4))]))])),
    ],
);
const CONSUMER_GROUP_DESCRIBE: Described = (
    0,
    &[
        always(Fixed(4)),
        always(List(&[
            always(Fixed(2)),
            always(Text),
            always(Text),
            always(Text),
            always(Fixed(8)),
            always(Text),
            always(List(&[
                always(Text),
                always(Text),
                always(Text),
                always(Fixed(4)),
                always(Text),
                always(Text),
                always(Texts),
                always(Text),
                always(Inside(&[always(List(&[always(Fixed(16)), always(Text), always(Numbers(4))]))])),
                always(Inside(&[always(List(&[always(Fixed(16)), always(Text), always(Numbers(4))]))])),
                since(1, Fixed(1)),
            ])),
            always(Fixed(4)),
        ])),
    ],
);
