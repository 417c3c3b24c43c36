//! Which batches of a round belong to aborted transactions, and which markers have nothing left to mark (Kafka's
//! CleanedTransactionMetadata).

use std::collections::{HashMap, HashSet, VecDeque};

use logdyno_record::Offset;
use logdyno_record::batch::control::{ControlType, EndTransactionMarker};
use logdyno_record::batch::{Batch, BatchError, BatchHeader};

use crate::index::AbortedTransaction;

/// What is known of the transactions on the way through the batches of a round, which are told in order.
#[derive(Default)]
pub(crate) struct Transactions {
    /// Not begun here yet, by first offset.
    waiting: VecDeque<AbortedTransaction>,
    /// Begun, of which the marker is still to come; and whether a batch of theirs was met.
    aborting: HashMap<i64, (AbortedTransaction, bool)>,
    /// Producers of which a batch was met that belongs to no aborted transaction, and no marker since.
    committing: HashSet<i64>,
    kept: Vec<AbortedTransaction>,
}

impl Transactions {
    /// Of a range in which these were aborted.
    pub(crate) fn new(mut aborted: Vec<AbortedTransaction>) -> Transactions {
        aborted.sort_by_key(|transaction| transaction.first_offset);
        Transactions { waiting: aborted.into(), ..Transactions::default() }
    }

    /// Whether this batch, which is no marker, is of an aborted transaction: its records never counted.
    pub(crate) fn is_aborted(&mut self, header: &BatchHeader) -> bool {
        if !header.is_transactional() {
            return false;
        }
        self.begin(header.last_offset());
        match self.aborting.get_mut(&header.producer_id) {
            Some((_, met)) => {
                *met = true;
                true
            }
            None => {
                self.committing.insert(header.producer_id);
                false
            }
        }
    }

    /// Whether nothing is left of the transaction that this control batch ends. An abort marker of which something is left is kept in the
    /// index, too: see [`Transactions::take_kept`].
    pub(crate) fn is_marker_of_nothing(&mut self, batch: &Batch) -> Result<bool, BatchError> {
        self.begin(batch.header().last_offset());
        let producer = batch.header().producer_id;
        let Some(marker) = EndTransactionMarker::of(batch)? else {
            // Emptied before, or none of a transaction.
            return Ok(batch.header().count == 0);
        };
        Ok(match marker.control_type {
            ControlType::Abort => match self.aborting.remove(&producer) {
                Some((transaction, true)) => {
                    self.kept.push(transaction);
                    false
                }
                _ => true,
            },
            ControlType::Commit => !self.committing.remove(&producer),
            ControlType::Other(_) => false,
        })
    }

    /// The aborted transactions whose markers were met since the last call, and of which a batch was.
    pub(crate) fn take_kept(&mut self) -> Vec<AbortedTransaction> {
        std::mem::take(&mut self.kept)
    }

    fn begin(&mut self, up_to: Offset) {
        while let Some(begun) = self.waiting.pop_front_if(|next| next.first_offset <= up_to) {
            self.aborting.entry(begun.producer_id).or_insert((begun, false));
        }
    }
}
