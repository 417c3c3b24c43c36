//! What a log's recovery is worth saying.

use logdyno_segment_log::{Log, RecoveryReport};

/// Says what was lost or looked through when a log was opened; a log that was closed cleanly is opened in silence.
pub(crate) fn tell_recovery(log: &Log, report: &RecoveryReport) {
    let (partition, end) = (log.partition(), log.end_offset());
    if let Some(why) = &report.cut {
        let (bytes_cut, segments_removed) = (report.bytes_truncated, report.segments_removed);
        tracing::warn!(%partition, %end, bytes_cut, segments_removed, "the log was cut back to offset {end}: {why}");
    } else if report.segments_walked > 0 {
        let (segments, bytes_read) = (report.segments_walked, report.bytes_read);
        tracing::info!(%partition, %end, segments, bytes_read, "the log was recovered; nothing of it was lost");
    }
}
