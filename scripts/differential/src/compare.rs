//! Two answers to one request: what they say of the servers, and where they differ.

use anyhow::Result;
use logdyno_wire::messages::{ApiKey, ResponseKind};

use crate::allowed::{Difference, rule};
use crate::exchange::{decoded, neutral};
use crate::side::{Outcome, Side};
use crate::tally::Tally;
use crate::tree::{Tree, differences};

/// Both answers, if both can be read, and what differs without a reason.
pub fn compare(
    sides: &mut [Side; 2],
    outcomes: &[Outcome; 2],
    api: ApiKey,
    version: i16,
    tally: &mut Tally,
) -> Result<(Option<[ResponseKind; 2]>, Option<String>)> {
    let [Outcome::Answer(kafka), Outcome::Answer(ours)] = outcomes else {
        let same = outcomes[0] == outcomes[1];
        if outcomes[0] == Outcome::Silent && !same {
            *tally.unanswered.entry(api as i16).or_default() += 1;
            return Ok((None, None));
        }
        let differs = || format!("Kafka: {}, LogDyno: {}", kind(&outcomes[0]), kind(&outcomes[1]));
        return Ok((None, (!same).then(differs)));
    };
    let answers = match (decoded(kafka.clone(), api, version), decoded(ours.clone(), api, version)) {
        (Ok(kafka), Ok(ours)) => [kafka, ours],
        // Kafka answers ApiVersions that it does not understand in version 0.
        _ if kafka[4..] == ours[4..] => return Ok((None, None)),
        (Err(error), _) => return Ok((None, Some(format!("Kafka's answer cannot be decoded: {error:#}")))),
        (_, Err(error)) => return Ok((None, Some(format!("our answer cannot be decoded: {error:#}")))),
    };
    learn(sides, &answers);
    let (kafka, ours) = (neutral(answers[0].clone(), &sides[0]), neutral(answers[1].clone(), &sides[1]));
    let found = unexplained(&kafka, &ours, api, tally);
    Ok((Some(answers), found))
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
        [ResponseKind::InitProducerId(kafka), ResponseKind::InitProducerId(ours)]
            if kafka.producer_id.0 >= 0 && ours.producer_id.0 >= 0 =>
        {
            sides[0].producers.push((kafka.producer_id.0, kafka.producer_epoch));
            sides[1].producers.push((ours.producer_id.0, ours.producer_epoch));
        }
        [ResponseKind::Fetch(kafka), ResponseKind::Fetch(ours)] if kafka.session_id != 0 && ours.session_id != 0 => {
            sides[0].sessions.push(kafka.session_id);
            sides[1].sessions.push(ours.session_id);
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

/// As much of a text as helps.
pub fn shortened(text: &str) -> String {
    text.chars().take(1500).collect()
}
