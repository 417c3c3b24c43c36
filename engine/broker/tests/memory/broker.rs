//! A broker, and raw connections to it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use logdyno_broker::{Broker, BrokerConfig, BrokerFigures};
use logdyno_record::{NoProbe, SystemClock};
use logdyno_wire::kafka_protocol::protocol::{Decodable, Encodable, Request};
use logdyno_wire::messages::{ApiKey, MetadataRequest, RequestHeader, ResponseHeader};
use tempfile::TempDir;

/// An answer that has not come by then never will.
const HANG: Duration = Duration::from_secs(60);

/// One broker with its controller, in a directory that goes with it.
pub(crate) struct Single {
    pub(crate) broker: Broker,
    _dir: TempDir,
}

impl Single {
    pub(crate) fn start(more: &str) -> Single {
        let dir = TempDir::new().expect("a directory");
        let text = format!(
            "log.dirs={}\nlisteners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\n{more}",
            dir.path().display()
        );
        let config = BrokerConfig::from_properties(&text).expect("a good configuration");
        let kinds = logdyno_storage::kinds();
        let broker = Broker::start(config, &kinds, Arc::new(SystemClock), Arc::new(NoProbe)).expect("a broker");
        Single { broker, _dir: dir }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.broker.address()).expect("connected");
        stream.set_read_timeout(Some(HANG)).expect("a socket");
        stream.set_write_timeout(Some(HANG)).expect("a socket");
        stream
    }

    /// Waits until as many connections are open.
    pub(crate) fn until_connections_are(&self, count: usize) {
        self.until(|figures| figures.connections == count);
    }

    /// Waits until the broker is as it should be: what an answer held is given back a moment after it has been heard.
    pub(crate) fn until(&self, is_so: impl Fn(&BrokerFigures) -> bool) {
        while !is_so(&self.broker.figures()) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Sends a request without waiting for its answer.
pub(crate) fn ask<R: Request>(stream: &mut TcpStream, version: i16, request: &R) {
    let api = ApiKey::try_from(R::KEY).expect("an API");
    let mut bytes = BytesMut::zeroed(4);
    let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
    header.encode(&mut bytes, api.request_header_version(version)).expect("a header");
    request.encode(&mut bytes, version).expect("a body");
    let length = u32::try_from(bytes.len() - 4).expect("small");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&bytes).expect("written");
}

/// The answer to a request.
pub(crate) fn call<R: Request>(stream: &mut TcpStream, version: i16, request: &R) -> R::Response {
    ask(stream, version, request);
    hear::<R>(stream, version)
}

/// The next answer, to a request of this kind.
pub(crate) fn hear<R: Request>(stream: &mut TcpStream, version: i16) -> R::Response {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).expect("a whole answer");
    let api = ApiKey::try_from(R::KEY).expect("an API");
    let mut body = bytes::Bytes::from(body);
    ResponseHeader::decode(&mut body, api.response_header_version(version)).expect("a header");
    R::Response::decode(&mut body, version).expect("a body")
}

/// Whether the broker answers others.
pub(crate) fn serves(stream: &mut TcpStream) -> bool {
    call(stream, 12, &MetadataRequest::default().with_topics(Some(Vec::new()))).brokers.len() == 1
}
