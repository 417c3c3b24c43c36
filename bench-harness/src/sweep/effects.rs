//! Which factor moves a metric, and by how much: main effects and pairs, on logarithms, with intervals over repetitions.
//!
//! A metric's logarithm is a sum of what each factor's level adds, what pairs of levels add beyond that, and noise; so an
//! effect is a ratio. The share of a factor is its part of the variation among all runs (η², the sum of squares between its
//! levels over the total one): of a balanced grid the shares of factors, pairs and the rest add up to one. Intervals are
//! Student's, over the repetitions, each of which has all cells: what all runs of a repetition share cancels.

use serde::{Deserialize, Serialize};

/// One run's value of the metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// By factor: which of its levels; `None` where it does not count.
    pub levels: Vec<Option<usize>>,
    /// Counts from 1.
    pub repetition: u32,
    /// Above 0.
    pub value: f64,
}

/// A ratio, and between which two the true one lies with 95 % confidence; NaN-free: without repetitions there is no interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The estimate.
    pub ratio: f64,
    /// The interval, if there are at least two repetitions.
    pub interval: Option<(f64, f64)>,
}

/// What one factor does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactorEffect {
    /// Its part of the variation, from 0 to 1.
    pub share: f64,
    /// By level: the metric with it, as a ratio to the mean of all; `None` for a level without a run.
    pub levels: Vec<Option<Ratio>>,
    /// The levels with the smallest and the greatest metric.
    pub extremes: (usize, usize),
    /// The metric at the greatest over that at the smallest.
    pub span: Ratio,
}

/// What two factors do together beyond what each does alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairEffect {
    /// Which factors.
    pub factors: (usize, usize),
    /// Their part of the variation.
    pub share: f64,
}

/// The analysis of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effects {
    /// By factor; `None` for one that has fewer than two levels with runs.
    pub factors: Vec<Option<FactorEffect>>,
    /// All pairs, the strongest first.
    pub pairs: Vec<PairEffect>,
    /// What is left: noise, and three and more factors together.
    pub rest: f64,
    /// How many runs it rests on.
    pub runs: usize,
    /// How many repetitions.
    pub repetitions: usize,
}

/// Analyses runs of a grid of `levels` levels by factor. `None` where there is nothing to compare.
#[must_use]
pub fn effects(observations: &[Observation], levels: &[usize]) -> Option<Effects> {
    let logs: Vec<(&Observation, f64)> =
        observations.iter().filter(|seen| seen.value > 0.0).map(|seen| (seen, seen.value.ln())).collect();
    let mean = mean(logs.iter().map(|(_, log)| *log))?;
    let total: f64 = logs.iter().map(|(_, log)| (log - mean).powi(2)).sum();
    let mut repetitions: Vec<u32> = logs.iter().map(|(seen, _)| seen.repetition).collect();
    repetitions.sort_unstable();
    repetitions.dedup();
    let share = |squares: f64| if total > 0.0 { (squares / total).clamp(0.0, 1.0) } else { 0.0 };
    let between: Vec<f64> = (0..levels.len()).map(|factor| squares(&logs, mean, &[factor])).collect();
    let factors: Vec<_> = (0..levels.len())
        .map(|factor| factor_effect(&logs, &repetitions, factor, levels[factor], share(between[factor])))
        .collect();
    let mut pairs = Vec::new();
    for first in 0..levels.len() {
        for second in first + 1..levels.len() {
            let together = squares(&logs, mean, &[first, second]) - between[first] - between[second];
            pairs.push(PairEffect { factors: (first, second), share: share(together) });
        }
    }
    pairs.sort_by(|one, other| other.share.total_cmp(&one.share));
    let explained: f64 = factors.iter().flatten().map(|effect| effect.share).sum::<f64>()
        + pairs.iter().map(|pair| pair.share).sum::<f64>();
    let rest = if total > 0.0 { (1.0 - explained).max(0.0) } else { 0.0 };
    Some(Effects { factors, pairs, rest, runs: logs.len(), repetitions: repetitions.len() })
}

/// The sum of squares between the groups that these factors' levels make.
fn squares(logs: &[(&Observation, f64)], mean: f64, factors: &[usize]) -> f64 {
    let mut groups: Vec<(Vec<Option<usize>>, f64, f64)> = Vec::new();
    for (seen, log) in logs {
        let key: Vec<Option<usize>> = factors.iter().map(|factor| seen.levels[*factor]).collect();
        match groups.iter_mut().find(|(known, ..)| *known == key) {
            Some((_, sum, count)) => {
                *sum += log;
                *count += 1.0;
            }
            None => groups.push((key, *log, 1.0)),
        }
    }
    groups.iter().map(|(_, sum, count)| count * (sum / count - mean).powi(2)).sum()
}

fn factor_effect(
    logs: &[(&Observation, f64)],
    repetitions: &[u32],
    factor: usize,
    levels: usize,
    share: f64,
) -> Option<FactorEffect> {
    let of = |level: Option<usize>, repetition: Option<u32>| {
        let chosen = logs.iter().filter(|(seen, _)| {
            seen.levels[factor].is_some()
                && level.is_none_or(|level| seen.levels[factor] == Some(level))
                && repetition.is_none_or(|repetition| seen.repetition == repetition)
        });
        mean(chosen.map(|(_, log)| *log))
    };
    let present: Vec<(usize, f64)> = (0..levels).filter_map(|level| Some((level, of(Some(level), None)?))).collect();
    if present.len() < 2 {
        return None;
    }
    let least = present.iter().min_by(|one, other| one.1.total_cmp(&other.1))?.0;
    let most = present.iter().max_by(|one, other| one.1.total_cmp(&other.1))?.0;
    let ratio = |above: Option<usize>, below: Option<usize>| {
        let differences: Vec<f64> =
            repetitions.iter().filter_map(|turn| Some(of(above, Some(*turn))? - of(below, Some(*turn))?)).collect();
        Some(interval(&differences, of(above, None)? - of(below, None)?))
    };
    Some(FactorEffect {
        share,
        levels: (0..levels).map(|level| ratio(Some(level), None)).collect(),
        extremes: (least, most),
        span: ratio(Some(most), Some(least))?,
    })
}

