//! What chance leaves of unsynced things when the power goes.

use super::random::Random;
use super::{BLOCK, Block};

/// The atom of a device: it is written whole or not at all.
const SECTOR: usize = 512;

/// How one power loss treats what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PowerLoss {
    /// All of it is gone.
    Nothing,
    /// All of it had just been written.
    Everything,
    /// Each block fares for itself: so writes look dropped, torn and reordered.
    Mixed,
}

impl PowerLoss {
    pub(super) fn by_chance(random: &mut Random) -> PowerLoss {
        match random.below(6) {
            0 => PowerLoss::Nothing,
            1 => PowerLoss::Everything,
            _ => PowerLoss::Mixed,
        }
    }

    /// How many of a journal's `count` unsynced entries had been committed: journals keep their order.
    pub(super) fn prefix(self, count: usize, random: &mut Random) -> usize {
        match self {
            PowerLoss::Nothing => 0,
            PowerLoss::Everything => count,
            PowerLoss::Mixed => random.below(count as u64 + 1) as usize,
        }
    }

    /// What the device holds of a block that held `before` for sure and was then given `contents`, newest first.
    pub(super) fn block(self, before: Block, contents: &[Block], random: &mut Random) -> Block {
        match self {
            PowerLoss::Nothing => before,
            PowerLoss::Everything => contents[0].clone(),
            PowerLoss::Mixed => {
                let chosen = &contents[random.below(contents.len() as u64) as usize];
                match random.below(3) {
                    0 => before,
                    1 => chosen.clone(),
                    _ => torn(before, chosen, random),
                }
            }
        }
    }
}

/// Some sectors of the one, some of the other.
fn torn(mut block: Block, other: &Block, random: &mut Random) -> Block {
    for sector in (0..BLOCK).step_by(SECTOR) {
        if random.one_in(2) {
            block[sector..sector + SECTOR].copy_from_slice(&other[sector..sector + SECTOR]);
        }
    }
    block
}
