//! Controller and brokers over loopback TCP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use logdyno_controller::client::{ClientConfig, ClientError, IsrOutcome, MetadataDelta};
use logdyno_controller::decide::alter_partition::IsrChange;
use logdyno_controller::decide::registration::{Heartbeat, HeartbeatAnswer};
use logdyno_controller::image::MetadataImage;
use logdyno_controller::metadata_log::MetadataLog;
use logdyno_controller::record::MetadataRecord;
use logdyno_controller::{Client, Controller, ControllerConfig, ControllerError};
use logdyno_record::{BrokerId, Clock, Nanos, Offset};
use logdyno_wire::StrBytes;
use logdyno_wire::messages::create_topics_request::CreatableTopic;
use logdyno_wire::messages::create_topics_response::CreatableTopicResult;
use logdyno_wire::messages::delete_topics_request::DeleteTopicState;
use logdyno_wire::messages::{CreateTopicsRequest, DeleteTopicsRequest, TopicName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::cluster::{CLUSTER, registration};
use crate::memory_log::MemoryLog;

/// Longer than any test takes: whoever waits that long was not woken.
const LONG: Duration = Duration::from_secs(60);
const SESSION: Duration = Duration::from_millis(80);

#[derive(Default)]
struct ManualClock(AtomicU64);

impl ManualClock {
    fn advance(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_nanos()).expect("a short time"), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.load(Ordering::Relaxed))
    }

    fn wall_ms(&self) -> i64 {
        0
    }
}

struct Scene {
    controller: Controller,
    log: Arc<MemoryLog>,
    clock: Arc<ManualClock>,
}

fn config(listen: &str) -> ControllerConfig {
    ControllerConfig {
        listen: listen.to_owned(),
        cluster_id: Some(CLUSTER.to_owned()),
        session_timeout: SESSION,
        ..ControllerConfig::default()
    }
}

impl Scene {
    async fn new() -> Scene {
        let (log, clock) = (Arc::<MemoryLog>::default(), Arc::<ManualClock>::default());
        let controller = Controller::start(config("127.0.0.1:0"), Arc::clone(&log) as _, Arc::clone(&clock) as _);
        Scene { controller: controller.await.expect("a controller"), log, clock }
    }

    fn client(&self) -> Client {
        Client::new(ClientConfig {
            controllers: vec![self.controller.address().to_string()],
            retry_backoff: Duration::from_millis(1),
            ..ClientConfig::default()
        })
    }

    /// A broker in service: its client and epoch.
    async fn broker(&self, id: i32) -> (Client, i64) {
        let client = self.client();
        let epoch = client.register(&registration(id, 1), LONG).await.expect("registered");
        assert!(!beat(&client, id, epoch, epoch).await.expect("an answer").is_fenced);
        (client, epoch)
    }
}

async fn beat(client: &Client, id: i32, broker_epoch: i64, applied: i64) -> Result<HeartbeatAnswer, ClientError> {
    let heartbeat = Heartbeat { broker: BrokerId(id), broker_epoch, applied, want_fence: false, want_shut_down: false };
    client.heartbeat(&heartbeat).await
}

async fn create(client: &Client, name: &str, partitions: i32, replication_factor: i16) -> CreatableTopicResult {
    let topic = CreatableTopic::default()
        .with_name(TopicName(StrBytes::from_string(name.to_owned())))
        .with_num_partitions(partitions)
        .with_replication_factor(replication_factor);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000);
    let response = client.create_topics(request).await.expect("an answer");
    response.topics.into_iter().next().expect("one topic")
}

fn refused(outcome: Result<impl std::fmt::Debug, ClientError>) -> i16 {
    match outcome {
        Err(ClientError::Refused { code, .. }) => code,
        other => panic!("not refused: {other:?}"),
    }
}

