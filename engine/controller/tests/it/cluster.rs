//! A cluster's metadata, built by the decisions themselves.

use logdyno_controller::decide::create_topics::{NewTopic, TopicDefaults, create_topic};
use logdyno_controller::decide::registration::{Heartbeat, Registration, heartbeat, register};
use logdyno_controller::image::MetadataImage;
use logdyno_controller::record::{Endpoint, MetadataRecord, PartitionState};
use logdyno_record::BrokerId;
use uuid::Uuid;

pub(crate) const CLUSTER: &str = "dyno";
pub(crate) const DEFAULTS: TopicDefaults = TopicDefaults { partitions: 1, replication_factor: 1 };

/// An image and the decisions that change it.
pub(crate) struct Cluster {
    pub(crate) image: MetadataImage,
}

pub(crate) fn registration(broker: i32, incarnation: u128) -> Registration {
    Registration {
        broker: BrokerId(broker),
        cluster_id: CLUSTER.to_owned(),
        incarnation: Uuid::from_u128(incarnation),
        endpoints: vec![Endpoint { listener: "PLAINTEXT".to_owned(), host: "localhost".to_owned(), port: 9092 }],
        rack: None,
    }
}

pub(crate) fn topic(name: &str, partitions: i32, replication_factor: i16) -> NewTopic {
    NewTopic { name: name.to_owned(), partitions, replication_factor, ..NewTopic::default() }
}

impl Cluster {
    /// Brokers 0 to `brokers` - 1, all in service.
    pub(crate) fn of(brokers: i32) -> Cluster {
        let mut cluster = Cluster { image: MetadataImage::default() };
        cluster.apply(vec![MetadataRecord::Cluster { id: CLUSTER.to_owned() }]);
        for broker in 0..brokers {
            cluster.register(broker, 1);
            cluster.let_in(broker);
        }
        cluster
    }

    pub(crate) fn apply(&mut self, records: Vec<MetadataRecord>) {
        for record in records {
            self.image.apply(self.image.next_offset(), &record).expect("a record that fits");
        }
    }

    pub(crate) fn register(&mut self, broker: i32, incarnation: u128) {
        let records = register(&self.image, &registration(broker, incarnation), false).expect("a registration");
        self.apply(records);
    }

    pub(crate) fn let_in(&mut self, broker: i32) {
        let request = Heartbeat {
            broker: BrokerId(broker),
            broker_epoch: self.epoch(broker),
            applied: self.image.next_offset().0 - 1,
            want_fence: false,
            want_shut_down: false,
        };
        let (answer, records) = heartbeat(&self.image, &request).expect("a heartbeat");
        assert!(!answer.is_fenced);
        self.apply(records);
    }

    pub(crate) fn create(&mut self, topic: &NewTopic) -> Uuid {
        let id = Uuid::from_u128(u128::from(self.image.next_offset().0.unsigned_abs()));
        let (_, records) = create_topic(&self.image, DEFAULTS, topic, id, 7).expect("a topic");
        self.apply(records);
        id
    }

    pub(crate) fn epoch(&self, broker: i32) -> i64 {
        self.image.broker(BrokerId(broker)).expect("a registered broker").epoch
    }

    pub(crate) fn state(&self, topic: &str, partition: usize) -> &PartitionState {
        &self.image.topic(topic).expect("a topic").partitions[partition]
    }
}

pub(crate) fn ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().map(|id| BrokerId(*id)).collect()
}
