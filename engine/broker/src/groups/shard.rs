//! The groups of one partition of `__consumer_offsets` for as long as one leadership of it lasts here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use logdyno_coordinator::records::Key;
use logdyno_coordinator::{
    Description, Effect, Group, GroupError, GroupLimits, JoinAnswer, Joining, Leaving, Offsets, State, SyncAnswer,
    Syncing,
};
use logdyno_record::{Clock, LeaderEpoch, Nanos};
use tokio::sync::oneshot;

use super::Surroundings;
use super::cell::{Cell, GroupState};
use super::loading::{Loaded, load};
use super::writer::Writer;
use crate::config::millis;
use crate::partitions::Hosted;

/// How long a partition that could not be read is left alone.
const LOAD_AGAIN: Duration = Duration::from_secs(5);

/// The groups of one partition.
///
/// Locks: `groups` before a cell's; neither is held across a wait.
pub(crate) struct Shard {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) writer: Writer,
    epoch: LeaderEpoch,
    limits: GroupLimits,
    groups: Mutex<HashMap<String, Arc<Cell>>>,
    is_loaded: AtomicBool,
    /// The leadership is over.
    is_over: AtomicBool,
    pub(super) itself: Weak<Shard>,
}

impl Shard {
    /// A shard whose groups are being read.
    pub(super) fn start(around: &Surroundings, hosted: Hosted, epoch: LeaderEpoch) -> Arc<Shard> {
        let clock = Arc::clone(&around.clock);
        let patience = millis(around.config.offsets_commit_timeout_ms);
        let shard = Arc::new_cyclic(|itself: &Weak<Shard>| Shard {
            writer: Writer::start(hosted.clone(), epoch, Arc::clone(&clock), patience),
            clock,
            epoch,
            limits: super::limits(&around.config),
            groups: Mutex::default(),
            is_loaded: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            itself: itself.clone(),
        });
        tokio::spawn(read_groups(Arc::downgrade(&shard), hosted));
        shard
    }

    pub(super) fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Whether its groups are known.
    pub(crate) fn is_loaded(&self) -> bool {
        self.is_loaded.load(Ordering::Acquire)
    }

    fn set_loaded(&self, loaded: HashMap<String, Loaded>) {
        let (now, now_ms) = self.now();
        let mut groups = self.groups();
        for (name, Loaded { group, offsets }) in loaded {
            let group = match group {
                Some(stored) => Group::restore(&stored, self.limits, now),
                None if offsets.is_empty() => continue,
                None => Group::new(self.limits, now_ms),
            };
            groups.insert(name.clone(), Arc::new(Cell::new(&name, group, offsets)));
        }
        self.is_loaded.store(true, Ordering::Release);
    }

    /// Fails whoever waits: the leadership is over.
    pub(super) fn give_up(&self) {
        let cells: Vec<_> = {
            let mut groups = self.groups();
            self.is_over.store(true, Ordering::Release);
            groups.drain().map(|(_, cell)| cell).collect()
        };
        for cell in cells {
            let mut state = cell.state();
            state.is_gone = true;
            let effects = state.group.give_up();
            self.carry_out(&cell, &mut state, effects);
        }
    }

    /// A member joins; the answer comes when the others have joined, too.
    pub(crate) async fn join(&self, group: &str, joining: Joining) -> JoinAnswer {
        let member = joining.member.clone();
        if let Err(error) = self.limits.check_session(joining.session_timeout) {
            return JoinAnswer::refused(&member, error);
        }
        // A newcomer makes the group, whatever becomes of it; who claims to have been there does not (as in Kafka).
        if !member.is_empty() && self.with_known(group, |_, _| ()).is_none() {
            return JoinAnswer::refused(&member, GroupError::UnknownMember);
        }
        let waiting = self.with(group, |cell, state| {
            let (ticket, told) = state.await_join();
            let (now, now_ms) = self.now();
            let effects = state.group.join(joining, ticket, now, now_ms);
            self.carry_out(cell, state, effects);
            told
        });
        let answer = match waiting {
            Ok(told) => told.await.map_err(|_| GroupError::NotCoordinator),
            Err(error) => Err(error),
        };
        answer.unwrap_or_else(|error| JoinAnswer::refused(&member, error))
    }

