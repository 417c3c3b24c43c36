//! One scripted broker: reads requests from its connections and answers them from the shared state.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use logdyno_wire::kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use logdyno_wire::messages::api_versions_response::ApiVersion;
use logdyno_wire::messages::create_topics_response::CreatableTopicResult;
use logdyno_wire::messages::delete_topics_response::DeletableTopicResult;
use logdyno_wire::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use logdyno_wire::messages::metadata_response::MetadataResponseBroker;
use logdyno_wire::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, FetchRequest, FetchResponse, InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse, ProducerId, RequestHeader, ResponseHeader,
};

use super::{Cluster, Reaction};

impl Cluster {
    pub(super) fn serve(self, node: i32, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        self.lock().streams.push(stream.try_clone().unwrap());
        let (frames, to_answer) = mpsc::channel();
        let (reader, cluster) = (stream.try_clone().unwrap(), self.clone());
        std::thread::spawn(move || cluster.read(reader, &frames));
        std::thread::spawn(move || {
            for frame in to_answer {
                match self.answer(node, frame) {
                    Verdict::Answer(bytes) if (&stream).write_all(&bytes).is_ok() => {}
                    Verdict::Silence => {}
                    Verdict::Answer(_) | Verdict::Hang => break,
                }
            }
            drop(stream.shutdown(Shutdown::Both));
        });
    }

