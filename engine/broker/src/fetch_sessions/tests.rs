//! Scenarios of KIP-227, as data.

use logdyno_wire::fetch_response::{FetchedPartition, FetchedTopic};
use logdyno_wire::messages::TopicName;
use logdyno_wire::messages::fetch_request::{FetchPartition, ForgottenTopic};

use super::*;

const NAMED: Asker = Asker { by_id: false, is_follower: false };
const FOLLOWER: Asker = Asker { by_id: false, is_follower: true };

fn name(topic: &str) -> TopicName {
    TopicName(logdyno_wire::StrBytes::from_string(topic.to_owned()))
}

/// A request for partitions of topic `t`, each with its fetch offset.
fn request(id: i32, epoch: i32, partitions: &[(i32, i64)], forgotten: &[i32]) -> FetchRequest {
    let wanted = partitions
        .iter()
        .map(|(partition, offset)| FetchPartition::default().with_partition(*partition).with_fetch_offset(*offset));
    let topic = FetchTopic::default().with_topic(name("t")).with_partitions(wanted.collect());
    let forget = ForgottenTopic::default().with_topic(name("t")).with_partitions(forgotten.to_vec());
    FetchRequest::default()
        .with_session_id(id)
        .with_session_epoch(epoch)
        .with_topics(if partitions.is_empty() { Vec::new() } else { vec![topic] })
        .with_forgotten_topics_data(if forgotten.is_empty() { Vec::new() } else { vec![forget] })
}

fn looked_at(context: &Context) -> Vec<(i32, i64)> {
    let partitions = context.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| (partition.partition, partition.fetch_offset)).collect()
}

fn quiet(index: i32) -> FetchedPartition {
    FetchedPartition { index, high_watermark: 10, last_stable_offset: 10, log_start_offset: 0, ..Default::default() }
}

fn answer(partitions: Vec<FetchedPartition>) -> FetchAnswer {
    let topic = FetchedTopic { name: name("t"), partitions, ..FetchedTopic::default() };
    FetchAnswer { topics: vec![topic], ..FetchAnswer::default() }
}

fn told(answer: &FetchAnswer) -> Vec<i32> {
    answer.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.index).collect()
}

struct Scene {
    sessions: FetchSessions,
    now: Nanos,
    drawn: i32,
}

impl Scene {
    fn with_slots(slots: usize) -> Scene {
        Scene { sessions: FetchSessions::new(slots, Arc::default()), now: Nanos(1), drawn: 0 }
    }

    fn begin(&mut self, mut request: FetchRequest, asker: Asker) -> Result<Context, ErrorCode> {
        self.sessions.begin(&mut request, asker, self.now)
    }

    fn finish(&mut self, context: Context, answer: FetchAnswer) -> FetchAnswer {
        let drawn = &mut self.drawn;
        self.sessions.finish(context, answer, self.now, || {
            *drawn += 1;
            *drawn
        })
    }

    /// A session of `partitions` partitions; its id, 0 if it got none.
    fn create(&mut self, partitions: i32, asker: Asker) -> i32 {
        let wanted: Vec<_> = (0..partitions).map(|partition| (partition, 0)).collect();
        let context = self.begin(request(0, NEW_SESSION, &wanted, &[]), asker).expect("a new one");
        self.finish(context, answer((0..partitions).map(quiet).collect())).session_id
    }

    fn refused(&mut self, id: i32, epoch: i32) -> ErrorCode {
        self.begin(request(id, epoch, &[], &[]), NAMED).map(|_| ()).expect_err("refused")
    }
}

#[test]
fn only_changes_are_named_and_only_news_is_told() {
    let mut scene = Scene::with_slots(10);
    let id = scene.create(3, NAMED);
    assert_eq!(id, 1);
    let context = scene.begin(request(id, 1, &[(1, 7)], &[]), NAMED).expect("the next");
    assert_eq!(looked_at(&context), [(0, 0), (1, 7), (2, 0)], "1 is wanted from elsewhere");
    let nothing = scene.finish(context, answer(vec![quiet(0), quiet(1), quiet(2)]));
    assert_eq!((told(&nothing), nothing.session_id, nothing.topics.len()), (vec![], id, 0));
    let context = scene.begin(request(id, 2, &[(5, 0)], &[2]), NAMED).expect("the next");
    assert_eq!(looked_at(&context), [(0, 0), (1, 7), (5, 0)]);
    let one = scene.finish(context, answer(vec![quiet(0), quiet(1), quiet(5)]));
    assert_eq!(told(&one), [5], "it is new");
    for (news, why) in [
        (FetchedPartition { high_watermark: 11, ..quiet(0) }, "high watermark"),
        (FetchedPartition { high_watermark: 11, log_start_offset: 3, ..quiet(0) }, "log start"),
        (FetchedPartition { error_code: 6, ..quiet(0) }, "an error"),
        (FetchedPartition { high_watermark: 11, log_start_offset: 3, ..quiet(0) }, "after an error"),
        (
            FetchedPartition { high_watermark: 11, log_start_offset: 3, diverging_epoch: Some((1, 2)), ..quiet(0) },
            "diverging",
        ),
        (
            FetchedPartition { high_watermark: 11, log_start_offset: 3, preferred_read_replica: 2, ..quiet(0) },
            "elsewhere",
        ),
    ] {
        let epoch = scene.sessions.sessions[&id].epoch;
        let context = scene.begin(request(id, epoch, &[], &[]), NAMED).expect("the next");
        let told = told(&scene.finish(context, answer(vec![news, quiet(1), quiet(5)])));
        assert_eq!(told, [0], "{why}");
    }
}