/// Follows the metadata, and hands on every image.
fn follow(client: Client) -> mpsc::UnboundedReceiver<Arc<MetadataImage>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let news = |image: Arc<MetadataImage>, _: &[(Offset, MetadataRecord)]| drop(sender.send(image));
        client.follow(MetadataImage::default(), LONG, news).await.map(|never| match never {})
    });
    receiver
}

/// The first image that is as it should be.
async fn until(
    images: &mut mpsc::UnboundedReceiver<Arc<MetadataImage>>,
    is_so: impl Fn(&MetadataImage) -> bool,
) -> Arc<MetadataImage> {
    let found = async {
        loop {
            let image = images.recv().await.expect("the metadata go on");
            if is_so(&image) {
                return image;
            }
        }
    };
    tokio::time::timeout(LONG, found).await.expect("followers are woken")
}

/// Row 3, §7 no. 26: brokers know the cluster from the controller's log, over sockets, and nothing else.
#[tokio::test]
async fn brokers_register_create_and_follow() {
    let scene = Scene::new().await;
    let mut images = follow(scene.client());
    let (client, epoch) = scene.broker(0).await;
    scene.broker(1).await;
    let created = create(&client, "t", 4, 2).await;
    assert_eq!((created.error_code, created.num_partitions, created.replication_factor), (0, 4, 2));
    let image = until(&mut images, |image| image.topic("t").is_some()).await;
    assert_eq!(*image, *scene.controller.image(), "both applied the same records");
    assert_eq!(image.live_epoch(BrokerId(0)), Some(epoch));
    assert_eq!(image.topic("t").expect("a topic").id, created.topic_id);
    assert_eq!(image.partitions_on(BrokerId(1)).count(), 4);
    let again = create(&client, "t", 4, 2).await;
    assert_eq!(again.error_code, 36);
    assert_eq!(again.error_message.as_deref(), Some("topic 't' already exists"));
    let gone = DeleteTopicState::default().with_name(None).with_topic_id(created.topic_id);
    let deleted =
        client.delete_topics(DeleteTopicsRequest::default().with_topics(vec![gone])).await.expect("an answer");
    assert_eq!(deleted.responses[0].error_code, 0);
    assert_eq!(deleted.responses[0].name.as_ref().map(|name| name.as_str()), Some("t"));
    until(&mut images, |image| image.topic("t").is_none()).await;
    scene.controller.stop().await;
}

#[tokio::test]
async fn the_isr_changes_by_compare_and_set() {
    let scene = Scene::new().await;
    let (client, epoch) = scene.broker(0).await;
    let (_, other) = scene.broker(1).await;
    let topic = create(&client, "t", 1, 2).await.topic_id;
    let leader = scene.controller.image().topic("t").expect("a topic").partitions[0].leader.expect("a leader");
    let epochs = [epoch, other];
    let leader_epoch = epochs[usize::try_from(leader.0).expect("0 or 1")];
    let shrink = IsrChange { topic, partition: 0, leader_epoch: 0, partition_epoch: 0, isr: vec![(leader, -1)] };
    let alter =
        async |change: &IsrChange| client.alter_partitions(leader, leader_epoch, std::slice::from_ref(change)).await;
    let committed =
        IsrOutcome::Committed { leader_epoch: logdyno_record::LeaderEpoch(0), isr: vec![leader], partition_epoch: 1 };
    assert_eq!(alter(&shrink).await.expect("an answer"), [committed]);
    assert_eq!(alter(&shrink).await.expect("an answer"), [IsrOutcome::Stale]);
    let wrong = vec![(BrokerId(0), epoch + 100), (BrokerId(1), other + 100)];
    let grow = IsrChange { partition_epoch: 1, isr: wrong, ..shrink.clone() };
    assert_eq!(alter(&grow).await.expect("an answer"), [IsrOutcome::Ineligible]);
    assert_eq!(refused(client.alter_partitions(leader, leader_epoch - 1, &[grow]).await), 77);
    scene.controller.stop().await;
}

