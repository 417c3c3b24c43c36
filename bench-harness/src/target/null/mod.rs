//! A target that does nothing: the floor of what the harness itself costs, and, with planted faults, its own test.

mod lane;
mod source;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::lane::{Arrivals, Lane, Pushed};
use self::source::NullSource;
use super::{AckPoint, Objection, Observation, Outgoing, Path, Running, Setup, Sink, Source, Target, TargetError};
use crate::proof::Evidence;
use crate::workload::Plan;

/// Records of one producer that may wait for the consumer; the producer waits beyond.
const WAITING_MAX: usize = 1 << 16;

/// Hands records to the consumer as soon as it asks. What has come to wait for a partition by then is a batch, of `batch.size` bytes at
/// most; with a `batch.size` of 0 each record is one.
#[derive(Clone, Debug, Default)]
pub struct NullTarget {
    faults: Vec<Fault>,
}

/// What a null target can be made to get wrong, to test the harness by. Records are named by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The record's `send` takes this long.
    Stall(u64, Duration),
    /// The record is acknowledged and never delivered.
    Loss(u64),
    /// The record stands in the log twice and is acknowledged once.
    Duplicate(u64),
    /// The record and the next one of its partition stand in each other's places.
    Swap(u64),
    /// One bit of the record's value is another.
    Flip(u64),
}

impl NullTarget {
    /// One that gets these things wrong.
    #[must_use]
    pub fn with_faults(faults: impl Into<Vec<Fault>>) -> NullTarget {
        NullTarget { faults: faults.into() }
    }
}

impl Target for NullTarget {
    fn name(&self) -> &str {
        "null"
    }

    fn has_storage(&self) -> bool {
        false
    }

    fn check(&self, _: &Plan) -> Result<(), Objection> {
        Ok(())
    }

    fn ack_level(&self, _: &Plan) -> Option<String> {
        None
    }

    fn start(&self, setup: Setup) -> Result<Box<dyn Running>, TargetError> {
        let size = setup.plan.producer.get("batch.size").and_then(|size| size.parse().ok());
        Ok(Box::new(NullRunning(Arc::new(Shared {
            batch_size: size.unwrap_or(BATCH_SIZE),
            setup,
            faults: self.faults.clone(),
            lanes: Mutex::new(Vec::new()),
            arrivals: Arrivals::default(),
        }))))
    }
}

/// Kafka's default.
const BATCH_SIZE: usize = 16_384;

struct NullRunning(Arc<Shared>);

struct Shared {
    setup: Setup,
    batch_size: usize,
    faults: Vec<Fault>,
    lanes: Mutex<Vec<Arc<Lane>>>,
    arrivals: Arrivals,
}

impl Shared {
    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}

impl Running for NullRunning {
    fn path(&self) -> Path {
        Path {
            batching: true,
            keeps_replicas: false,
            has_network: false,
            appended: false,
            written: false,
            replicated: false,
            high_watermark: false,
            fetched: false,
            acknowledged_after: AckPoint::Sent,
        }
    }

    fn sink(&self, _: u32) -> Result<Box<dyn Sink>, TargetError> {
        let lane = Arc::new(Lane::default());
        lock(&self.0.lanes).push(Arc::clone(&lane));
        Ok(Box::new(NullSink { shared: Arc::clone(&self.0), lane }))
    }

    fn source(&self) -> Result<Box<dyn Source>, TargetError> {
        Ok(Box::new(NullSource::new(Arc::clone(&self.0))))
    }

    fn observe(&self) -> Observation {
        Observation::default()
    }

    fn evidence(&self) -> Vec<Evidence> {
        Vec::new()
    }

    fn stop(self: Box<Self>) -> Result<(), TargetError> {
        Ok(())
    }
}

struct NullSink {
    shared: Arc<Shared>,
    lane: Arc<Lane>,
}

impl Sink for NullSink {
    fn send(&mut self, record: Outgoing) {
        for fault in &self.shared.faults {
            if let Fault::Stall(at, duration) = fault
                && *at == record.ticket.number
            {
                std::thread::sleep(*duration);
            }
        }
        match self.lane.push(record) {
            Pushed::First => self.shared.arrivals.tell(),
            Pushed::Behind => {}
            Pushed::Refused(record) => self.shared.setup.receipts.failed(record.ticket, "the consumer has ended"),
        }
    }

    fn flush(&mut self) {
        self.lane.wait_for_receipts();
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