    /// A member asks for its part; the answer comes when the leader has brought it and it is safe.
    pub(crate) async fn sync(&self, group: &str, syncing: Syncing) -> SyncAnswer {
        let waiting = self.with_known(group, |cell, state| {
            let (ticket, told) = state.await_sync();
            let (now, _) = self.now();
            let effects = state.group.sync(syncing, ticket, now);
            self.carry_out(cell, state, effects);
            told
        });
        let answer = match waiting {
            Some(told) => told.await.map_err(|_| GroupError::NotCoordinator),
            None => Err(GroupError::UnknownMember),
        };
        answer.unwrap_or_else(SyncAnswer::refused)
    }

    /// A member is alive.
    pub(crate) fn heartbeat(
        &self,
        group: &str,
        member: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), GroupError> {
        let (now, _) = self.now();
        let beaten = self.with_known(group, |_, state| state.group.heartbeat(member, instance, generation, now));
        beaten.unwrap_or(Err(GroupError::UnknownMember))
    }

    /// Members go, or are refused one by one.
    pub(crate) fn leave(&self, group: &str, leaving: &[Leaving]) -> Vec<Result<(), GroupError>> {
        let left = self.with_known(group, |cell, state| {
            let (now, now_ms) = self.now();
            let leave = |leaving: &Leaving| {
                let (left, effects) = state.group.leave(leaving, now, now_ms);
                self.carry_out(cell, state, effects);
                left
            };
            leaving.iter().map(leave).collect()
        });
        left.unwrap_or_else(|| vec![Err(GroupError::UnknownMember); leaving.len()])
    }

    /// A group as it is now; `None` if there is none.
    pub(crate) fn describe(&self, group: &str) -> Option<Description> {
        self.with_known(group, |_, state| state.group.describe())
    }

    /// All groups: name and what they are.
    pub(crate) fn list(&self) -> Vec<(String, Description)> {
        let cells: Vec<_> = self.groups().values().cloned().collect();
        cells.iter().map(|cell| (cell.name.clone(), cell.state().group.describe())).collect()
    }

    /// What a group has committed; nothing if there is no such group.
    pub(crate) fn offsets(&self, group: &str) -> Offsets {
        self.with_known(group, |_, state| state.offsets.clone()).unwrap_or_default()
    }

    /// Deletes a group that has no members, and its offsets.
    pub(crate) async fn delete(&self, group: &str) -> Result<(), GroupError> {
        let (tell, told) = oneshot::channel();
        let cell = {
            let mut groups = self.groups();
            let cell = groups.get(group).cloned().ok_or(GroupError::GroupNotFound)?;
            let mut state = cell.state();
            if state.group.state() != State::Empty {
                return Err(GroupError::NonEmptyGroup);
            }
            state.is_gone = true;
            groups.remove(group);
            let written = state.written_partitions().into_iter();
            let offsets = written.map(|(topic, partition)| super::offsets::key(group, &topic, partition));
            let whole = Key::Group { group: group.to_owned() }.encode();
            let facts = offsets.chain([whole]).map(|key| (key, None)).collect();
            self.writer.write(facts, Box::new(move |result| tell.send(result).unwrap_or_default()));
            drop(state);
            cell
        };
        let deleted = told.await.unwrap_or(Err(GroupError::NotCoordinator));
        if deleted.is_err() && !self.is_over.load(Ordering::Acquire) {
            // It is still written down; unless there is a new group of its name, it is still there.
            let mut groups = self.groups();
            cell.state().is_gone = groups.contains_key(group);
            groups.entry(group.to_owned()).or_insert(cell);
        }
        deleted
    }

