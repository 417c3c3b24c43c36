//! What was reported of records, in the order in which it came. Where records stand one after the other, only the first one's place is told:
//! most of a batch's are reported together, and its partition and offsets need not be looked at for each.

use logdyno_engine::record::Offset;

/// An item for each record, and where the records stand.
#[derive(Debug)]
pub(crate) struct Consecutive<T> {
    runs: Vec<Run>,
    items: Vec<T>,
}

/// Records of one partition that stand one after the other.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Its index over all topics.
    partition: i32,
    /// `None` if nobody tells (`acks=0`): then they are the partition's next ones.
    first: Option<Offset>,
    len: usize,
}

impl Run {
    fn is_followed_by(&self, partition: i32, offset: Option<Offset>) -> bool {
        self.partition == partition
            && self.first.map(|first| first.0 + self.len as i64) == offset.map(|offset| offset.0)
    }
}

impl<T> Default for Consecutive<T> {
    fn default() -> Consecutive<T> {
        Consecutive { runs: Vec::new(), items: Vec::new() }
    }
}

impl<T: Copy> Consecutive<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, partition: i32, offset: Option<Offset>, item: T) {
        match self.runs.last_mut() {
            Some(run) if run.is_followed_by(partition, offset) => run.len += 1,
            _ => self.runs.push(Run { partition, first: offset, len: 1 }),
        }
        self.items.push(item);
    }

    /// Adds records that stand one after the other.
    pub(crate) fn extend(&mut self, partition: i32, first: Offset, items: &[T]) {
        if !items.is_empty() {
            self.runs.push(Run { partition, first: Some(first), len: items.len() });
            self.items.extend_from_slice(items);
        }
    }

    /// Moves all of `other` behind these.
    pub(crate) fn append(&mut self, other: &mut Consecutive<T>) {
        self.runs.append(&mut other.runs);
        self.items.append(&mut other.items);
    }

    /// Hands out all records, as many at a time as stand one after the other, with their partition and the first one's offset.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(i32, Option<Offset>, &[T])) {
        let mut rest = &self.items[..];
        for run in self.runs.drain(..) {
            let (items, behind) = rest.split_at(run.len);
            take(run.partition, run.first, items);
            rest = behind;
        }
        self.items.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_one_after_the_other_comes_out_together() {
        let mut list = Consecutive::default();
        for (partition, offset) in [(0, 5), (0, 6), (1, 7), (1, 9), (1, 10)] {
            list.push(partition, Some(Offset(offset)), offset);
        }
        list.push(1, None, 20);
        list.push(1, None, 21);
        list.extend(2, Offset(3), &[30, 31]);
        let (mut runs, mut other) = (Vec::new(), Consecutive::default());
        other.append(&mut list);
        assert!(list.is_empty() && !other.is_empty());
        other.drain(|partition, first, items| runs.push((partition, first.map(|first| first.0), items.to_vec())));
        let expected = [
            (0, Some(5), vec![5, 6]),
            (1, Some(7), vec![7]),
            (1, Some(9), vec![9, 10]),
            (1, None, vec![20, 21]),
            (2, Some(3), vec![30, 31]),
        ];
        assert_eq!(runs, expected);
        assert!(other.is_empty());
    }
}
