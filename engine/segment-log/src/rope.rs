//! Bytes that lie in pieces, as storage lends them, read as one.

use bytes::Bytes;

/// Pieces in order. A piece is never copied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rope {
    pieces: Vec<Bytes>,
    len: usize,
}

impl Rope {
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.len += piece.len();
        self.pieces.push(piece);
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Fills `buffer` from `at` on; `false` if the rope ends before.
    pub(crate) fn copy_to(&self, mut at: usize, buffer: &mut [u8]) -> bool {
        let mut filled = 0;
        for piece in &self.pieces {
            if at >= piece.len() {
                at -= piece.len();
                continue;
            }
            let taken = (piece.len() - at).min(buffer.len() - filled);
            buffer[filled..filled + taken].copy_from_slice(&piece[at..at + taken]);
            filled += taken;
            at = 0;
            if filled == buffer.len() {
                return true;
            }
        }
        filled == buffer.len()
    }

    /// The pieces of a range, shared.
    pub(crate) fn slice(&self, from: usize, to: usize) -> Vec<Bytes> {
        let mut start = 0;
        let mut slices = Vec::new();
        for piece in &self.pieces {
            let end = start + piece.len();
            let (low, high) = (from.max(start), to.min(end));
            if low < high {
                slices.push(piece.slice(low - start..high - start));
            }
            start = end;
        }
        slices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope() -> Rope {
        let mut rope = Rope::default();
        ["abc", "", "de", "fghi"].into_iter().for_each(|piece| rope.push(Bytes::from_static(piece.as_bytes())));
        rope
    }

    #[test]
    fn reads_across_pieces_as_if_they_were_one() {
        let whole = b"abcdefghi";
        for from in 0..=whole.len() {
            for to in from..=whole.len() {
                let mut buffer = vec![0; to - from];
                assert!(rope().copy_to(from, &mut buffer));
                assert_eq!(buffer, whole[from..to]);
                assert_eq!(rope().slice(from, to).concat(), whole[from..to]);
            }
        }
        assert!(!rope().copy_to(7, &mut [0; 3]), "it ends before");
    }
}
