//! A channel against a server that the test plays.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use logdyno_wire::frame::{FrameLimits, FrameReader, write_pieces};
use logdyno_wire::kafka_protocol::messages::api_versions_response::ApiVersion;
use logdyno_wire::messages::metadata_request::MetadataRequestTopic;
use logdyno_wire::messages::{
    ApiKey, ApiVersionsResponse, MetadataRequest, MetadataResponse, ProduceRequest, TopicName,
};
use logdyno_wire::request::Request;
use logdyno_wire::transport::{Listener, ReadHalf, WriteHalf};
use logdyno_wire::{Channel, ChannelConfig, ChannelError, api, response};

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("in time") })
}

struct Server {
    frames: FrameReader<ReadHalf>,
    write: WriteHalf,
}

impl Server {
    async fn accept(listener: &Listener) -> Server {
        let (read, write) = listener.accept().await.expect("a connection").0.into_split();
        Server { frames: FrameReader::new(read, FrameLimits::default()), write }
    }

    async fn take(&mut self) -> Request {
        let frame = self.frames.next().await.expect("a frame").expect("one");
        Request::parse(frame, api::BROKER).expect("a request")
    }

    async fn send(&mut self, frame: Vec<Bytes>) {
        write_pieces(&mut self.write, &frame).await.expect("sent");
    }

    /// Knows ApiVersions up to version 2, as brokers before 2.4 did.
    async fn negotiate(&mut self) {
        let first = self.take().await;
        assert_eq!(first.version, 3);
        let range = |key: ApiKey, max| ApiVersion::default().with_api_key(key as i16).with_max_version(max);
        let versions = vec![range(ApiKey::ApiVersions, 2), range(ApiKey::Metadata, 5)];
        let refused = ApiVersionsResponse::default().with_error_code(35).with_api_keys(versions.clone());
        self.send(response::encode(ApiKey::ApiVersions, 0, first.correlation_id, &refused).expect("encoded")).await;
        let second = self.take().await;
        assert_eq!(second.version, 2);
        let answer = ApiVersionsResponse::default().with_api_keys(versions);
        self.send(response::encode(ApiKey::ApiVersions, 2, second.correlation_id, &answer).expect("encoded")).await;
    }

    async fn answer_metadata(&mut self, request: &Request, controller: i32) {
        let answer = MetadataResponse::default().with_controller_id(controller.into());
        self.send(
            response::encode(ApiKey::Metadata, request.version, request.correlation_id, &answer).expect("encoded"),
        )
        .await;
    }
}

async fn pair(config: ChannelConfig) -> (Channel, Server) {
    let listener = Listener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound").to_string();
    let serving = async {
        let mut server = Server::accept(&listener).await;
        server.negotiate().await;
        server
    };
    let (channel, server) = tokio::join!(Channel::connect(&address, "test", config), serving);
    (channel.expect("a channel"), server)
}

/// §2.2, from the client's side.
#[test]
fn versions_are_negotiated_also_with_an_old_broker() {
    run(async {
        let (channel, _server) = pair(ChannelConfig::default()).await;
        assert_eq!(channel.version_of::<MetadataRequest>(None).expect("served"), 5);
        assert_eq!(channel.version_of::<MetadataRequest>(Some(1)).expect("served"), 1);
        let unknown = channel.version_of::<ProduceRequest>(None);
        assert!(matches!(unknown, Err(ChannelError::NotServed { api: ApiKey::Produce, .. })));
    });
}

#[test]
fn several_requests_are_in_flight_and_answers_find_theirs() {
    run(async {
        let (channel, mut server) = pair(ChannelConfig::default()).await;
        let first = channel.send(MetadataRequest::default(), None).await.expect("sent");
        let second = channel.send(MetadataRequest::default(), None).await.expect("sent");
        let taken = [server.take().await, server.take().await];
        server.answer_metadata(&taken[0], 10).await;
        server.answer_metadata(&taken[1], 20).await;
        assert_eq!(second.answer().await.expect("answered").controller_id.0, 20);
        assert_eq!(first.answer().await.expect("answered").controller_id.0, 10);
    });
}

#[test]
fn closing_fails_what_is_in_flight() {
    run(async {
        let (channel, server) = pair(ChannelConfig::default()).await;
        let sent = channel.send(MetadataRequest::default(), None).await.expect("sent");
        drop(server);
        assert!(matches!(sent.answer().await, Err(ChannelError::Closed { .. })));
        assert!(channel.is_closed());
        assert!(matches!(channel.call(MetadataRequest::default(), None).await, Err(ChannelError::Closed { .. })));
    });
}

#[test]
fn a_late_answer_closes_the_connection() {
    run(async {
        let config = ChannelConfig { request_timeout: Duration::from_millis(50), ..ChannelConfig::default() };
        let (channel, mut server) = pair(config).await;
        let late = channel.call(MetadataRequest::default(), None);
        let (late, _) = tokio::join!(late, server.take());
        assert!(matches!(late, Err(ChannelError::TimedOut { .. })));
        assert!(channel.is_closed());
    });
}

/// Kafka counts from the moment that a request is given to the connection, and whether or not it has an answer.
#[test]
fn a_request_that_the_peer_does_not_read_closes_the_connection() {
    run(async {
        for answered in [true, false] {
            let config = ChannelConfig { request_timeout: Duration::from_millis(200), ..ChannelConfig::default() };
            let (channel, _server) = pair(config).await;
            let topic = MetadataRequestTopic::default().with_name(Some(TopicName("x".repeat(30_000).into())));
            let large = MetadataRequest::default().with_topics(Some(vec![topic; 2000]));
            let unread = channel.send_with(large, None, answered).await;
            assert!(matches!(unread, Err(ChannelError::TimedOut { .. })), "answered: {answered}");
            assert!(channel.is_closed());
        }
    });
}

#[test]
fn an_answer_out_of_order_is_not_believed() {
    run(async {
        let (channel, mut server) = pair(ChannelConfig::default()).await;
        let sent = channel.send(MetadataRequest::default(), None).await.expect("sent");
        let request = server.take().await;
        let mut stray = BytesMut::new();
        stray.put_i32(4);
        stray.put_i32(request.correlation_id + 1);
        server.send(vec![stray.freeze()]).await;
        assert!(matches!(sent.answer().await, Err(ChannelError::Closed { .. })));
    });
}

/// Reserving what the peer claims, before it has sent it, would end this process.
#[test]
fn an_answer_that_claims_two_billion_brokers_is_refused() {
    run(async {
        let (channel, mut server) = pair(ChannelConfig::default()).await;
        let sent = channel.send(MetadataRequest::default(), None).await.expect("sent");
        let request = server.take().await;
        let mut lie = BytesMut::new();
        lie.put_i32(4 + 4 + 4);
        lie.put_i32(request.correlation_id);
        // Metadata 5: throttle_time_ms, then the list of brokers.
        lie.put_i32(0);
        lie.put_i32(i32::MAX);
        server.send(vec![lie.freeze()]).await;
        assert!(matches!(sent.answer().await, Err(ChannelError::Protocol { .. })));
        assert!(channel.is_closed());
    });
}
