//! A null target with a twist in what it reports: each reason for which a run is INVALID is provoked by one.

use std::sync::Arc;
use std::time::Duration;

use logdyno::proof::Evidence;
use logdyno::target::{
    Delivered, NullTarget, Objection, Observation, Path, Receipts, Running, Setup, Sink, Source, Target, TargetError,
    Ticket,
};
use logdyno::workload::Plan;
use logdyno_engine::record::Offset;

/// What is wrong. Records are named by their numbers, of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    /// Nobody hears what became of this record.
    Silence(u64),
    /// This record is said to stand where the one before it does.
    SharedOffset(u64),
    /// This record and the next are said to stand in each other's places.
    CrossedOffsets(u64),
    /// What stands at this offset is handed out twice.
    Again(i64),
    /// What stands in the partitions from this index to before that one is not handed out.
    Unread(i32, i32),
    /// What stands in the first of these partitions is handed out as of the second.
    Moved(i32, i32),
    /// The bytes at this offset are not sound.
    Corrupt(i64),
    /// The target says that it stamps writes, and does not.
    NoStamps,
}

pub(crate) struct Twisted(pub(crate) Twist);

impl Target for Twisted {
    fn name(&self) -> &'static str {
        "null"
    }

    fn has_storage(&self) -> bool {
        false
    }

    fn check(&self, _: &Plan) -> Result<(), Objection> {
        Ok(())
    }

    fn ack_level(&self, plan: &Plan) -> Option<String> {
        NullTarget::default().ack_level(plan)
    }

    fn start(&self, setup: Setup) -> Result<Box<dyn Running>, TargetError> {
        let receipts = Arc::new(TwistedReceipts(self.0, Arc::clone(&setup.receipts)));
        let running = NullTarget::default().start(Setup { receipts, ..setup })?;
        Ok(Box::new(TwistedRunning(self.0, running)))
    }
}

struct TwistedReceipts(Twist, Arc<dyn Receipts>);

impl Receipts for TwistedReceipts {
    fn acknowledged(&self, ticket: Ticket, partition: i32, offset: Option<Offset>) {
        let moved = |by: i64| offset.map(|offset| Offset(offset.0 + by));
        let number = ticket.number;
        match self.0 {
            Twist::Silence(silent) if number == silent => {}
            Twist::SharedOffset(shared) if number == shared => self.1.acknowledged(ticket, partition, moved(-1)),
            Twist::CrossedOffsets(first) if number == first => self.1.acknowledged(ticket, partition, moved(1)),
            Twist::CrossedOffsets(first) if number == first + 1 => self.1.acknowledged(ticket, partition, moved(-1)),
            _ => self.1.acknowledged(ticket, partition, offset),
        }
    }

    fn failed(&self, ticket: Ticket, reason: &str) {
        self.1.failed(ticket, reason);
    }
}

struct TwistedRunning(Twist, Box<dyn Running>);

impl Running for TwistedRunning {
    fn path(&self) -> Path {
        let path = self.1.path();
        Path { written: path.written || self.0 == Twist::NoStamps, ..path }
    }

    fn sink(&self, index: u32) -> Result<Box<dyn Sink>, TargetError> {
        self.1.sink(index)
    }

    fn source(&self) -> Result<Box<dyn Source>, TargetError> {
        Ok(Box::new(TwistedSource(self.0, self.1.source()?)))
    }

    fn observe(&self) -> Observation {
        self.1.observe()
    }

    fn evidence(&self) -> Vec<Evidence> {
        self.1.evidence()
    }

    fn stop(self: Box<Self>) -> Result<(), TargetError> {
        self.1.stop()
    }
}

struct TwistedSource(Twist, Box<dyn Source>);

impl Source for TwistedSource {
    fn poll(&mut self, timeout: Duration, take: &mut dyn FnMut(Delivered<'_>)) -> Result<(), TargetError> {
        let (twist, mut is_corrupt) = (self.0, false);
        self.1.poll(timeout, &mut |mut record| {
            match twist {
                Twist::Unread(from, end) if (from..end).contains(&record.partition) => return,
                Twist::Moved(from, to) if record.partition == from => record.partition = to,
                _ => {}
            }
            is_corrupt |= twist == Twist::Corrupt(record.offset.0);
            if !is_corrupt {
                take(record);
            }
            if twist == Twist::Again(record.offset.0) {
                take(record);
            }
        })?;
        if is_corrupt { Err(TargetError::Corrupt("t-0 at offset 40: the CRC does not fit".to_owned())) } else { Ok(()) }
    }
}
