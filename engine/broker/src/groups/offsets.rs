//! Commits: who may, what is written down, what expires.

use std::sync::Arc;

use bytes::Bytes;
use logdyno_coordinator::records::Key;
use logdyno_coordinator::{Committed, GroupError, State};
use tokio::sync::oneshot;

use super::Shard;
use super::cell::{Cell, GroupState};

/// Who commits.
pub(crate) struct Committer<'a> {
    pub(crate) member: &'a str,
    pub(crate) instance: Option<&'a str>,
    /// Below 0: a consumer that assigns itself.
    pub(crate) generation: i32,
}

/// The key of a committed offset.
pub(super) fn key(group: &str, topic: &str, partition: i32) -> Bytes {
    Key::Offset { group: group.to_owned(), topic: topic.to_owned(), partition }.encode()
}

impl Shard {
    /// Commits offsets; the answer comes when they are safe.
    pub(crate) async fn commit(
        &self,
        group: &str,
        by: Committer<'_>,
        commits: Vec<(String, i32, Committed)>,
    ) -> Result<(), GroupError> {
        // Who names no generation manages itself; its group is made by its first commit.
        if self.with_known(group, |_, _| ()).is_none() {
            match by.generation >= 0 {
                true => return Err(GroupError::GroupNotFound),
                false if commits.is_empty() => return Ok(()),
                false => {}
            }
        }
        let begun = self.with(group, |cell, state| {
            state.group.may_commit(by.member, by.instance, by.generation, self.now().0)?;
            let (tell, told) = oneshot::channel();
            if commits.is_empty() {
                tell.send(Ok(())).unwrap_or_default();
                return Ok(told);
            }
            let encode = |(topic, partition, committed): &(String, i32, Committed)| {
                (key(group, topic, *partition), Some(committed.encode()))
            };
            let facts = commits.iter().map(encode).collect();
            let partitions = commits.iter().map(|(topic, partition, _)| (topic.clone(), *partition)).collect();
            let (cell, number) = (Arc::clone(cell), state.begin_commit(partitions));
            let stored = move |result: Result<(), GroupError>| {
                let mut state = cell.state();
                state.end_commit(number);
                if result.is_ok() {
                    for (topic, partition, committed) in commits {
                        state.offsets.set(&topic, partition, committed);
                    }
                }
                drop(state);
                tell.send(result).unwrap_or_default();
            };
            self.writer.write(facts, Box::new(stored));
            Ok(told)
        });
        begun??.await.unwrap_or(Err(GroupError::NotCoordinator))
    }

    /// Forgets the commits of partitions whose topics nobody in the group subscribes to; tells each partition's refusal.
    pub(crate) async fn delete_offsets(
        &self,
        group: &str,
        partitions: &[(String, i32)],
    ) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        let begun = self.with_known(group, |cell, state| {
            state.group.may_delete_offsets()?;
            let allowed = |topic: &str| match state.group.subscribes_to(topic) {
                true => Err(GroupError::SubscribedToTopic),
                false => Ok(()),
            };
            let allowed: Vec<_> = partitions.iter().map(|(topic, _)| allowed(topic)).collect();
            let to_delete = partitions.iter().zip(&allowed).filter(|(_, allowed)| allowed.is_ok());
            let told = self.forget(cell, state, to_delete.map(|(partition, _)| partition.clone()).collect());
            Ok((allowed, told))
        });
        let (allowed, told) = begun.ok_or(GroupError::GroupNotFound)??;
        told.await.unwrap_or(Err(GroupError::NotCoordinator))?;
        Ok(allowed)
    }

    /// Forgets what has expired of a group, and the group itself once nothing is left of it (KIP-211).
    pub(super) fn expire(&self, retention_ms: i64) {
        let (_, now_ms) = self.now();
        let cells: Vec<_> = self.groups().values().cloned().collect();
        for cell in cells {
            let mut state = cell.state();
            let mut expired = state.offsets.expired(state.group.empty_since_ms(), now_ms, retention_ms);
            let empty = state.group.state() == State::Empty;
            if !empty {
                expired.retain(|(topic, _)| state.group.has_left(topic));
            }
            if !expired.is_empty() {
                tracing::info!(group = cell.name, offsets = expired.len(), "committed offsets have expired");
                // Whoever would listen is not interested.
                drop(self.forget(&cell, &mut state, expired));
            } else if empty && state.written_partitions().is_empty() {
                drop(state);
                let (shard, name) = (self.itself.clone(), cell.name.clone());
                tokio::spawn(async move {
                    if let Some(shard) = shard.upgrade()
                        && let Err(error) = shard.delete(&name).await
                    {
                        tracing::debug!(group = name, "an empty group stays: {error}");
                    }
                });
            }
        }
    }

    /// Forgets what groups have committed for a topic that was deleted.
    pub(super) fn forget_topic(&self, deleted: &str) {
        let cells: Vec<_> = self.groups().values().cloned().collect();
        for cell in cells {
            let mut state = cell.state();
            let of_topic = state.offsets.iter().filter(|(topic, _, _)| *topic == deleted);
            let of_topic: Vec<_> = of_topic.map(|(topic, partition, _)| (topic.to_owned(), partition)).collect();
            if !of_topic.is_empty() {
                drop(self.forget(&cell, &mut state, of_topic));
            }
        }
    }

    /// Takes commits back; says when that is safe.
    fn forget(
        &self,
        cell: &Arc<Cell>,
        state: &mut GroupState,
        mut partitions: Vec<(String, i32)>,
    ) -> oneshot::Receiver<Result<(), GroupError>> {
        let (tell, told) = oneshot::channel();
        partitions.retain(|(topic, partition)| state.offsets.get(topic, *partition).is_some());
        if partitions.is_empty() {
            tell.send(Ok(())).unwrap_or_default();
            return told;
        }
        let facts = partitions.iter().map(|(topic, partition)| (key(&cell.name, topic, *partition), None)).collect();
        let cell = Arc::clone(cell);
        let stored = move |result: Result<(), GroupError>| {
            if result.is_ok() {
                let mut state = cell.state();
                partitions.iter().for_each(|(topic, partition)| state.offsets.remove(topic, *partition));
            }
            tell.send(result).unwrap_or_default();
        };
        self.writer.write(facts, Box::new(stored));
        told
    }
}
