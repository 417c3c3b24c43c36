//! How well batches of a topic have compressed lately, to guess how much more fits into `batch.size`.
//!
//! Kafka's `CompressionRatioEstimator`: a ratio that got worse counts at once, one that got better only by
//! small steps, and guesses add 5 % of safety. Batches can so exceed `batch.size` before compression.

use std::sync::atomic::{AtomicU32, Ordering};

/// Safety put on an estimate (`COMPRESSION_RATE_ESTIMATION_FACTOR` in Kafka).
pub(crate) const SAFETY: f32 = 1.05;
const IMPROVING_STEP: f32 = 0.005;
const DETERIORATING_STEP: f32 = 0.05;

/// The estimated ratio of one topic with one codec: compressed ÷ uncompressed.
#[derive(Debug)]
pub(crate) struct CompressionRatio(AtomicU32);

impl CompressionRatio {
    /// Nothing known yet: as if nothing would compress.
    pub(crate) fn new() -> CompressionRatio {
        CompressionRatio(AtomicU32::new(1.0_f32.to_bits()))
    }

    /// The estimate, without safety.
    pub(crate) fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Learns from a batch that was compressed.
    pub(crate) fn observe(&self, observed: f32) {
        let estimate = self.get();
        let next = if observed > estimate {
            (estimate + DETERIORATING_STEP).max(observed)
        } else {
            (estimate - IMPROVING_STEP).max(observed)
        };
        self.0.store(next.to_bits(), Ordering::Relaxed);
    }

    /// A batch was refused as too large: forget the hope, start from what it really had (at least 1).
    pub(crate) fn reset(&self, observed: f32) {
        self.0.store(observed.max(1.0).to_bits(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn improvement_counts_by_small_steps_and_deterioration_at_once() {
        let ratio = CompressionRatio::new();
        ratio.observe(0.2);
        assert!((ratio.get() - 0.995).abs() < 1e-6);
        for _ in 0..400 {
            ratio.observe(0.2);
        }
        assert!((ratio.get() - 0.2).abs() < 1e-6);
        ratio.observe(0.6);
        assert!((ratio.get() - 0.6).abs() < 1e-6);
        ratio.observe(0.61);
        assert!((ratio.get() - 0.65).abs() < 1e-6);
        ratio.reset(0.3);
        assert!((ratio.get() - 1.0).abs() < 1e-6);
    }
}
