//! The run: makes requests, asks both sides, compares, and has both come to rest.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, bail};
use logdyno_wire::api::{self, Api};
use logdyno_wire::messages::{ApiKey, GroupId, RequestKind, ResponseKind};

use crate::compare::{compare, shortened};
use crate::exchange::{ask, frame};
use crate::generate::{Maker, REBALANCE, request, sync_after};
use crate::random::Random;
use crate::settle;
use crate::side::{Outcome, Side};
use crate::tally::Tally;

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
    /// Write all requests and answers to this file, a line each: what a difference came from.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// How often each API is asked, out of all; those not named, twice.
const WEIGHTS: &[(ApiKey, u64)] = &[
    (ApiKey::Produce, 16),
    (ApiKey::Fetch, 14),
    (ApiKey::ListOffsets, 7),
    (ApiKey::OffsetCommit, 7),
    (ApiKey::OffsetFetch, 6),
    (ApiKey::JoinGroup, 4),
    (ApiKey::SyncGroup, 6),
    (ApiKey::Heartbeat, 5),
    (ApiKey::DescribeGroups, 4),
    (ApiKey::CreateTopics, 1),
    (ApiKey::DeleteTopics, 1),
    (ApiKey::CreatePartitions, 1),
    (ApiKey::AlterConfigs, 1),
    (ApiKey::IncrementalAlterConfigs, 1),
];

pub fn run(options: &Options) -> Result<ExitCode> {
    let mut sides = [Side::new("Kafka", options.kafka.clone()), Side::new("LogDyno", options.ours.clone())];
    settle::create_topics(&mut sides)?;
    for side in &mut sides {
        settle::coordinators(side)?;
    }
    settle::producers(&mut sides)?;
    let now_ms = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as i64;
    let (mut tally, begun) = (Tally::default(), Instant::now());
    if let Some(file) = &options.log {
        tally.log = Some(File::create(file)?);
    }
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
    let told = |found: String| format!("{api:?} {version}: {found}\n    {}", shortened(&format!("{:?}", requests[0])));
    let (answers, found) = exchange(sides, (api, version), &requests, &frames, tally)?;
    let found = found.map(told);
    if show {
        println!("{requests:#?}\n{answers:#?}");
    }
    let context = || format!("after {requests:?}: {}", found.as_deref().unwrap_or("the same answers"));
    if changes_topics(api) {
        settle::topics(sides).with_context(context)?;
        if api == ApiKey::DeleteTopics {
            settle::offsets(sides)?;
        }
    }
    let others = answers.as_ref().is_some_and(joined_others);
    let found = match (found, answers) {
        (None, Some(answers)) if !random.percent(5) => follow(sides, &requests, &answers, tally)?,
        (found, _) => found,
    };
    if others {
        // They do not ask for their parts, and are removed for that.
        std::thread::sleep(REBALANCE + REBALANCE / 2);
    }
    if let Some(group) = group_changed(&requests[0]) {
        settle::group(sides, group)?;
    }
    Ok(found)
}

/// Both answers, if there are any, and what differs.
type Exchanged = (Option<[ResponseKind; 2]>, Option<String>);

fn exchange(
    sides: &mut [Side; 2],
    (api, version): (ApiKey, i16),
    requests: &[RequestKind; 2],
    frames: &[Vec<u8>; 2],
    tally: &mut Tally,
) -> Result<Exchanged> {
    tally.asked(api, version);
    let [kafka, ours] = sides;
    // At once: who joins a group may have to wait for others.
    let outcomes = std::thread::scope(|scope| {
        let kafka = scope.spawn(|| ask(kafka, &frames[0]));
        let ours = ask(ours, &frames[1]);
        Ok::<_, anyhow::Error>([kafka.join().expect("no panic")?, ours?])
    })?;
    if outcomes.iter().any(|outcome| !matches!(outcome, Outcome::Answer(_))) {
        sides.iter_mut().for_each(Side::hang_up);
    }
    let exchanged = compare(sides, &outcomes, api, version, tally)?;
    if let Some(log) = &mut tally.log {
        writeln!(log, "{api:?} {version} {requests:?}")?;
        match &exchanged.0 {
            Some([kafka, ours]) => writeln!(log, "  Kafka {kafka:?}\n  LogDyno {ours:?}")?,
            None => writeln!(log, "  Kafka {:?}\n  LogDyno {:?}", outcomes[0], outcomes[1])?,
        }
    }
    if exchanged.1.is_some() {
        tally.differs(api);
    }
    Ok(exchanged)
}

/// What a client asks for next: who has joined a group, for its part.
fn follow(
    sides: &mut [Side; 2],
    requests: &[RequestKind; 2],
    answers: &[ResponseKind; 2],
    tally: &mut Tally,
) -> Result<Option<String>> {
    const VERSION: i16 = 3;
    let sync = |at: usize| match (&requests[at], &answers[at]) {
        (RequestKind::JoinGroup(asked), ResponseKind::JoinGroup(joined)) if joined.error_code == 0 => {
            Some(sync_after(&asked.group_id, &joined.member_id, joined.generation_id))
        }
        _ => None,
    };
    let (Some(kafka), Some(ours)) = (sync(0), sync(1)) else { return Ok(None) };
    let syncs = [kafka, ours];
    let [Some(kafka), Some(ours)] = syncs.each_ref().map(|sync| frame(sync, ApiKey::SyncGroup, VERSION, 1)) else {
        bail!("SyncGroup {VERSION} has no words for what a member says");
    };
    let (_, found) = exchange(sides, (ApiKey::SyncGroup, VERSION), &syncs, &[kafka, ours], tally)?;
    Ok(found.map(|found| format!("SyncGroup {VERSION} after {:?}: {found}", requests[0])))
}

/// Whether a group has members besides the one that has joined.
fn joined_others(answers: &[ResponseKind; 2]) -> bool {
    answers.iter().any(|answer| {
        matches!(answer, ResponseKind::JoinGroup(joined)
            if joined.error_code == 0 && (joined.leader != joined.member_id || joined.members.len() > 1))
    })
}

fn group_changed(request: &RequestKind) -> Option<&GroupId> {
    match request {
        RequestKind::JoinGroup(asked) => Some(&asked.group_id),
        RequestKind::SyncGroup(asked) => Some(&asked.group_id),
        RequestKind::LeaveGroup(asked) => Some(&asked.group_id),
        _ => None,
    }
}

fn changes_topics(api: ApiKey) -> bool {
    use ApiKey::{AlterConfigs, CreatePartitions, CreateTopics, DeleteTopics, IncrementalAlterConfigs};
    matches!(api, CreateTopics | DeleteTopics | CreatePartitions | AlterConfigs | IncrementalAlterConfigs)
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
