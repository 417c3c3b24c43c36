//! One group behind its lock: its members, its offsets, and who waits for an answer.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use logdyno_coordinator::{Group, JoinAnswer, Offsets, SyncAnswer, Ticket};
use tokio::sync::oneshot;

/// One group.
pub(super) struct Cell {
    pub(super) name: String,
    state: Mutex<GroupState>,
}

/// What the lock of a [`Cell`] guards. It is held for decisions only, never across a wait.
pub(super) struct GroupState {
    pub(super) group: Group,
    pub(super) offsets: Offsets,
    /// It has been deleted: who still holds the cell looks for the group anew.
    pub(super) is_gone: bool,
    /// Commits that are not safe yet: of which partitions, by a number each.
    underway: HashMap<u64, Vec<(String, i32)>>,
    joins: HashMap<Ticket, oneshot::Sender<JoinAnswer>>,
    syncs: HashMap<Ticket, oneshot::Sender<SyncAnswer>>,
    tickets: Ticket,
}

impl Cell {
    pub(super) fn new(name: &str, group: Group, offsets: Offsets) -> Cell {
        let (joins, syncs, underway) = (HashMap::new(), HashMap::new(), HashMap::new());
        let state = GroupState { group, offsets, is_gone: false, underway, joins, syncs, tickets: 0 };
        Cell { name: name.to_owned(), state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, GroupState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GroupState {
    /// A ticket for a join, and where its answer will come.
    pub(super) fn await_join(&mut self) -> (Ticket, oneshot::Receiver<JoinAnswer>) {
        let (tell, told) = oneshot::channel();
        self.tickets += 1;
        self.joins.insert(self.tickets, tell);
        (self.tickets, told)
    }

    /// A ticket for a sync, and where its answer will come.
    pub(super) fn await_sync(&mut self) -> (Ticket, oneshot::Receiver<SyncAnswer>) {
        let (tell, told) = oneshot::channel();
        self.tickets += 1;
        self.syncs.insert(self.tickets, tell);
        (self.tickets, told)
    }

    /// Answers a join. Who does not listen any more has closed its connection.
    pub(super) fn joined(&mut self, ticket: Ticket, answer: JoinAnswer) {
        if let Some(tell) = self.joins.remove(&ticket) {
            drop(tell.send(answer));
        }
    }

    /// Answers a sync.
    pub(super) fn synced(&mut self, ticket: Ticket, answer: SyncAnswer) {
        if let Some(tell) = self.syncs.remove(&ticket) {
            drop(tell.send(answer));
        }
    }

    /// Notes a commit that is being written down; the number ends it.
    pub(super) fn begin_commit(&mut self, partitions: Vec<(String, i32)>) -> u64 {
        self.tickets += 1;
        self.underway.insert(self.tickets, partitions);
        self.tickets
    }

    /// The commit is safe, or has failed.
    pub(super) fn end_commit(&mut self, number: u64) {
        self.underway.remove(&number);
    }

    /// All partitions of which an offset stands, or may come to stand, among the records.
    pub(super) fn written_partitions(&self) -> BTreeSet<(String, i32)> {
        let safe = self.offsets.iter().map(|(topic, partition, _)| (topic.to_owned(), partition));
        safe.chain(self.underway.values().flatten().cloned()).collect()
    }
}