/// From differences of logarithms, one for each repetition, to a ratio.
fn interval(differences: &[f64], overall: f64) -> Ratio {
    let count = differences.len();
    let interval = mean(differences.iter().copied()).filter(|_| count > 1).map(|centre| {
        let variance = differences.iter().map(|one| (one - centre).powi(2)).sum::<f64>() / (count - 1) as f64;
        let half = student_975(count - 1) * (variance / count as f64).sqrt();
        ((centre - half).exp(), (centre + half).exp())
    });
    Ratio { ratio: overall.exp(), interval }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The 97.5 % quantile of Student's distribution.
fn student_975(degrees: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ];
    // Beyond, the expansion in 1/degrees is right to three digits.
    TABLE.get(degrees.saturating_sub(1)).copied().unwrap_or(1.960 + 2.37 / degrees as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Normal noise by summing uniforms, reproducible.
    struct Noise(u64);

    impl Noise {
        fn next(&mut self) -> f64 {
            let uniform = |state: &mut u64| {
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (*state >> 11) as f64 / (1_u64 << 53) as f64
            };
            (0..12).map(|_| uniform(&mut self.0)).sum::<f64>() - 6.0
        }
    }

    /// A grid of 3 × 4 × 2 in which the first factor doubles, the second adds 10 % a level, the third does nothing, and the first
    /// and the third together do something where both are at their last level.
    fn planted(seed: u64, noise: f64, repetitions: u32, together: f64) -> Vec<Observation> {
        let mut source = Noise(seed);
        let mut seen = Vec::new();
        for repetition in 1..=repetitions {
            let drift = 0.2 * f64::from(repetition);
            for first in 0..3 {
                for second in 0..4 {
                    for third in 0..2 {
                        let both = if (first, third) == (2, 1) { together } else { 0.0 };
                        let log = drift
                            + (first as f64) * 2.0_f64.ln()
                            + (second as f64) * 1.1_f64.ln()
                            + both
                            + noise * source.next();
                        let levels = vec![Some(first), Some(second), Some(third)];
                        seen.push(Observation { levels, repetition, value: log.exp() });
                    }
                }
            }
        }
        seen
    }

    #[test]
    fn a_planted_model_is_found() {
        let found = effects(&planted(1, 0.0, 3, 0.0), &[3, 4, 2]).expect("runs");
        let first = found.factors[0].as_ref().expect("an effect");
        assert_eq!(first.extremes, (0, 2));
        assert!((first.span.ratio - 4.0).abs() < 1e-9, "{first:?}");
        let (low, high) = first.span.interval.expect("three repetitions");
        assert!((low - 4.0).abs() < 1e-6 && (high - 4.0).abs() < 1e-6, "drift between repetitions cancels");
        let second = found.factors[1].as_ref().expect("an effect");
        assert!((second.span.ratio - 1.1_f64.powi(3)).abs() < 1e-9);
        let third = found.factors[2].as_ref().expect("no effect");
        assert!(third.share < 1e-9 && (third.span.ratio - 1.0).abs() < 1e-9);
        assert!(first.share > second.share && found.pairs.iter().all(|pair| pair.share < 1e-9));
        let all: f64 = found.factors.iter().flatten().map(|effect| effect.share).sum::<f64>() + found.rest;
        assert!((all - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_two_factors_do_together_is_named() {
        let found = effects(&planted(1, 0.001, 3, 1.0), &[3, 4, 2]).expect("runs");
        assert_eq!(found.pairs[0].factors, (0, 2));
        assert!(found.pairs[0].share > 10.0 * found.pairs[1].share, "{:?}", found.pairs);
    }

    /// A 95 % interval holds the truth in about 95 of 100 sweeps.
    #[test]
    fn intervals_cover() {
        let mut covered = 0;
        for seed in 0..2_000 {
            let found = effects(&planted(seed * 7 + 1, 0.3, 3, 0.0), &[3, 4, 2]).expect("runs");
            // Level by level: which levels are the extremes depends on the noise.
            let third = found.factors[2].as_ref().expect("an effect").levels[0].expect("runs");
            let (low, high) = third.interval.expect("repetitions");
            covered += u32::from((low..=high).contains(&1.0));
        }
        assert!((1_860..=1_940).contains(&covered), "{covered} of 2000");
    }

    #[test]
    fn what_cannot_be_compared_is_not() {
        assert_eq!(effects(&[], &[2]), None);
        let one = |level| Observation { levels: vec![level], repetition: 1, value: 5.0 };
        let found = effects(&[one(Some(0)), one(None)], &[2]).expect("runs");
        assert_eq!(found.factors, [None]);
        let two = effects(&[one(Some(0)), one(Some(1))], &[2]).expect("runs");
        let effect = two.factors[0].as_ref().expect("two levels");
        assert_eq!(
            (effect.span.ratio, effect.span.interval, effect.share),
            (1.0, None, 0.0),
            "one repetition, no interval"
        );
    }
}