    /// Lets time pass in all groups.
    pub(super) fn tick(&self) {
        let (now, now_ms) = self.now();
        let cells: Vec<_> = self.groups().values().cloned().collect();
        for cell in cells {
            let mut state = cell.state();
            if state.group.next_deadline().is_some_and(|deadline| deadline <= now) {
                let effects = state.group.tick(now, now_ms);
                self.carry_out(&cell, &mut state, effects);
            }
        }
    }

    /// Does what the group has decided.
    pub(super) fn carry_out(&self, cell: &Arc<Cell>, state: &mut GroupState, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Joined(ticket, answer) => state.joined(ticket, answer),
                Effect::Synced(ticket, answer) => state.synced(ticket, answer),
                Effect::Store(generation) => self.store(cell, state, generation),
            }
        }
    }

    /// Writes the group down as it is, and tells it when that is safe.
    fn store(&self, cell: &Arc<Cell>, state: &GroupState, generation: i32) {
        let key = Key::Group { group: cell.name.clone() }.encode();
        let facts = vec![(key, Some(state.group.to_store().encode()))];
        let (shard, cell) = (self.itself.clone(), Arc::clone(cell));
        let stored = move |result: Result<(), GroupError>| {
            let Some(shard) = shard.upgrade() else { return };
            let (now, now_ms) = shard.now();
            let mut state = cell.state();
            let effects = state.group.stored(generation, result.is_ok(), now, now_ms);
            shard.carry_out(&cell, &mut state, effects);
        };
        self.writer.write(facts, Box::new(stored));
    }

    /// Works on a group that exists.
    pub(super) fn with_known<R>(&self, group: &str, work: impl FnOnce(&Arc<Cell>, &mut GroupState) -> R) -> Option<R> {
        loop {
            let cell = self.groups().get(group).cloned()?;
            let mut state = cell.state();
            if !state.is_gone {
                return Some(work(&cell, &mut state));
            }
        }
    }

    /// Works on a group, which is made if it does not exist.
    pub(super) fn with<R>(
        &self,
        group: &str,
        work: impl FnOnce(&Arc<Cell>, &mut GroupState) -> R,
    ) -> Result<R, GroupError> {
        loop {
            let cell = {
                let mut groups = self.groups();
                if self.is_over.load(Ordering::Acquire) {
                    return Err(GroupError::NotCoordinator);
                }
                let (_, now_ms) = self.now();
                let new = || Arc::new(Cell::new(group, Group::new(self.limits, now_ms), Offsets::default()));
                Arc::clone(groups.entry(group.to_owned()).or_insert_with(new))
            };
            let mut state = cell.state();
            if !state.is_gone {
                return Ok(work(&cell, &mut state));
            }
        }
    }

    pub(super) fn now(&self) -> (Nanos, i64) {
        (self.clock.now(), self.clock.wall_ms())
    }

    pub(super) fn groups(&self) -> MutexGuard<'_, HashMap<String, Arc<Cell>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the partition, again and again if it cannot be read, until that is done or not needed any more.
async fn read_groups(shard: Weak<Shard>, hosted: Hosted) {
    let partition = hosted.replica.partition().clone();
    loop {
        let log = Arc::clone(hosted.replica.log());
        let read = tokio::task::spawn_blocking(move || load(&log)).await;
        let Some(shard) = shard.upgrade() else { return };
        match read {
            Ok(Ok(loaded)) => {
                if !loaded.is_empty() {
                    tracing::info!(%partition, groups = loaded.len(), "the groups are known");
                }
                return shard.set_loaded(loaded);
            }
            Ok(Err(error)) => tracing::error!(%partition, "the groups of the partition are not known: {error}"),
            Err(failed) => tracing::error!(%partition, "reading the groups failed: {failed}"),
        }
        drop(shard);
        tokio::time::sleep(LOAD_AGAIN).await;
    }
}