    fn read(&self, mut stream: TcpStream, frames: &mpsc::Sender<Bytes>) {
        let mut size = [0; 4];
        while stream.read_exact(&mut size).is_ok() {
            let mut frame = vec![0; u32::from_be_bytes(size) as usize];
            if stream.read_exact(&mut frame).is_err() {
                return;
            }
            if frame[..2] == [0, 0] {
                self.lock().received += 1;
                self.state.1.notify_all();
            }
            if frames.send(frame.into()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, node: i32, mut frame: Bytes) -> Verdict {
        let key = ApiKey::try_from(i16::from_be_bytes([frame[0], frame[1]])).unwrap();
        let version = i16::from_be_bytes([frame[2], frame[3]]);
        let header = RequestHeader::decode(&mut frame, key.request_header_version(version)).unwrap();
        let reply = Reply { key, version, correlation_id: header.correlation_id };
        match key {
            ApiKey::ApiVersions => reply.with(&api_versions(!self.lock().knows_no_producers)),
            ApiKey::InitProducerId => {
                let mut state = self.lock();
                state.producer_ids += 1;
                let id = ProducerId(100 + state.producer_ids);
                reply.with(&InitProducerIdResponse::default().with_producer_id(id).with_producer_epoch(0))
            }
            ApiKey::Metadata => reply.with(&self.metadata(&MetadataRequest::decode(&mut frame, version).unwrap())),
            ApiKey::Produce => self.produce(node, &ProduceRequest::decode(&mut frame, version).unwrap(), &reply),
            ApiKey::Fetch => reply.with(&self.fetch(node, FetchRequest::decode(&mut frame, version).unwrap())),
            ApiKey::ListOffsets if self.lock().frozen == Some(node) => Verdict::Silence,
            ApiKey::ListOffsets => {
                reply.with(&self.list_offsets(node, &ListOffsetsRequest::decode(&mut frame, version).unwrap()))
            }
            ApiKey::CreateTopics => {
                reply.with(&self.create_topics(&CreateTopicsRequest::decode(&mut frame, version).unwrap()))
            }
            ApiKey::DeleteTopics => {
                reply.with(&self.delete_topics(&DeleteTopicsRequest::decode(&mut frame, version).unwrap()))
            }
            other => panic!("{other:?} is not in the script"),
        }
    }

    fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let state = self.lock();
        let broker = |(id, port): (&i32, &u16)| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(*id))
                .with_host(StrBytes::from_static_str("127.0.0.1"))
                .with_port(i32::from(*port))
        };
        let asked: Vec<String> = match &request.topics {
            None => state.topics.keys().cloned().collect(),
            Some(topics) => topics.iter().map(|topic| topic.name.as_ref().unwrap().0.to_string()).collect(),
        };
        MetadataResponse::default()
            .with_brokers(state.nodes.iter().filter(|(id, _)| Some(**id) != state.left_out).map(broker).collect())
            .with_controller_id(BrokerId(1))
            .with_cluster_id(Some(StrBytes::from_static_str("scripted")))
            .with_topics(asked.iter().map(|name| state.describe(name)).collect())
    }

    fn produce(&self, node: i32, request: &ProduceRequest, reply: &Reply) -> Verdict {
        let mut state = self.lock();
        let mut reaction = state.script.pop_front().unwrap_or(Reaction::Take);
        while matches!(reaction, Reaction::Hold) {
            while state.held {
                state = self.state.1.wait(state).unwrap();
            }
            reaction = state.script.pop_front().unwrap_or(Reaction::Take);
        }
        state.note(node, request);
        let response = match &reaction {
            Reaction::Take | Reaction::TakeAndHang | Reaction::TakeAndIgnore => state.produce(node, request, 0),
            Reaction::Refuse(code) => state.produce(node, request, *code),
            Reaction::Hang | Reaction::Ignore | Reaction::Hold => ProduceResponse::default(),
        };
        drop(state);
        self.state.1.notify_all();
        match reaction {
            Reaction::Hang | Reaction::TakeAndHang => Verdict::Hang,
            Reaction::Ignore | Reaction::TakeAndIgnore => Verdict::Silence,
            _ if request.acks == 0 => Verdict::Silence,
            _ => reply.with(&response),
        }
    }

    fn fetch(&self, node: i32, request: FetchRequest) -> FetchResponse {
        let deadline = Instant::now() + Duration::from_millis(request.max_wait_ms as u64);
        let mut state = self.lock();
        state.fetches.push(request.clone());
        loop {
            let code = state.fetch_errors.pop_front().unwrap_or(0);
            let response = state.fetch(node, &request, code);
            let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
            let ready = partitions.clone().any(|data| data.error_code != 0)
                || partitions.map(|data| data.records.as_ref().map_or(0, Bytes::len)).sum::<usize>() > 0;
            let left = deadline.saturating_duration_since(Instant::now());
            if ready || left.is_zero() {
                return response;
            }
            state = self.state.1.wait_timeout(state, left).unwrap().0;
        }
    }

    fn list_offsets(&self, node: i32, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let mut state = self.lock();
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let key = (topic.name.0.to_string(), asked.partition_index);
                let scripted = state.offset_errors.pop_front();
                let log = state.logs.get(&key);
                let offset = match asked.timestamp {
                    -2 => log.map_or(0, |log| log.start),
                    -1 => log.map_or(0, |log| log.end),
                    time => log.map_or(-1, |log| log.at_time(time)),
                };
                ListOffsetsPartitionResponse::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(scripted.unwrap_or(if state.leads(node, &key) { 0 } else { 6 }))
                    .with_offset(offset)
                    .with_timestamp(if asked.timestamp < 0 { -1 } else { asked.timestamp })
            });
            ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }

    fn create_topics(&self, request: &CreateTopicsRequest) -> CreateTopicsResponse {
        let mut state = self.lock();
        let topics = request.topics.iter().map(|topic| {
            let name = topic.name.0.to_string();
            let exists = state.topics.contains_key(&name);
            if !exists {
                state.topics.insert(name, vec![1; topic.num_partitions as usize]);
            }
            CreatableTopicResult::default().with_name(topic.name.clone()).with_error_code(if exists { 36 } else { 0 })
        });
        CreateTopicsResponse::default().with_topics(topics.collect())
    }

    fn delete_topics(&self, request: &DeleteTopicsRequest) -> DeleteTopicsResponse {
        let mut state = self.lock();
        let responses = request.topic_names.iter().map(|name| {
            let existed = state.topics.remove(&name.0.to_string()).is_some();
            DeletableTopicResult::default().with_name(Some(name.clone())).with_error_code(if existed { 0 } else { 3 })
        });
        DeleteTopicsResponse::default().with_responses(responses.collect())
    }
}

enum Verdict {
    Answer(Bytes),
    Silence,
    Hang,
}

struct Reply {
    key: ApiKey,
    version: i16,
    correlation_id: i32,
}

impl Reply {
    fn with(&self, response: &impl Encodable) -> Verdict {
        let mut out = BytesMut::new();
        out.put_i32(0);
        let header = ResponseHeader::default().with_correlation_id(self.correlation_id);
        header.encode(&mut out, self.key.response_header_version(self.version)).unwrap();
        response.encode(&mut out, self.version).unwrap();
        let size = (out.len() - 4) as u32;
        out[..4].copy_from_slice(&size.to_be_bytes());
        Verdict::Answer(out.freeze())
    }
}

fn api_versions(producer_ids: bool) -> ApiVersionsResponse {
    let served = [(0, 3, 9), (1, 4, 12), (2, 1, 7), (3, 1, 12), (18, 0, 3), (19, 2, 5), (20, 1, 5), (22, 0, 4)];
    let versions = served[..served.len() - usize::from(!producer_ids)]
        .iter()
        .copied()
        .map(|(key, min, max)| ApiVersion::default().with_api_key(key).with_min_version(min).with_max_version(max));
    ApiVersionsResponse::default().with_api_keys(versions.collect())
}