#[tokio::test]
async fn a_silent_broker_is_fenced_and_comes_back() {
    let scene = Scene::new().await;
    let mut images = follow(scene.client());
    let (client, epoch) = scene.broker(0).await;
    until(&mut images, |image| image.live_epoch(BrokerId(0)).is_some()).await;
    scene.clock.advance(SESSION);
    let image = until(&mut images, |image| image.live_epoch(BrokerId(0)).is_none()).await;
    assert_eq!(image.broker(BrokerId(0)).map(|broker| broker.fenced), Some(true));
    assert!(!beat(&client, 0, epoch, image.next_offset().0 - 1).await.expect("an answer").is_fenced);
    until(&mut images, |image| image.live_epoch(BrokerId(0)) == Some(epoch)).await;
    scene.controller.stop().await;
}

/// Row 25.
#[tokio::test]
async fn a_broker_of_another_cluster_hears_so() {
    let scene = Scene::new().await;
    let mut stranger = registration(0, 1);
    stranger.cluster_id = "elsewhere".to_owned();
    let error = scene.client().register(&stranger, LONG).await.expect_err("refused at once");
    assert_eq!(
        error.to_string(),
        "the controller refuses the registration: InconsistentClusterId (104): this data directory belongs to \
         another cluster; it was not touched. Point log.dirs at this cluster's directory"
    );
    scene.controller.stop().await;
}

/// A process that died without a word holds its id until its session is over.
#[tokio::test]
async fn a_second_process_waits_for_the_session_of_the_first() {
    let scene = Scene::new().await;
    let (_, first) = scene.broker(0).await;
    let at_once = scene.client().register(&registration(0, 2), Duration::ZERO).await;
    assert_eq!(refused(at_once), 101);
    scene.clock.advance(SESSION);
    let second = scene.client().register(&registration(0, 2), LONG).await.expect("the session is over");
    assert!(second > first);
    assert_eq!(refused(beat(&scene.client(), 0, first, first).await), 77);
    scene.controller.stop().await;
}

/// Broker and controller were one process and died together: the next controller knows of no silence, and gives who was in service a whole
/// session. Apache Kafka 4.1, killed and started again, answers its own broker with DUPLICATE_BROKER_REGISTRATION for just as long.
#[tokio::test]
async fn a_restarted_controller_gives_the_dead_process_a_whole_session() {
    let scene = Scene::new().await;
    let (_, first) = scene.broker(0).await;
    scene.clock.advance(SESSION - Duration::from_millis(1));
    scene.controller.stop().await;
    let clock = Arc::clone(&scene.clock) as Arc<dyn Clock>;
    let next =
        Controller::start(config("127.0.0.1:0"), Arc::clone(&scene.log) as _, clock).await.expect("a controller");
    let controllers = vec![next.address().to_string()];
    let client = Client::new(ClientConfig { controllers, ..ClientConfig::default() });
    scene.clock.advance(SESSION - Duration::from_millis(1));
    assert_eq!(refused(client.register(&registration(0, 2), Duration::ZERO).await), 101);
    scene.clock.advance(Duration::from_millis(1));
    assert!(client.register(&registration(0, 2), LONG).await.expect("the session is over") > first);
    next.stop().await;
}

#[tokio::test]
async fn metadata_survive_the_controller_and_clients_find_the_next_one() {
    let scene = Scene::new().await;
    let (client, epoch) = scene.broker(0).await;
    let mut images = follow(scene.client());
    create(&client, "before", 1, 1).await;
    let (before, address) = (scene.controller.image(), scene.controller.address().to_string());
    scene.controller.stop().await;
    assert!(beat(&client, 0, epoch, epoch).await.is_err(), "nobody answers");
    let clock = Arc::clone(&scene.clock) as Arc<dyn Clock>;
    let next = Controller::start(config(&address), Arc::clone(&scene.log) as _, clock).await.expect("a controller");
    assert_eq!(*next.image(), *before);
    assert!(!beat(&client, 0, epoch, epoch).await.expect("an answer").is_fenced, "its session goes on");
    assert_eq!(create(&client, "after", 1, 1).await.error_code, 0);
    until(&mut images, |image| image.topic("before").is_some() && image.topic("after").is_some()).await;
    next.stop().await;
}

