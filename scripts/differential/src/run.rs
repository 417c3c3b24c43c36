//! The run: makes requests, asks both sides, learns the names they give, compares.

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use logdyno_wire::api::{self, Api};
use logdyno_wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use logdyno_wire::messages::{
    ApiKey, CreateTopicsRequest, FindCoordinatorRequest, GroupId, InitProducerIdRequest, MetadataRequest,
    OffsetFetchRequest, RequestKind, ResponseKind,
};

use crate::allowed::{Difference, rule};
use crate::exchange::{ask, call, decoded, frame, neutral};
use crate::generate::{GROUPS, Maker, STAYING, name, request, text};
use crate::random::Random;
use crate::side::{Outcome, Side};
use crate::tally::Tally;
use crate::tree::{Tree, differences};

#[derive(clap::Args)]
pub struct Options {
    /// Apache Kafka.
    #[arg(long, value_name = "HOST:PORT")]
    kafka: String,
    /// LogDyno.
    #[arg(long, value_name = "HOST:PORT")]
    ours: String,
    /// How many requests.
    #[arg(long, default_value_t = 100_000)]
    requests: u64,
    /// What chance begins with.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after so many answers that differ without a reason.
    #[arg(long, default_value_t = 50)]
    stop_after: u64,
    /// Print this request, by its number, and both answers.
    #[arg(long)]
    show: Option<u64>,
}

/// How often each API is asked, out of all; those not named, twice.
const WEIGHTS: &[(ApiKey, u64)] = &[
    (ApiKey::Produce, 16),
    (ApiKey::Fetch, 14),
    (ApiKey::ListOffsets, 7),
    (ApiKey::OffsetCommit, 7),
    (ApiKey::OffsetFetch, 6),
    (ApiKey::JoinGroup, 6),
    (ApiKey::SyncGroup, 6),
    (ApiKey::Heartbeat, 5),
    (ApiKey::DescribeGroups, 4),
    (ApiKey::CreateTopics, 1),
    (ApiKey::DeleteTopics, 1),
    (ApiKey::CreatePartitions, 1),
    (ApiKey::AlterConfigs, 1),
    (ApiKey::IncrementalAlterConfigs, 1),
];

/// How long both sides have to come to the same view of what was changed.
const SETTLE_MAX: Duration = Duration::from_secs(30);

