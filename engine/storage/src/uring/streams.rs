//! Who reads a file from front to back, and what such a reader will want next: a pure guess.

use std::ops::Range;

/// Readers followed per file; with more, the one that was quiet longest is forgotten.
const FOLLOWED_MAX: usize = 4;
/// After a shorter read at the start of a file, which looks at what it is, nothing is read ahead yet.
const GLANCE_BYTES: u64 = 4 << 10;
/// Reads ahead of the first reads of a sequence, which may turn out not to be one.
const SHORT: Ahead = Ahead { piece: 256 << 10, pieces: 2 };
/// Reads ahead of a reader that keeps its direction: what keeps a device busy.
const LONG: Ahead = Ahead { piece: 1 << 20, pieces: 4 };

/// How much is read ahead.
#[derive(Clone, Copy)]
struct Ahead {
    piece: u64,
    pieces: u64,
}

/// Sequential readers of one file.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// The one that was active last comes last.
    followed: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    /// The last read.
    last: Range<u64>,
    reads: u32,
    /// Everything before it has been asked for.
    ahead: u64,
}

impl Streams {
    /// Notes a read, and returns what should be read ahead because of it, in pieces.
    ///
    /// A read continues a stream if it starts within the stream's last read or right behind it: a log asks for
    /// more than it uses and comes back for the cut batch at the end.
    ///
    /// Never more than `bytes_max` ahead: what the cache has to let go of before it is read was read for nothing.
    pub(super) fn note(&mut self, read: Range<u64>, bytes_max: u64) -> Vec<Range<u64>> {
        let known =
            self.followed.iter().position(|stream| stream.last.start < read.start && read.start <= stream.last.end);
        let mut stream = match known {
            Some(index) => self.followed.remove(index),
            None => Stream { last: read.clone(), reads: 0, ahead: read.end },
        };
        stream.reads += 1;
        stream.last = read;
        let pieces = stream.look_ahead(bytes_max);
        if self.followed.len() == FOLLOWED_MAX {
            self.followed.remove(0);
        }
        self.followed.push(stream);
        pieces
    }
}

impl Stream {
    /// Asks for the next pieces once less than half of the window lies ahead: in bigger steps than reads come.
    fn look_ahead(&mut self, bytes_max: u64) -> Vec<Range<u64>> {
        let window = match self.reads {
            1 if self.last.start > 0 || self.last.end < GLANCE_BYTES => return Vec::new(),
            1 | 2 => SHORT,
            _ => LONG,
        };
        self.ahead = self.ahead.max(self.last.end);
        let piece = window.piece.min(bytes_max);
        let bytes = bytes_max.min(window.piece * window.pieces);
        if piece == 0 || self.ahead - self.last.end > bytes / 2 {
            return Vec::new();
        }
        let mut pieces = Vec::new();
        while self.ahead < self.last.end + bytes {
            pieces.push(self.ahead..self.ahead + piece);
            self.ahead += piece;
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;

    #[test]
    fn a_random_read_and_a_glance_at_the_start_ask_for_nothing() {
        let mut streams = Streams::default();
        assert_eq!(streams.note(0..61, u64::MAX), []);
        for position in [70 * MIB, 3 * MIB, 500 * MIB, 90 * MIB, 41 * MIB] {
            assert_eq!(streams.note(position..position + 64 * KIB, u64::MAX), []);
        }
    }

    #[test]
    fn a_sequence_asks_for_a_little_then_for_much() {
        let mut streams = Streams::default();
        assert_eq!(streams.note(0..4 * KIB, u64::MAX), [4 * KIB..260 * KIB, 260 * KIB..516 * KIB]);
        assert_eq!(streams.note(4 * KIB..8 * KIB, u64::MAX), []);
        let long = streams.note(8 * KIB..12 * KIB, u64::MAX);
        assert_eq!(long.len(), 4);
        assert_eq!((long[0].start, long[3].end), (516 * KIB, 516 * KIB + 4 * MIB));
        assert_eq!(streams.note(12 * KIB..16 * KIB, u64::MAX), []);
    }

    #[test]
    fn a_reader_that_comes_back_for_its_cut_batch_goes_on() {
        let mut streams = Streams::default();
        assert_eq!(streams.note(5 * MIB..6 * MIB, u64::MAX), []);
        assert_eq!(
            streams.note(6 * MIB - 10..7 * MIB, u64::MAX),
            [7 * MIB..7 * MIB + 256 * KIB, 7 * MIB + 256 * KIB..7 * MIB + 512 * KIB]
        );
        assert_eq!(streams.note(7 * MIB - 10..8 * MIB, u64::MAX).len(), 4);
    }

    #[test]
    fn a_small_cache_is_not_read_ahead_of() {
        let mut streams = Streams::default();
        assert_eq!(streams.note(0..100, 0), []);
        assert_eq!(streams.note(100..200, 300 * KIB).len(), 2);
        let long = streams.note(300 * KIB..600 * KIB, 300 * KIB);
        assert!(long.iter().all(|piece| piece.end <= 900 * KIB + 300 * KIB), "{long:?}");
    }

    #[test]
    fn four_readers_are_followed_at_once() {
        let mut streams = Streams::default();
        for round in 1..4 {
            for reader in 1..5 {
                let start = reader * 1000 * MIB + round * MIB;
                let asked = streams.note(start..start + MIB, u64::MAX);
                assert_eq!(asked.is_empty(), round == 1, "round {round} of reader {reader}");
            }
        }
    }
}
