//! Zipf's law: of `count` things, the k-th is as frequent as 1/k^skew.

use crate::random::Random;

/// The law over ranks from 0, as a table.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    /// The share of all draws that give this rank or one before it.
    cumulated: Vec<f64>,
}

impl Zipf {
    /// The law over `count` ranks, of which there is at least one; a `skew` of 0 makes all equally frequent.
    pub(super) fn new(count: u32, skew: f64) -> Zipf {
        let weights = (1..=count.max(1)).map(|rank| f64::from(rank).powf(-skew));
        let mut sum = 0.0;
        let mut cumulated: Vec<f64> = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        cumulated.iter_mut().for_each(|share| *share /= sum);
        Zipf { cumulated }
    }

    /// A rank.
    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let point = (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        self.cumulated.partition_point(|share| *share <= point).min(self.cumulated.len() - 1)
    }
}

/// Pearson's statistic of counts against shares, and how many deviations it is from its mean: it has as many degrees of freedom as
/// counts less one, that many as its mean and twice that as its variance.
#[cfg(test)]
pub(super) fn deviations(counts: &[u64], shares: impl IntoIterator<Item = f64>) -> f64 {
    let drawn: u64 = counts.iter().sum();
    let statistic: f64 = counts
        .iter()
        .zip(shares)
        .map(|(count, share)| {
            let expected = share * drawn as f64;
            (*count as f64 - expected).powi(2) / expected
        })
        .sum();
    let freedom = counts.len() as f64 - 1.0;
    (statistic - freedom) / (2.0 * freedom).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200,000 draws for each law, with a fixed seed. A law that is off by 0.05 in its exponent is out of bounds by far, which the
    /// last line shows.
    #[test]
    fn draws_follow_the_exact_formula() {
        const COUNT: u32 = 100;
        let exact = |skew: f64| {
            let harmonic: f64 = (1..=COUNT).map(|k| 1.0 / f64::from(k).powf(skew)).sum();
            (1..=COUNT).map(move |k| 1.0 / (f64::from(k).powf(skew) * harmonic))
        };
        for skew in [0.0, 0.5, 1.0, 1.5] {
            let (zipf, mut random) = (Zipf::new(COUNT, skew), Random::of_seed(7));
            let mut counts = vec![0_u64; COUNT as usize];
            (0..200_000).for_each(|_| counts[zipf.draw(&mut random)] += 1);
            let off = deviations(&counts, exact(skew));
            assert!(off.abs() < 4.0, "skew {skew}: {off} deviations");
            assert!(deviations(&counts, exact(skew + 0.05)) > 8.0, "skew {skew} is told from {}", skew + 0.05);
        }
    }

    #[test]
    fn the_table_is_the_exact_formula() {
        let zipf = Zipf::new(4, 1.0);
        let harmonic = 25.0 / 12.0;
        for (at, sum) in [1.0, 1.5, 11.0 / 6.0, harmonic].into_iter().enumerate() {
            assert!((zipf.cumulated[at] - sum / harmonic).abs() < 1e-15);
        }
    }
}
