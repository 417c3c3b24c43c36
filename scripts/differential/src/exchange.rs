//! One request to both servers, and what of their answers is compared.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use logdyno_record::batch::batches;
use logdyno_wire::StrBytes;
use logdyno_wire::kafka_protocol::protocol::{Decodable, Encodable};
use logdyno_wire::messages::fetch_response::FetchableTopicResponse;
use logdyno_wire::messages::{ApiKey, FetchResponse, RequestHeader, RequestKind, ResponseHeader, ResponseKind};

use crate::side::{Outcome, Side};
use crate::tree::Tree;

/// How long an answer may take: the longest rebalance is much shorter.
const PATIENCE: Duration = Duration::from_secs(8);

/// A request with its header and length. `None` if this version has no words for it.
pub fn frame(request: &RequestKind, api: ApiKey, version: i16, correlation: i32) -> Option<Vec<u8>> {
    let header = RequestHeader::default().with_request_api_key(api as i16).with_request_api_version(version);
    let header =
        header.with_correlation_id(correlation).with_client_id(Some(StrBytes::from_static_str("differential")));
    let mut body = BytesMut::new();
    header.encode(&mut body, api.request_header_version(version)).ok()?;
    request.encode(&mut body, version).ok()?;
    Some([&(body.len() as u32).to_be_bytes()[..], &body].concat())
}

/// An answer, decoded. `Err` tells of one that cannot be.
pub fn decoded(mut answer: Bytes, api: ApiKey, version: i16) -> Result<ResponseKind> {
    ResponseHeader::decode(&mut answer, api.response_header_version(version)).context("the header")?;
    let response = ResponseKind::decode(api, &mut answer, version).context("the body")?;
    if !answer.is_empty() {
        bail!("{} bytes are left over", answer.len());
    }
    Ok(response)
}

/// Sends a frame to a side.
pub fn ask(side: &mut Side, frame: &[u8]) -> Result<Outcome> {
    side.ask(frame, PATIENCE)
}

/// Asks what is well formed and answered.
pub fn call(side: &mut Side, request: &RequestKind, api: ApiKey, version: i16) -> Result<ResponseKind> {
    let frame = frame(request, api, version, 1).context("no such request in this version")?;
    match ask(side, &frame)? {
        Outcome::Answer(answer) => decoded(answer, api, version),
        other => bail!("{}: {api:?} {version} gave {other:?}", side.name),
    }
}

/// An answer in names that both sides have in common.
pub fn neutral(response: ResponseKind, side: &Side) -> Tree {
    let tree = match response {
        ResponseKind::Fetch(answer) => Tree::of(&by_topic(without_epochs(answer))),
        // The variant's name and its parentheses go.
        other => Tree::of(&other),
    };
    let neutral = tree.map(&mut Vec::new(), &mut |path, text| {
        let field = path.last().map_or("", String::as_str);
        match field {
            "error_message" if text.starts_with("Some") => "Some(message)".to_owned(),
            "port" | "cluster_id" => field.to_owned(),
            "session_id" if text != "0" => "session".to_owned(),
            "producer_id" => match side.producers.iter().position(|(id, _)| id.to_string() == text) {
                Some(at) => format!("producer {at}"),
                None => text,
            },
            _ => side.neutral(&text),
        }
    });
    neutral.sorted()
}

/// The leader's epoch in a batch is the broker's own, and no checksum covers it. Kafka fills what was asked for with the
/// beginning of the next batch, which clients drop; we leave it out.
fn without_epochs(mut answer: FetchResponse) -> FetchResponse {
    for partition in answer.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.records = partition.records.take().map(whole_batches);
    }
    answer
}

/// Each topic once: one that is told in several places has its partitions in the order of a server's own sessions.
fn by_topic(mut answer: FetchResponse) -> FetchResponse {
    let mut topics: Vec<FetchableTopicResponse> = Vec::new();
    for topic in std::mem::take(&mut answer.responses) {
        match topics.iter_mut().find(|known| known.topic == topic.topic && known.topic_id == topic.topic_id) {
            Some(known) => known.partitions.extend(topic.partitions),
            None => topics.push(topic),
        }
    }
    answer.with_responses(topics)
}

/// The batches that are whole, with the leader's epoch 0.
fn whole_batches(records: Bytes) -> Bytes {
    let (mut zeroed, mut at) = (records.to_vec(), 0);
    for batch in batches(records) {
        let Ok(batch) = batch else { break };
        zeroed[at + 12..at + 16].fill(0);
        at += batch.size();
    }
    zeroed.truncate(at);
    zeroed.into()
}
