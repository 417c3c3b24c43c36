//! Where requests wait for an offset to be reached (Kafka's purgatory), sorted by what they wait for.

use std::collections::BTreeMap;

use logdyno_record::{Nanos, Offset};

/// Names one waiting entry.
pub(crate) type Ticket = (Offset, u64);

/// Entries that wait until something reaches their offset, or until their deadline.
///
/// Reaching an offset takes exactly the entries it serves; deadlines are found by a walk, which only the
/// tick does.
pub(crate) struct Purgatory<T> {
    waiting: BTreeMap<Ticket, (Nanos, T)>,
    tickets: u64,
}

impl<T> Default for Purgatory<T> {
    fn default() -> Purgatory<T> {
        Purgatory { waiting: BTreeMap::new(), tickets: 0 }
    }
}

impl<T> Purgatory<T> {
    /// Parks `entry` until `offset` is reached.
    pub(crate) fn park(&mut self, offset: Offset, deadline: Nanos, entry: T) -> Ticket {
        self.tickets += 1;
        let ticket = (offset, self.tickets);
        self.waiting.insert(ticket, (deadline, entry));
        ticket
    }

    /// Takes an entry out before its time.
    pub(crate) fn forget(&mut self, ticket: Ticket) -> Option<T> {
        self.waiting.remove(&ticket).map(|(_, entry)| entry)
    }

    /// Takes what waits for `offset` or less, lowest first and first come first served.
    pub(crate) fn take_reached(&mut self, offset: Offset) -> Vec<T> {
        if self.waiting.first_key_value().is_none_or(|((lowest, _), _)| *lowest > offset) {
            return Vec::new();
        }
        let later = self.waiting.split_off(&(offset.next(), 0));
        let reached = std::mem::replace(&mut self.waiting, later);
        reached.into_values().map(|(_, entry)| entry).collect()
    }

    /// Takes what has waited until its deadline.
    pub(crate) fn take_expired(&mut self, now: Nanos) -> Vec<T> {
        self.waiting.extract_if(.., |_, (deadline, _)| *deadline <= now).map(|(_, (_, entry))| entry).collect()
    }

    /// Takes everything.
    pub(crate) fn take_all(&mut self) -> Vec<T> {
        std::mem::take(&mut self.waiting).into_values().map(|(_, entry)| entry).collect()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Nanos = Nanos(u64::MAX);

    #[test]
    fn reaching_an_offset_serves_those_up_to_it_in_order() {
        let mut purgatory = Purgatory::default();
        for (offset, name) in [(7, "c"), (3, "a"), (5, "b"), (3, "a2")] {
            purgatory.park(Offset(offset), NEVER, name);
        }
        assert_eq!(purgatory.take_reached(Offset(2)), [""; 0]);
        assert_eq!(purgatory.take_reached(Offset(5)), ["a", "a2", "b"]);
        assert_eq!(purgatory.take_all(), ["c"]);
    }

    #[test]
    fn deadlines_are_met_in_the_tick_that_reaches_them() {
        let mut purgatory = Purgatory::default();
        purgatory.park(Offset(1), Nanos(10), "early");
        purgatory.park(Offset(0), Nanos(20), "late");
        assert_eq!(purgatory.take_expired(Nanos(9)), [""; 0]);
        assert_eq!(purgatory.take_expired(Nanos(10)), ["early"]);
        assert_eq!(purgatory.len(), 1);
    }

    #[test]
    fn a_forgotten_entry_is_not_served() {
        let mut purgatory = Purgatory::default();
        let ticket = purgatory.park(Offset(1), NEVER, "gone");
        assert_eq!(purgatory.forget(ticket), Some("gone"));
        assert_eq!(purgatory.take_reached(Offset(9)), [""; 0]);
    }
}
