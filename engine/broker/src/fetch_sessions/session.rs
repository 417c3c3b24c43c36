//! One session: what its reader wants, and what it knows already.

use std::collections::{BTreeMap, HashMap};

use logdyno_record::Nanos;
use logdyno_wire::StrBytes;
use logdyno_wire::fetch_response::{FetchAnswer, FetchedPartition, FetchedTopic};
use logdyno_wire::messages::TopicName;
use logdyno_wire::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use uuid::Uuid;

/// A partition's name in a session: by topic id from Fetch 13 on, where the topic's name is empty; else by name.
type Key = (TopicName, Uuid, i32);

/// A partition in a session.
#[derive(Debug)]
struct Wanted {
    topic: TopicName,
    id: Uuid,
    /// As it was asked for last.
    asked: FetchPartition,
    /// As it was told last; -1 if it is to be told again in any case.
    high_watermark: i64,
    log_start: i64,
}

/// A reader that says once what it wants.
#[derive(Debug)]
pub(super) struct Session {
    /// Whether its topics are named by id.
    pub(super) by_id: bool,
    /// Followers are: consumers give way to them.
    pub(super) privileged: bool,
    pub(super) created: Nanos,
    pub(super) used: Nanos,
    /// What the next request has to name.
    pub(super) epoch: i32,
    /// In the order in which they are looked at.
    wanted: BTreeMap<u64, Wanted>,
    places: HashMap<Key, u64>,
    next_place: u64,
}

/// The epoch after `epoch`; 0 and -1 have meanings of their own.
pub(super) fn epoch_after(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

impl Session {
    pub(super) fn new(by_id: bool, privileged: bool, now: Nanos) -> Session {
        Session {
            by_id,
            privileged,
            created: now,
            used: now,
            epoch: 1,
            wanted: BTreeMap::new(),
            places: HashMap::new(),
            next_place: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Takes in what a request lists: partitions that are new, or are wanted from elsewhere by now.
    pub(super) fn want(&mut self, topics: &[FetchTopic]) {
        for topic in topics {
            // Copied: a session lives longer than the memory that its requests came in.
            let name = TopicName(StrBytes::from_string(topic.topic.to_string()));
            for asked in &topic.partitions {
                let key = (name.clone(), topic.topic_id, asked.partition);
                let asked = asked.clone().with_unknown_tagged_fields(BTreeMap::new());
                if let Some(known) = self.places.get(&key).and_then(|place| self.wanted.get_mut(place)) {
                    known.asked = asked;
                    continue;
                }
                let wanted =
                    Wanted { topic: name.clone(), id: topic.topic_id, asked, high_watermark: -1, log_start: -1 };
                self.place_last(key, wanted);
            }
        }
    }

    /// Drops what a request forgets.
    pub(super) fn forget(&mut self, topics: &[ForgottenTopic]) {
        for topic in topics {
            for partition in &topic.partitions {
                let key = (topic.topic.clone(), topic.topic_id, *partition);
                if let Some(place) = self.places.remove(&key) {
                    self.wanted.remove(&place);
                }
            }
        }
    }

    fn place_last(&mut self, key: Key, wanted: Wanted) {
        let place = self.next_place;
        self.next_place += 1;
        self.places.insert(key, place);
        self.wanted.insert(place, wanted);
    }

    /// All that is wanted, as a full request would list it.
    pub(super) fn all(&self) -> Vec<FetchTopic> {
        let mut topics: Vec<FetchTopic> = Vec::new();
        for wanted in self.wanted.values() {
            let same = |last: &&mut FetchTopic| last.topic == wanted.topic && last.topic_id == wanted.id;
            match topics.last_mut().filter(same) {
                Some(last) => last.partitions.push(wanted.asked.clone()),
                None => topics.push(
                    FetchTopic::default()
                        .with_topic(wanted.topic.clone())
                        .with_topic_id(wanted.id)
                        .with_partitions(vec![wanted.asked.clone()]),
                ),
            }
        }
        topics
    }

    /// Notes what a full answer tells.
    pub(super) fn tell_all(&mut self, answer: &FetchAnswer) {
        for topic in &answer.topics {
            for fetched in &topic.partitions {
                let place = self.places.get(&(topic.name.clone(), topic.id, fetched.index));
                if let Some(wanted) = place.and_then(|place| self.wanted.get_mut(place)) {
                    wanted.tell(fetched);
                }
            }
        }
    }

    /// Leaves in an answer what is news, and puts those that got records behind the others, so that each has its turn
    /// where `max_bytes` is too small for all.
    pub(super) fn tell_news(&mut self, answer: &mut FetchAnswer) {
        for topic in &mut answer.topics {
            let FetchedTopic { name, id, partitions } = topic;
            partitions.retain(|fetched| self.is_news(&(name.clone(), *id, fetched.index), fetched));
        }
        answer.topics.retain(|topic| !topic.partitions.is_empty());
    }

    fn is_news(&mut self, key: &Key, fetched: &FetchedPartition) -> bool {
        let Some(place) = self.places.get(key).copied() else { return true };
        let Some(wanted) = self.wanted.get_mut(&place) else { return true };
        let has_records = fetched.records_bytes() > 0;
        let news = has_records
            || fetched.error_code != 0
            || fetched.diverging_epoch.is_some()
            || fetched.preferred_read_replica >= 0
            || fetched.high_watermark != wanted.high_watermark
            || fetched.log_start_offset != wanted.log_start;
        if news {
            wanted.tell(fetched);
        }
        if has_records && let Some(wanted) = self.wanted.remove(&place) {
            self.place_last(key.clone(), wanted);
        }
        news
    }
}

impl Wanted {
    /// After an error everything is told again.
    fn tell(&mut self, fetched: &FetchedPartition) {
        let failed = fetched.error_code != 0;
        self.high_watermark = if failed { -1 } else { fetched.high_watermark };
        self.log_start = fetched.log_start_offset;
    }
}