pub fn run(options: &Options) -> Result<ExitCode> {
    let mut sides = [Side::new("Kafka", options.kafka.clone()), Side::new("LogDyno", options.ours.clone())];
    create_topics(&mut sides)?;
    for side in &mut sides {
        wait_for_coordinators(side)?;
    }
    let now_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as i64;
    let (mut tally, begun) = (Tally::default(), Instant::now());
    for number in 0..options.requests {
        let mut random = Random::new(options.seed.wrapping_mul(0x9e37_79b9).wrapping_add(number));
        let found = one(&mut sides, &mut random, now_ms, &mut tally, options.show == Some(number))?;
        if let Some(found) = found {
            println!("request {number} of seed {}: {found}", options.seed);
            if tally.differing >= options.stop_after {
                break;
            }
        }
    }
    let complete = tally.print();
    println!("seed {}, {:.0} s", options.seed, begun.elapsed().as_secs_f64());
    if !complete && options.requests >= 20_000 {
        bail!("not every version that is served was asked for");
    }
    Ok(if tally.differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The topics that stay, on both sides.
fn create_topics(sides: &mut [Side; 2]) -> Result<()> {
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
    settle(sides)
}

/// Waits until groups and producers are served: Kafka makes its own topics for that when it is first asked.
fn wait_for_coordinators(side: &mut Side) -> Result<()> {
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

/// Waits until both sides tell the same of all topics, and learns the topics' ids.
fn settle(sides: &mut [Side; 2]) -> Result<()> {
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
            bail!("the sides do not agree on the topics: {:?}\n{:?}", told[0].find("topics"), told[1].find("topics"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn pick(random: &mut Random) -> &'static Api {
    let weight = |api: &Api| WEIGHTS.iter().find(|(key, _)| *key == api.key).map_or(2, |(_, weight)| *weight);
    let mut at = random.next() % api::BROKER.iter().map(weight).sum::<u64>();
    api::BROKER
        .iter()
        .find(|api| {
            at < weight(api) || {
                at -= weight(api);
                false
            }
        })
        .expect("within the sum")
}

/// One request to both; what differs without a reason.
fn one(
    sides: &mut [Side; 2],
    random: &mut Random,
    now_ms: i64,
    tally: &mut Tally,
    show: bool,
) -> Result<Option<String>> {
    let (api, version, requests, mut frames) = loop {
        let api = pick(random);
        let version = api.served_min + random.below((api.max - api.served_min + 1) as usize) as i16;
        let made = sides.each_ref().map(|side| {
            let mut random = random.clone();
            request(api.key, &mut Maker { random: &mut random, side, version, now_ms })
        });
        let correlation = random.next() as i32;
        let frames = made.each_ref().map(|request| frame(request, api.key, version, correlation));
        if let [Some(kafka), Some(ours)] = frames {
            break (api.key, version, made, [kafka, ours]);
        }
    };
    if random.percent(2) {
        damage(&mut frames, random);
    }
    tally.asked(api, version);
    let mut outcomes = Vec::new();
    for (side, frame) in sides.iter_mut().zip(&frames) {
        outcomes.push(ask(side, frame)?);
    }
    if show {
        println!("{:#?}\n{:#?}\n{outcomes:?}", requests[0], requests[1]);
    }
    let found = compare(sides, &outcomes, api, version, tally)?;
    if outcomes.iter().any(|outcome| !matches!(outcome, Outcome::Answer(_))) {
        sides.iter_mut().for_each(Side::hang_up);
    }
    if changes_topics(api) {
        settle(sides)?;
    }
    if found.is_some() {
        tally.differs(api);
    }
    Ok(found.map(|found| format!("{api:?} {version}: {found}\n    {}", shortened(&format!("{:?}", requests[0])))))
}

fn changes_topics(api: ApiKey) -> bool {
    use ApiKey::{AlterConfigs, CreatePartitions, CreateTopics, DeleteTopics, IncrementalAlterConfigs};
    matches!(api, CreateTopics | DeleteTopics | CreatePartitions | AlterConfigs | IncrementalAlterConfigs)
}

fn shortened(text: &str) -> String {
    text.chars().take(1500).collect()
}

/// Cuts both frames short behind the header, as far as both go.
fn damage(frames: &mut [Vec<u8>; 2], random: &mut Random) {
    let cut = 1 + random.below(12);
    for frame in frames {
        let len = frame.len().saturating_sub(cut).max(4 + 8);
        frame.truncate(len);
        let body = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&body.to_be_bytes());
    }
}

fn compare(
    sides: &mut [Side; 2],
    outcomes: &[Outcome],
    api: ApiKey,
    version: i16,
    tally: &mut Tally,
) -> Result<Option<String>> {
    let [Outcome::Answer(kafka), Outcome::Answer(ours)] = outcomes else {
        let same = outcomes[0] == outcomes[1];
        if outcomes[0] == Outcome::Silent && !same {
            tally.unanswered += 1;
            return Ok(None);
        }
        return Ok((!same).then(|| format!("Kafka: {}, LogDyno: {}", kind(&outcomes[0]), kind(&outcomes[1]))));
    };
    let answers = match (decoded(kafka.clone(), api, version), decoded(ours.clone(), api, version)) {
        (Ok(kafka), Ok(ours)) => [kafka, ours],
        // Kafka answers ApiVersions that it does not understand in version 0.
        _ if kafka[4..] == ours[4..] => return Ok(None),
        (Err(error), _) => return Ok(Some(format!("Kafka's answer cannot be decoded: {error:#}"))),
        (_, Err(error)) => return Ok(Some(format!("our answer cannot be decoded: {error:#}"))),
    };
    learn(sides, &answers);
    let [kafka, ours] = answers;
    let (kafka, ours) = (neutral(kafka, &sides[0]), neutral(ours, &sides[1]));
    Ok(unexplained(&kafka, &ours, api, tally))
}

fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Answer(_) => "an answer",
        Outcome::Closed => "the connection was closed",
        Outcome::Silent => "nothing",
    }
}

/// The names that an answer gives, if both sides give one.
fn learn(sides: &mut [Side; 2], answers: &[ResponseKind; 2]) {
    match answers {
        [ResponseKind::JoinGroup(kafka), ResponseKind::JoinGroup(ours)] => {
            let new = |side: &Side, id: &str| !id.is_empty() && !side.members.iter().any(|known| known == id);
            if new(&sides[0], &kafka.member_id) && new(&sides[1], &ours.member_id) {
                sides[0].members.push(kafka.member_id.to_string());
                sides[1].members.push(ours.member_id.to_string());
            }
        }
        [ResponseKind::InitProducerId(kafka), ResponseKind::InitProducerId(ours)] => {
            if kafka.producer_id.0 >= 0 && ours.producer_id.0 >= 0 {
                sides[0].producers.push((kafka.producer_id.0, kafka.producer_epoch));
                sides[1].producers.push((ours.producer_id.0, ours.producer_epoch));
            }
        }
        [ResponseKind::Fetch(kafka), ResponseKind::Fetch(ours)] => {
            if kafka.session_id != 0 && ours.session_id != 0 {
                sides[0].sessions.push(kafka.session_id);
                sides[1].sessions.push(ours.session_id);
            }
        }
        _ => {}
    }
}

fn unexplained(kafka: &Tree, ours: &Tree, api: ApiKey, tally: &mut Tally) -> Option<String> {
    let mut found = Vec::new();
    differences(kafka, ours, "", &mut found);
    let mut told = Vec::new();
    for (path, kafka, ours) in found {
        match rule(&Difference { api, path: &path, kafka: &kafka, ours: &ours }) {
            Some(rule) => tally.allow(rule),
            None => told.push(format!("{path}: Kafka {}, LogDyno {}", shortened(&kafka), shortened(&ours))),
        }
    }
    (!told.is_empty()).then(|| told.join("; "))
}
