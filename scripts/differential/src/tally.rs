//! What was asked, and how often the answers differed.

use std::collections::BTreeMap;
use std::fs::File;

use logdyno_wire::api::{self, Api};
use logdyno_wire::messages::ApiKey;

use crate::allowed::RULES;

/// Counts by API.
#[derive(Default)]
pub struct Tally {
    asked: BTreeMap<i16, (BTreeMap<i16, u64>, u64)>,
    allowed: BTreeMap<usize, u64>,
    pub differing: u64,
    /// Requests that Kafka has left without an answer, and LogDyno has not, by API.
    pub unanswered: BTreeMap<i16, u64>,
    /// Where everything is written, if anywhere.
    pub log: Option<File>,
}

impl Tally {
    pub fn asked(&mut self, api: ApiKey, version: i16) {
        *self.asked.entry(api as i16).or_default().0.entry(version).or_default() += 1;
    }

    pub fn allow(&mut self, rule: usize) {
        *self.allowed.entry(rule).or_default() += 1;
    }

    pub fn differs(&mut self, api: ApiKey) {
        self.asked.entry(api as i16).or_default().1 += 1;
        self.differing += 1;
    }

    /// Prints all of it; false if a version that is served was never asked for.
    pub fn print(&self) -> bool {
        let (mut complete, mut total) = (true, 0);
        println!("| API | versions | requests | without a reason different |\n|---|---|--:|--:|");
        for Api { key, served_min, max, .. } in api::BROKER {
            let (versions, differing) = self.asked.get(&(*key as i16)).cloned().unwrap_or_default();
            let requests: u64 = versions.values().sum();
            let missing = (*served_min..=*max).filter(|version| !versions.contains_key(version)).count();
            complete &= missing == 0;
            total += requests;
            let note = if missing > 0 { format!(" ({missing} never asked)") } else { String::new() };
            println!("| {key:?} | {served_min}–{max}{note} | {requests} | {differing} |");
        }
        println!("| all | | {total} | {} |\n", self.differing);
        for (rule, count) in &self.allowed {
            println!("allowed {count} times: {}", RULES[*rule].reason);
        }
        for (api, count) in &self.unanswered {
            println!("{count} requests of API {api} got no answer from Kafka at all");
        }
        complete
    }
}
