//! Fetch sessions (KIP-227): a reader names its partitions once, and from then on only what changes; the answers too tell
//! only what is news. How many sessions there are is bounded; who gets none sends full requests.
//!
//! The rules are Kafka's (`FetchSession.scala`): pure, but for the lock that the handler holds.

mod session;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use logdyno_record::Nanos;
use logdyno_wire::ErrorCode;
use logdyno_wire::fetch_response::FetchAnswer;
use logdyno_wire::messages::FetchRequest;
use logdyno_wire::messages::fetch_request::FetchTopic;

use crate::counters::Counters;
use session::{Session, epoch_after};

/// The epoch of a request without a session.
const NO_SESSION: i32 = -1;
/// The epoch of a request that would like to have one.
const NEW_SESSION: i32 = 0;
/// A session that was not used for that long gives way to any other, and one that is that old to a larger one
/// (`MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS`).
const SETTLED: Duration = Duration::from_secs(120);

/// What a request is part of. Its topics are what is to be looked at.
pub(crate) struct Context {
    pub(crate) topics: Vec<FetchTopic>,
    kind: Kind,
}

enum Kind {
    Alone,
    New {
        by_id: bool,
        privileged: bool,
    },
    /// Part of this session, which is at this epoch now.
    Known {
        id: i32,
        epoch: i32,
    },
}

/// Who asks, as far as sessions are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    /// The request names topics by id.
    pub(crate) by_id: bool,
    /// It is a broker.
    pub(crate) is_follower: bool,
}

/// All sessions of a broker.
#[derive(Debug)]
pub(crate) struct FetchSessions {
    slots: usize,
    sessions: HashMap<i32, Session>,
    counters: Arc<Counters>,
}

impl FetchSessions {
    /// At most `slots` (`max.incremental.fetch.session.cache.slots`).
    pub(crate) fn new(slots: usize, counters: Arc<Counters>) -> FetchSessions {
        FetchSessions { slots, sessions: HashMap::new(), counters }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Takes a request's topics for what it is part of (errors 70, 71, 106).
    pub(crate) fn begin(&mut self, asked: &mut FetchRequest, asker: Asker, now: Nanos) -> Result<Context, ErrorCode> {
        let topics = std::mem::take(&mut asked.topics);
        let (id, epoch) = (asked.session_id, asked.session_epoch);
        if epoch == NO_SESSION || epoch == NEW_SESSION {
            // Whoever starts again has no use for what was before.
            self.sessions.remove(&id);
            let Asker { by_id, is_follower } = asker;
            let new = Kind::New { by_id, privileged: is_follower };
            return Ok(Context { topics, kind: if epoch == NEW_SESSION { new } else { Kind::Alone } });
        }
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.by_id != asker.by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        session.want(&topics);
        session.forget(&asked.forgotten_topics_data);
        if session.len() == 0 {
            self.sessions.remove(&id);
            return Ok(Context { topics: Vec::new(), kind: Kind::Alone });
        }
        session.used = now;
        session.epoch = epoch_after(epoch);
        Ok(Context { topics: session.all(), kind: Kind::Known { id, epoch: session.epoch } })
    }

    /// Makes the answer that of a session: a new one gets an id (drawn by `draw`) and hears all, a known one what is news.
    pub(crate) fn finish(
        &mut self,
        context: Context,
        mut answer: FetchAnswer,
        now: Nanos,
        mut draw: impl FnMut() -> i32,
    ) -> FetchAnswer {
        match context.kind {
            Kind::Alone => {}
            Kind::New { by_id, privileged } => {
                let mut session = Session::new(by_id, privileged, now);
                session.want(&context.topics);
                if self.make_room(&session, now) {
                    session.tell_all(&answer);
                    let mut ids = std::iter::repeat_with(|| draw().checked_abs().unwrap_or(1).max(1));
                    let free = ids.find(|id| !self.sessions.contains_key(id));
                    answer.session_id = free.unwrap_or_default();
                    self.sessions.insert(answer.session_id, session);
                    self.counters.fetch_sessions.one();
                }
            }
            Kind::Known { id, epoch } => match self.sessions.get_mut(&id) {
                Some(session) if session.epoch == epoch => {
                    session.tell_news(&mut answer);
                    answer.session_id = id;
                }
                // Another request of the session has overtaken this one, or another session has taken its place.
                Some(_) => return refusal(ErrorCode::InvalidFetchSessionEpoch),
                None => return refusal(ErrorCode::FetchSessionIdNotFound),
            },
        }
        answer
    }

    /// Whether there is room for one more, another one giving way if need be: one that nobody has used for long, else the
    /// smallest of those that are not new. Followers' sessions go last, and a consumer's gives way to a follower's at once.
    fn make_room(&mut self, newcomer: &Session, now: Nanos) -> bool {
        if self.sessions.len() < self.slots {
            return true;
        }
        let idle = |session: &Session| now.since(session.used) > SETTLED;
        let settled = |session: &Session| now.since(session.created) > SETTLED;
        let may_go = |session: &Session| settled(session) || (newcomer.privileged && !session.privileged);
        let rank = |session: &Session| (session.privileged, session.len());
        let oldest =
            self.sessions.iter().min_by_key(|(id, session)| (session.used, **id)).filter(|(_, session)| idle(session));
        let smallest = || {
            let candidates = self.sessions.iter().filter(|(_, session)| may_go(session));
            candidates
                .min_by_key(|(id, session)| (rank(session), **id))
                .filter(|(_, least)| rank(least) < rank(newcomer))
        };
        let Some(id) = oldest.or_else(smallest).map(|(id, _)| *id) else { return false };
        self.sessions.remove(&id);
        self.counters.fetch_sessions_evicted.one();
        true
    }
}

/// The answer to a request whose session is not what it takes it for.
pub(crate) fn refusal(error: ErrorCode) -> FetchAnswer {
    FetchAnswer { error_code: error.code(), ..FetchAnswer::default() }
}

#[cfg(test)]
mod tests;
