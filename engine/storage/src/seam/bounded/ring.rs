//! A ring whose operations keep their files open.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::file::BoundedFile;
use super::open_files::Descriptor;
use crate::seam::{Completion, DiskFile, Operation, Ring, RingWaker};

/// Passes on operations on the files below, which stay open until the completions are reaped.
pub(super) struct BoundedRing {
    /// Dropped first: that waits for what is in flight.
    ring: Box<dyn Ring>,
    in_flight: HashMap<u64, InFlight>,
}

struct InFlight {
    file: Arc<BoundedFile>,
    /// Held until after the file knows what was done.
    descriptor: Arc<Descriptor>,
    effect: Effect,
}

enum Effect {
    None,
    Change,
    /// Makes so many changes durable.
    Sync(u64),
}

impl BoundedRing {
    pub(super) fn new(ring: Box<dyn Ring>) -> BoundedRing {
        BoundedRing { ring, in_flight: HashMap::new() }
    }
}

impl Ring for BoundedRing {
    unsafe fn submit(&mut self, mut operation: Operation, token: u64) -> io::Result<()> {
        let (file, kind) = match &mut operation {
            Operation::Write { file, .. } => (file, Kind::Write),
            Operation::Read { file, .. } => (file, Kind::Read),
            Operation::SyncData { file } => (file, Kind::Sync),
        };
        let bounded: Arc<dyn Any + Send + Sync> = Arc::<dyn DiskFile>::clone(file);
        if let Ok(bounded) = bounded.downcast::<BoundedFile>() {
            let descriptor = bounded.descriptor()?;
            if kind == Kind::Sync {
                bounded.check()?;
            }
            *file = Arc::clone(&descriptor.file);
            let effect = kind.on(&bounded);
            self.in_flight.insert(token, InFlight { file: bounded, descriptor, effect });
        }
        // SAFETY: the operation's memory is what the caller has promised for.
        let submitted = unsafe { self.ring.submit(operation, token) };
        if submitted.is_err() {
            self.in_flight.remove(&token);
        }
        submitted
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.ring.wait(timeout)
    }

    fn reap(&mut self, into: &mut Vec<Completion>) {
        let before = into.len();
        self.ring.reap(into);
        for completion in &into[before..] {
            if let Some(in_flight) = self.in_flight.remove(&completion.token) {
                in_flight.end(completion.result.is_ok());
            }
        }
    }

    fn waker(&self) -> Arc<dyn RingWaker> {
        self.ring.waker()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Sync,
}

impl Kind {
    fn on(self, file: &BoundedFile) -> Effect {
        match self {
            Kind::Read => Effect::None,
            Kind::Write => Effect::Change,
            Kind::Sync => Effect::Sync(file.changes()),
        }
    }
}

impl InFlight {
    fn end(self, succeeded: bool) {
        match self.effect {
            Effect::None => {}
            Effect::Change => self.file.has_changed(),
            Effect::Sync(changes) if succeeded => self.file.has_synced(changes),
            Effect::Sync(_) => {}
        }
        drop(self.descriptor);
    }
}
