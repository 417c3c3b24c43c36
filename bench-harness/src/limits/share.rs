//! How much of each limit a run has used: the largest share is the limit that binds, if any does.

use serde::{Deserialize, Serialize};

use super::Limits;
use super::device::{Direction, Io};
use crate::result::{Measured, Workload};

/// A part of a limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Which limit.
    pub limit: String,
    /// From 0; above 1 only where the limit was measured under other conditions.
    pub share: f64,
}

/// The shares of a run, the largest first.
///
/// Counted are the bytes that must move, not those that happen to: a record's bytes go over the loopback to the leader, to
/// each follower and to the consumer, where the target has connections; their checksum is computed by the producer, each replica and the consumer; the codec
/// compresses them once; each replica writes them, whether or not an ack waits for it. The processors are the exception: there it is what this process took.
#[must_use]
pub fn shares(limits: &Limits, workload: &Workload, backend: Option<&str>, measured: &Measured) -> Vec<Share> {
    // Of a target that hides its batches nobody knows what moved.
    let Some(work) = &measured.batches.work else { return Vec::new() };
    let codec = workload.producer.iter().find(|(name, _)| name == "compression.type").map(|(_, codec)| codec.as_str());
    let taken = Taken {
        seconds: measured.counted_seconds(),
        bytes_sent: work.bytes_sent,
        compressed: codec.map(|codec| (codec, work.bytes_uncompressed)),
        copies: measured.copies_kept(),
        has_network: measured.has_network.unwrap_or(true),
        cpu_ns: measured.usage.as_ref().map(|usage| usage.process.cpu_ns()),
    };
    taken.shares(limits, backend)
}

/// What a run took, or took so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken<'a> {
    pub(crate) seconds: f64,
    pub(crate) bytes_sent: u64,
    /// By which codec, and how many bytes; if it is known.
    pub(crate) compressed: Option<(&'a str, u64)>,
    /// On how many replicas it all is in the end.
    pub(crate) copies: u32,
    /// Whether it goes over connections.
    pub(crate) has_network: bool,
    /// Of the processors, if it is known.
    pub(crate) cpu_ns: Option<u64>,
}

impl Taken<'_> {
    /// The shares, the largest first.
    pub(crate) fn shares(&self, limits: &Limits, backend: Option<&str>) -> Vec<Share> {
        let seconds = self.seconds;
        if seconds <= 0.0 {
            return Vec::new();
        }
        let copies = f64::from(self.copies.max(1));
        let sent = self.bytes_sent as f64 / seconds;
        let mut found =
            vec![("CRC-32C of one thread".to_owned(), sent * (copies + 2.0), limits.crc32c_bytes_per_second)];
        if self.has_network {
            found.push(("loopback TCP".to_owned(), sent * (copies + 1.0), limits.loopback.bytes_per_second));
        }
        let direct = backend == Some("uring");
        if backend.is_some() {
            let io = if direct { Io::Direct } else { Io::Buffered };
            let name = if direct { "direct writes" } else { "writes into the page cache" };
            let best = limits.bandwidths.iter().filter(|one| one.io == io && one.direction == Direction::Write);
            let best = best.map(|one| one.bytes_per_second).fold(0.0, f64::max);
            found.push((name.to_owned(), sent * copies, best));
        }
        if let Some((codec, bytes)) = self.compressed
            && let Some(rate) = limits.codecs.iter().find(|rate| rate.codec == codec)
        {
            let raw = bytes as f64 / seconds;
            found.push((format!("{} of one thread", rate.codec), raw, rate.compress_bytes_per_second));
        }
        if let Some(cpu_ns) = self.cpu_ns {
            let name = format!("the {} processors", limits.environment.cores);
            found.push((name, cpu_ns as f64 / 1e9 / seconds, limits.environment.cores as f64));
        }
        let share = |(limit, used, most): (String, f64, f64)| (most > 0.0).then(|| Share { limit, share: used / most });
        let mut shares: Vec<Share> = found.into_iter().filter_map(share).collect();
        shares.sort_by(|one, other| other.share.total_cmp(&one.share));
        shares
    }
}
