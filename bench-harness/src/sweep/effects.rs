//! Which factor moves a metric, and by how much: main effects and pairs, on logarithms, with intervals over repetitions.
//!
//! A metric's logarithm is a sum of what each factor's level adds, what pairs of levels add beyond that, and noise; so an
//! effect is a ratio. Effects are fitted together (`fit`), so that runs that are missing, or tell no percentile, tilt
//! nothing; a factor that what is there does not tell from another one has no effect to be told. The share of a factor is its part of
//! the variation among all runs: the squares that are left without it and not with it, over all of them. Of a grid of which nothing is
//! missing that is η², and the shares of factors, pairs and the rest add up to one. Intervals are Student's, over the repetitions: what
//! all runs of a repetition share cancels. The two levels of a span are picked because they differ most, so its interval is one that holds
//! for all pairs of levels at once: Bonferroni's, which gives each of k(k − 1)/2 pairs its part of the 5 % (Dunn, Multiple comparisons
//! among means, Journal of the American Statistical Association 56, 1961, 52–64).

use serde::{Deserialize, Serialize};

use super::fit::{Term, contrasts, squares_left};
use crate::statistics::student_beyond;

/// How often an interval may be wrong.
const CHANCE: f64 = 0.05;

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
    /// The metric at the greatest over that at the smallest; its interval holds for every pair of levels at once.
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
    /// By factor; `None` for one that has fewer than two levels with runs, or that is not to be told from another one by those that there are.
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
    let seen: Vec<&Observation> = observations.iter().filter(|seen| seen.value > 0.0).collect();
    let logs: Vec<f64> = seen.iter().map(|seen| seen.value.ln()).collect();
    mean(logs.iter().copied())?;
    let term =
        |(factor, count): (usize, &usize)| Term::new(seen.iter().map(|seen| seen.levels[factor]).collect(), *count);
    let terms: Vec<Term> = levels.iter().enumerate().map(term).collect();
    let all: Vec<&Term> = terms.iter().collect();
    let total = squares_left(&logs, &[]);
    let share = |squares: f64| if total > 0.0 { (squares / total).clamp(0.0, 1.0) } else { 0.0 };
    let left = squares_left(&logs, &all);
    let mut repetitions: Vec<u32> = seen.iter().map(|seen| seen.repetition).collect();
    repetitions.sort_unstable();
    repetitions.dedup();
    let by_repetition: Vec<Contrasts> = repetitions
        .iter()
        .map(|repetition| {
            let of: Vec<usize> = (0..seen.len()).filter(|at| seen[*at].repetition == *repetition).collect();
            let terms: Vec<Term> = terms.iter().map(|term| term.of(&of)).collect();
            let logs: Vec<f64> = of.iter().map(|at| logs[*at]).collect();
            contrasts(&logs, &terms.iter().collect::<Vec<_>>())
        })
        .collect();
    let factor_effect = |(factor, found): (usize, Option<Vec<Option<f64>>>)| {
        let others: Vec<&Term> =
            all.iter().enumerate().filter(|(at, _)| *at != factor).map(|(_, term)| *term).collect();
        let turns: Vec<&[Option<f64>]> = by_repetition.iter().filter_map(|turn| turn[factor].as_deref()).collect();
        factor_effect(&found?, &turns, share(squares_left(&logs, &others) - left))
    };
    // What all runs of a repetition share is nobody's effect, also where a repetition lacks some of them.
    let turn = |seen: &&Observation| repetitions.iter().position(|repetition| *repetition == seen.repetition);
    let turns = Term::new(seen.iter().map(turn).collect(), repetitions.len());
    let found = contrasts(&logs, &all.iter().copied().chain([&turns]).collect::<Vec<_>>());
    let factors = found.into_iter().take(terms.len()).enumerate().map(factor_effect).collect();
    let (mut pairs, mut joint) = (Vec::new(), all.iter().map(|term| (*term).clone()).collect::<Vec<_>>());
    for first in 0..terms.len() {
        for second in first + 1..terms.len() {
            let together = terms[first].together(&terms[second]);
            let with: Vec<&Term> = all.iter().copied().chain([&together]).collect();
            pairs.push(PairEffect { factors: (first, second), share: share(left - squares_left(&logs, &with)) });
            joint.push(together);
        }
    }
    pairs.sort_by(|one, other| other.share.total_cmp(&one.share));
    let rest = share(squares_left(&logs, &joint.iter().collect::<Vec<_>>()));
    Some(Effects { factors, pairs, rest, runs: logs.len(), repetitions: repetitions.len() })
}

/// By factor and level, what is added to the logarithm.
type Contrasts = Vec<Option<Vec<Option<f64>>>>;