/// A leader that restarts hears of its leadership only in an epoch that is in the log.
#[tokio::test]
async fn a_restarted_leader_finds_a_new_epoch() {
    let scene = Scene::new().await;
    let (client, _) = scene.broker(0).await;
    create(&client, "t", 1, 1).await;
    scene.clock.advance(SESSION);
    let epoch = client.register(&registration(0, 2), LONG).await.expect("registered");
    let delta = client.fetch_metadata(Offset(epoch), Duration::ZERO).await.expect("an answer");
    let MetadataDelta { records, committed_end } = delta;
    assert_eq!(records.last().map(|(offset, _)| offset.next()), Some(committed_end));
    let led = records.iter().find_map(|(_, record)| match record {
        MetadataRecord::Partition { state, .. } => Some((state.leader, state.leader_epoch.0)),
        _ => None,
    });
    assert_eq!(led, Some((Some(BrokerId(0)), 1)));
    scene.controller.stop().await;
}

#[tokio::test]
async fn a_log_of_another_cluster_is_not_served() {
    let log = Arc::<MemoryLog>::default();
    log.propose(&[MetadataRecord::Cluster { id: "elsewhere".to_owned() }]).expect("proposed");
    let clock = Arc::<ManualClock>::default();
    let error = Controller::start(config("127.0.0.1:0"), log, clock).await.err().expect("a refusal");
    assert!(matches!(error, ControllerError::OtherCluster { .. }), "{error}");
}

/// A first start may be broken off before its broker has written down whose directory it is.
#[tokio::test]
async fn where_no_cluster_is_known_the_logs_own_counts_and_an_empty_log_gets_a_new_one() {
    let unknown = || ControllerConfig { cluster_id: None, ..config("127.0.0.1:0") };
    let log = Arc::<MemoryLog>::default();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let controller = Controller::start(unknown(), Arc::clone(&log) as _, Arc::<ManualClock>::default());
        let controller = controller.await.expect("a controller");
        ids.extend(controller.image().cluster_id().map(str::to_owned));
        controller.stop().await;
    }
    assert!(ids.len() == 2 && ids[0] == ids[1] && ids[0].len() == 32, "{ids:?}");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let scene = Scene::new().await;
    let address = scene.controller.address().to_string();
    let log = Arc::<MemoryLog>::default();
    let start = Controller::start(config(&address), Arc::clone(&log) as _, Arc::<ManualClock>::default());
    let error = start.await.err().expect("taken");
    assert!(error.to_string().starts_with(&format!("the controller cannot listen on {address}: ")), "{error}");
    assert_eq!(log.committed_end(), Offset(0), "nothing was written");
    scene.controller.stop().await;
}

/// Bad input closes the connection that it came on, and no other.
#[tokio::test]
async fn garbage_closes_its_own_connection_only() {
    let scene = Scene::new().await;
    let (client, epoch) = scene.broker(0).await;
    let frames: [&[u8]; 4] = [
        b"\0\0\0\x02ab",
        b"\x7f\xff\xff\xffGET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\x0a\0\x3e\0\0garbag",
        b"\0\0\0\x0a\0\0\0\x09\0\0\0\x01\0\0",
    ];
    for frame in frames {
        let mut stream = tokio::net::TcpStream::connect(scene.controller.address()).await.expect("connected");
        stream.write_all(frame).await.expect("sent");
        let mut answer = Vec::new();
        // Closed either way: with what was unread discarded, the system may say "reset".
        drop(tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.expect("closed"));
        assert_eq!(answer, [], "{frame:?}");
    }
    assert!(beat(&client, 0, epoch, epoch).await.is_ok());
    scene.controller.stop().await;
}
