//! From factors to cells, and the order in which they run.

use serde::{Deserialize, Serialize};

use super::Factor;

/// One combination of values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// By factor: which of its levels; `None` where its condition does not hold.
    pub levels: Vec<Option<usize>>,
    /// What it sets.
    pub settings: Vec<(String, String)>,
}

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Counts from 1.
    pub repetition: u32,
    /// Which cell.
    pub cell: usize,
}

/// All combinations, in the order of the factors.
#[must_use]
pub fn cells(factors: &[Factor]) -> Vec<Cell> {
    let mut cells = vec![Cell { levels: Vec::new(), settings: Vec::new() }];
    for factor in factors {
        cells = cells.into_iter().flat_map(|cell| with(cell, factor)).collect();
    }
    cells
}

fn with(cell: Cell, factor: &Factor) -> Vec<Cell> {
    if factor.condition.as_ref().is_some_and(|condition| !condition.holds(&cell.settings)) {
        let Cell { mut levels, settings } = cell;
        levels.push(None);
        return vec![Cell { levels, settings }];
    }
    let extended = factor.levels.iter().enumerate().map(|(index, values)| {
        let Cell { mut levels, mut settings } = cell.clone();
        levels.push(Some(index));
        settings.extend(factor.settings.iter().cloned().zip(values.iter().cloned()));
        Cell { levels, settings }
    });
    extended.collect()
}

/// Each cell once before any comes again, each time in another order: what drifts with time (a disk that fills, a machine
/// that warms) is spread over all cells alike, and a sweep that ends early has all of them equally often.
#[must_use]
pub fn order(cells: usize, repetitions: u32, seed: u64) -> Vec<Turn> {
    let mut state = seed;
    let mut turns = Vec::with_capacity(cells * repetitions as usize);
    for repetition in 1..=repetitions {
        let mut round: Vec<usize> = (0..cells).collect();
        // Fisher and Yates.
        for last in (1..cells).rev() {
            round.swap(last, below(&mut state, last as u64 + 1) as usize);
        }
        turns.extend(round.into_iter().map(|cell| Turn { repetition, cell }));
    }
    turns
}

/// A number below `bound`, by SplitMix64; the bias of the modulus is below 2^-50 for any grid that ends.
fn below(state: &mut u64, bound: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % bound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(texts: &[&str]) -> Vec<Factor> {
        texts.iter().map(|text| text.parse().expect(text)).collect()
    }

    #[test]
    fn the_grid_is_the_product() {
        let all = cells(&factors(&["backend=buffered,mmap,uring", "p.batch.size=1,2,3,4", "p.codec=none,lz4"]));
        assert_eq!(all.len(), 24);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let first = [pair("backend", "buffered"), pair("p.batch.size", "1"), pair("p.codec", "none")];
        assert_eq!(all[0].settings, first);
        assert_eq!(all[23].levels, [Some(2), Some(3), Some(1)]);
    }

    #[test]
    fn a_condition_leaves_out() {
        let all = cells(&factors(&["codec=none,lz4,zstd", "level=1,3,9 if codec=zstd"]));
        assert_eq!(all.len(), 5);
        assert_eq!(all[0].levels, [Some(0), None]);
        assert_eq!(all[4].levels, [Some(2), Some(2)]);
        let all = cells(&factors(&["size=4k,16k,64k", "linger=0,5 if size>4k"]));
        assert_eq!(
            all.iter().map(|cell| cell.levels[1]).collect::<Vec<_>>(),
            [None, Some(0), Some(1), Some(0), Some(1)]
        );
    }

    #[test]
    fn every_cell_once_a_round_in_an_order_of_its_own() {
        let turns = order(48, 3, 7);
        for repetition in 1..=3 {
            let round: Vec<usize> =
                turns.iter().filter(|turn| turn.repetition == repetition).map(|turn| turn.cell).collect();
            let mut sorted = round.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..48).collect::<Vec<_>>());
            assert_ne!(round, sorted, "round {repetition} is shuffled");
        }
        assert_ne!(
            turns[..48].iter().map(|turn| turn.cell).collect::<Vec<_>>(),
            turns[48..96].iter().map(|turn| turn.cell).collect::<Vec<_>>()
        );
        assert_eq!(turns, order(48, 3, 7), "the seed decides");
        assert_ne!(turns, order(48, 3, 8));
    }
}