/// From what a factor's levels add in all runs, and in each repetition.
fn factor_effect(levels: &[Option<f64>], by_repetition: &[&[Option<f64>]], share: f64) -> Option<FactorEffect> {
    let present = || levels.iter().enumerate().filter_map(|(level, added)| Some((level, (*added)?)));
    let least = present().min_by(|one, other| one.1.total_cmp(&other.1))?.0;
    let most = present().max_by(|one, other| one.1.total_cmp(&other.1))?.0;
    let ratio = |chance: f64, difference: &dyn Fn(&[Option<f64>]) -> Option<f64>| {
        let differences: Vec<f64> = by_repetition.iter().filter_map(|turn| difference(turn)).collect();
        Some(interval(&differences, difference(levels)?, chance))
    };
    let count = present().count();
    let pairs = (count * (count - 1) / 2).max(1) as f64;
    Some(FactorEffect {
        share,
        levels: (0..levels.len()).map(|level| ratio(CHANCE, &|added| added[level])).collect(),
        extremes: (least, most),
        span: ratio(CHANCE / pairs, &|added| Some(added[most]? - added[least]?))?,
    })
}

/// From differences of logarithms, one for each repetition, to a ratio; its interval is wrong with this chance.
fn interval(differences: &[f64], overall: f64, chance: f64) -> Ratio {
    let count = differences.len();
    let interval = mean(differences.iter().copied()).filter(|_| count > 1).map(|centre| {
        let variance = differences.iter().map(|one| (one - centre).powi(2)).sum::<f64>() / (count - 1) as f64;
        let half = student_beyond(count - 1, chance) * (variance / count as f64).sqrt();
        ((centre - half).exp(), (centre + half).exp())
    });
    Ratio { ratio: overall.exp(), interval }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
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

    /// What a level's neighbours do is not blamed on it where cells are missing.
    #[test]
    fn missing_cells_tilt_nothing() {
        let mut seen = planted(1, 0.0, 3, 0.0);
        // The dearest level of the first factor has only runs at the cheapest two of the second, and one of these is missing in a repetition.
        seen.retain(|run| run.levels[0] != Some(2) || run.levels[1] < Some(2));
        seen.remove(seen.iter().position(|run| run.levels == [Some(2), Some(0), Some(0)]).expect("it is there"));
        let found = effects(&seen, &[3, 4, 2]).expect("runs");
        let [first, second, third] = &found.factors[..] else { panic!("three factors") };
        for (factor, ratio) in [(first, 4.0), (second, 1.1_f64.powi(3))] {
            let span = factor.as_ref().expect("an effect").span;
            let (low, high) = span.interval.expect("three repetitions");
            for found in [low, span.ratio, high] {
                assert!((found / ratio - 1.0).abs() < 1e-6, "{span:?}");
            }
        }
        assert!(third.as_ref().expect("no effect").share < 0.001);
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

    /// Of four levels that do nothing, those that happen to differ most are picked: the interval of their span, too, holds the truth in
    /// 95 of 100 sweeps. Student's, which is for a pair that was named before, does not.
    #[test]
    fn intervals_of_a_span_cover_though_it_is_picked() {
        for repetitions in [3, 6] {
            let mut source = Noise(u64::from(repetitions));
            let mut covered = 0;
            for _ in 0..2_000 {
                let mut run = |at: u32| Observation {
                    levels: vec![Some(at as usize % 4)],
                    repetition: at / 4 + 1,
                    value: (0.3 * source.next()).exp(),
                };
                let seen: Vec<Observation> = (0..4 * repetitions).map(&mut run).collect();
                let span = effects(&seen, &[4]).expect("runs").factors[0].as_ref().expect("an effect").span;
                let (low, high) = span.interval.expect("repetitions");
                covered += u32::from((low..=high).contains(&1.0));
            }
            assert!((1_860..=1_980).contains(&covered), "{repetitions} repetitions: {covered} of 2000");
        }
    }

    /// A factor of two levels has one pair, which nobody had to pick.
    #[test]
    fn the_only_pair_has_students_interval() {
        let run = |at: u32| Observation {
            levels: vec![Some(at as usize % 2)],
            repetition: at / 2 + 1,
            value: f64::from([10, 20, 10, 30, 10, 25][at as usize]),
        };
        let seen: Vec<Observation> = (0..6).map(run).collect();
        let span = effects(&seen, &[2]).expect("runs").factors[0].as_ref().expect("an effect").span;
        let logs = [2.0_f64, 3.0, 2.5].map(f64::ln);
        let mean = logs.iter().sum::<f64>() / 3.0;
        let deviation = (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
        let (low, high) = span.interval.expect("three repetitions");
        for (end, sign) in [(low, -1.0), (high, 1.0)] {
            assert!((end.ln() - (mean + sign * 4.302_653 * deviation / 3.0_f64.sqrt())).abs() < 1e-6, "{span:?}");
        }
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