/// Where `max_bytes` serves only the first, each has its turn.
#[test]
fn who_got_records_goes_behind_the_others() {
    let mut scene = Scene::with_slots(10);
    let id = scene.create(3, NAMED);
    let mut order = Vec::new();
    for epoch in 1..=4 {
        let context = scene.begin(request(id, epoch, &[], &[]), NAMED).expect("the next");
        let looked_at = looked_at(&context);
        order.push(looked_at[0].0);
        let served = |(place, (index, _)): (usize, &(i32, i64))| FetchedPartition {
            records: if place == 0 { vec![bytes::Bytes::from_static(b"batch")] } else { Vec::new() },
            ..quiet(*index)
        };
        let partitions = looked_at.iter().enumerate().map(served).collect();
        scene.finish(context, answer(partitions));
    }
    assert_eq!(order, [0, 1, 2, 0]);
}

#[test]
fn epochs_and_ids_that_do_not_fit_are_refused() {
    let mut scene = Scene::with_slots(10);
    assert_eq!(scene.refused(7, 1), ErrorCode::FetchSessionIdNotFound);
    let id = scene.create(1, NAMED);
    assert_eq!(scene.refused(id, 2), ErrorCode::InvalidFetchSessionEpoch);
    let by_id = Asker { by_id: true, ..NAMED };
    let mixed = scene.begin(request(id, 1, &[], &[]), by_id).map(|_| ()).expect_err("refused");
    assert_eq!(mixed, ErrorCode::FetchSessionTopicIdError);
    let slow = scene.begin(request(id, 1, &[], &[]), NAMED).expect("the next");
    let fast = scene.begin(request(id, 2, &[], &[]), NAMED).expect("the one after");
    assert_eq!(scene.finish(fast, answer(vec![quiet(0)])).error_code, 0);
    assert_eq!(scene.finish(slow, answer(vec![quiet(0)])).error_code, 71, "overtaken");
    let late = scene.begin(request(id, 3, &[], &[]), NAMED).expect("the next");
    scene.begin(request(id, NO_SESSION, &[], &[]), NAMED).expect("the end");
    assert_eq!(scene.finish(late, answer(vec![quiet(0)])).error_code, 70, "ended meanwhile");
    assert_eq!(scene.refused(id, 4), ErrorCode::FetchSessionIdNotFound);
    assert_eq!((epoch_after(1), epoch_after(i32::MAX)), (2, 1));
}

#[test]
fn a_session_ends_with_its_last_partition_and_when_its_reader_starts_again() {
    let mut scene = Scene::with_slots(10);
    let id = scene.create(1, NAMED);
    let context = scene.begin(request(id, 1, &[], &[0]), NAMED).expect("the last");
    assert!(context.topics.is_empty());
    assert_eq!(scene.finish(context, FetchAnswer::default()).session_id, 0);
    let id = scene.create(1, NAMED);
    let again = scene.begin(request(id, NEW_SESSION, &[(0, 0)], &[]), NAMED).expect("a new one");
    let other = scene.finish(again, answer(vec![quiet(0)])).session_id;
    assert!(other != id && other != 0);
    assert_eq!(scene.sessions.len(), 1);
    let alone = scene.begin(request(0, NO_SESSION, &[(0, 0)], &[]), NAMED).expect("alone");
    assert_eq!(scene.finish(alone, answer(vec![quiet(0)])).session_id, 0);
}

/// `FetchSessionCache.tryEvict`.
#[test]
fn slots_are_bounded_and_who_gives_way_is_kafkas_choice() {
    let mut none = Scene::with_slots(0);
    assert_eq!(none.create(1, NAMED), 0);
    let mut scene = Scene::with_slots(2);
    let (small, large) = (scene.create(1, NAMED), scene.create(5, NAMED));
    assert_eq!(scene.create(9, NAMED), 0, "both are new");
    let follower = scene.create(2, FOLLOWER);
    assert!(follower != 0, "a follower's comes before any consumer's");
    assert_eq!(scene.refused(small, 1), ErrorCode::FetchSessionIdNotFound, "the smallest gave way");
    scene.now = scene.now.after(SETTLED + Duration::from_nanos(1));
    for (id, epoch) in [(large, 1), (follower, 1)] {
        let asker = if id == follower { FOLLOWER } else { NAMED };
        scene.begin(request(id, epoch, &[], &[]), asker).expect("used just now");
    }
    assert_eq!(scene.create(4, NAMED), 0, "smaller than the settled one");
    let larger = scene.create(6, NAMED);
    assert!(larger != 0);
    assert_eq!(scene.refused(large, 2), ErrorCode::FetchSessionIdNotFound);
    scene.now = scene.now.after(SETTLED + Duration::from_nanos(1));
    assert!(scene.create(1, NAMED) != 0, "the one that was not used for longest gives way to any");
    assert_eq!(scene.refused(follower, 2), ErrorCode::FetchSessionIdNotFound);
    let evicted = scene.sessions.counters.fetch_sessions_evicted.get();
    assert_eq!((scene.sessions.len(), evicted), (2, 3));
}
