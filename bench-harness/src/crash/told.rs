//! Acknowledgements on their way out of a process that is about to be killed.

use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use logdyno_engine::record::Offset;

use crate::target::{Receipts, Ticket};

/// A record was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    /// The record's number in the load.
    pub(super) number: u64,
    /// Where it was said to stand, in the topic that it was sent to.
    pub(super) partition: i32,
    /// See `partition`.
    pub(super) offset: Offset,
}

impl Ack {
    /// On the pipe: number (8 bytes), partition (4), offset (8), little-endian.
    pub(super) const BYTES: usize = 20;

    fn encode(self) -> [u8; Ack::BYTES] {
        let mut frame = [0; Ack::BYTES];
        frame[..8].copy_from_slice(&self.number.to_le_bytes());
        frame[8..12].copy_from_slice(&self.partition.to_le_bytes());
        frame[12..].copy_from_slice(&self.offset.0.to_le_bytes());
        frame
    }

    pub(super) fn decode(frame: &[u8; Ack::BYTES]) -> Ack {
        let [a, b, c, d, e, f, g, h, p, q, r, s, offset @ ..] = *frame;
        Ack {
            number: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            partition: i32::from_le_bytes([p, q, r, s]),
            offset: Offset(i64::from_le_bytes(offset)),
        }
    }
}

/// Tells a pipe of each acknowledgement, at once: what a killed process still held back would not be looked for.
pub(super) struct Telling {
    pipe: Mutex<File>,
    /// Who else wants to know.
    next: Arc<dyn Receipts>,
}

impl Telling {
    pub(super) fn new(pipe: File, next: Arc<dyn Receipts>) -> Telling {
        Telling { pipe: Mutex::new(pipe), next }
    }
}

impl Receipts for Telling {
    fn acknowledged(&self, ticket: Ticket, partition: i32, offset: Option<Offset>) {
        if let Some(offset) = offset {
            let frame = Ack { number: ticket.number, partition, offset }.encode();
            let told = self.pipe.lock().unwrap_or_else(PoisonError::into_inner).write_all(&frame);
            if let Err(error) = told {
                tracing::error!("an acknowledgement was not told: {error}");
            }
        }
        self.next.acknowledged(ticket, partition, offset);
    }

    fn failed(&self, ticket: Ticket, reason: &str) {
        self.next.failed(ticket, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_goes_through_the_pipe_unchanged() {
        let ack = Ack { number: 1 << 40, partition: 7, offset: Offset(3_000_000_001) };
        assert_eq!(Ack::decode(&ack.encode()), ack);
    }
}
