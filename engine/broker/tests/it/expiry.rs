//! Committed offsets go when nobody has needed them for long enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use logdyno_broker::{Broker, BrokerConfig};
use logdyno_record::{Clock, Nanos, NoProbe, SystemClock};
use tempfile::TempDir;

use crate::cluster::{create, run};
use crate::groups::{QUICK, commit, committed, joining, loaded, ready, sync};

/// The machine's clock, whose calendar can be turned.
#[derive(Default)]
struct Calendar {
    ahead_ms: AtomicI64,
}

impl Clock for Calendar {
    fn now(&self) -> Nanos {
        SystemClock.now()
    }
    fn wall_ms(&self) -> i64 {
        SystemClock.wall_ms() + self.ahead_ms.load(Ordering::Relaxed)
    }
}

/// Row 78: a minute after the last commit of a group that never had members its offsets are gone; those of a group with members are not.
#[test]
fn offsets_of_groups_without_members_expire() {
    let dir = TempDir::new().expect("a directory");
    let text = format!(
        "log.dirs={}\nlisteners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0\n{QUICK}offsets.retention.minutes=1\noffsets.retention.check.interval.ms=50\n",
        dir.path().display()
    );
    let config = BrokerConfig::from_properties(&text).expect("a good configuration");
    let calendar = Arc::new(Calendar::default());
    let clock: Arc<dyn Clock> = Arc::clone(&calendar) as Arc<dyn Clock>;
    let broker = Broker::start(config, &logdyno_storage::kinds(), clock, Arc::new(NoProbe)).expect("a broker");
    run(async {
        let channel = ready(&broker).await;
        assert_eq!(create(&channel, "t", 1, 1).await, 0);
        loaded(&channel, "busy").await;
        let patient = |member: &str| joining("busy", member, None).with_session_timeout_ms(600_000);
        let first = channel.call(patient(""), None).await.expect("an answer");
        let joined = channel.call(patient(&first.member_id), None).await.expect("an answer");
        assert_eq!(sync(&channel, "busy", &joined, &[]).await.error_code, 0);
        assert_eq!(commit(&channel, "busy", &joined.member_id, 1, "t", 7).await, 0);
        assert_eq!(commit(&channel, "over", "", -1, "t", 42).await, 0);
        assert_eq!(committed(&channel, "over", "t").await.0, 42);
        calendar.ahead_ms.store(60_000, Ordering::Relaxed);
        while committed(&channel, "over", "t").await.0 != -1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(committed(&channel, "busy", "t").await.0, 7);
    });
    broker.stop().expect("a clean stop");
}
