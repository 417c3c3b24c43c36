//! What the findings mean, as pure code.

use logdyno_engine::storage::counters::Counts;

use super::Evidence;
use super::batches::BatchesOnDisk;
use super::process::OpenFiles;

/// Pages of direct files that may be in the page cache: someone else may have looked at them.
const CACHED_SHARE_MAX: f64 = 0.01;

/// What a run was asked to do.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The backend's name.
    pub backend: &'a str,
    /// The codec's name.
    pub codec: &'a str,
    /// Whether an acknowledgement promises durability.
    pub is_durable: bool,
    /// The setting by which something must have been synced in the measured part, in words, if there is one.
    pub flush: Option<&'a str>,
}

/// What was found.
#[derive(Clone, Copy, Debug)]
pub struct Looked<'a> {
    /// The backends' counters over the measured part.
    pub counts: &'a Counts,
    /// The open log files at its end.
    pub files: &'a OpenFiles,
    /// The batches that were left behind.
    pub batches: &'a BatchesOnDisk,
}

/// One piece of evidence for each promise of the backend and the codec. A backend that this crate does not know is only
/// asked for the codec and for durability.
#[must_use]
pub fn judge(asked: &Asked<'_>, looked: &Looked<'_>) -> Vec<Evidence> {
    let mut evidence = match asked.backend {
        "buffered" => buffered(looked),
        "mmap" => mmap(looked),
        "uring" => uring(looked),
        _ => Vec::new(),
    };
    evidence.push(codec(asked, looked));
    let syncs = looked.counts.syncs;
    if let Some(policy) = asked.flush {
        evidence.push(evidence_of("flush policy", syncs > 0, format!("{syncs} fdatasync calls with {policy}")));
    }
    if asked.is_durable {
        evidence.push(evidence_of(
            "syncs",
            syncs > 0,
            format!("{syncs} fdatasync calls for acknowledgements that promise durability"),
        ));
    }
    evidence
}

fn evidence_of(name: &str, holds: bool, detail: String) -> Evidence {
    Evidence { name: name.to_owned(), holds, detail }
}

fn buffered(looked: &Looked<'_>) -> Vec<Evidence> {
    let (counts, files) = (looked.counts, looked.files);
    vec![
        evidence_of(
            "write calls",
            counts.write_calls > 0,
            format!("{} write calls wrote {} bytes", counts.write_calls, counts.bytes_written),
        ),
        evidence_of("no ring", counts.ring_writes == 0, format!("{} writes went through a ring", counts.ring_writes)),
        evidence_of(
            "page cache",
            files.descriptors > 0 && files.direct == 0,
            format!("{} of {} log descriptors have O_DIRECT", files.direct, files.descriptors),
        ),
    ]
}

fn mmap(looked: &Looked<'_>) -> Vec<Evidence> {
    let (counts, files) = (looked.counts, looked.files);
    vec![
        evidence_of(
            "no write calls",
            counts.write_calls == 0,
            format!("{} write calls on segment files", counts.write_calls),
        ),
        evidence_of("no ring", counts.ring_writes == 0, format!("{} writes went through a ring", counts.ring_writes)),
        evidence_of(
            "shared mapping",
            files.shared_mappings > 0 && files.mapped_resident_kib > 0,
            format!(
                "{} writable shared mappings of logs, {} KiB of them in memory",
                files.shared_mappings, files.mapped_resident_kib
            ),
        ),
        // What was synced is clean; else the stores themselves must be what is in memory and not yet on the device.
        evidence_of(
            "dirty or synced",
            files.mapped_dirty_kib > 0 || counts.syncs > 0,
            format!(
                "{} KiB of the mappings dirty at the end, {} fdatasync calls",
                files.mapped_dirty_kib, counts.syncs
            ),
        ),
    ]
}

fn uring(looked: &Looked<'_>) -> Vec<Evidence> {
    let (counts, files) = (looked.counts, looked.files);
    let share = if files.pages == 0 { 0.0 } else { files.pages_cached as f64 / files.pages as f64 };
    vec![
        evidence_of(
            "ring writes",
            counts.ring_writes > 0,
            format!("{} ring writes wrote {} bytes", counts.ring_writes, counts.ring_bytes_written),
        ),
        evidence_of(
            "no write calls",
            counts.write_calls == 0,
            format!("{} write calls on segment files", counts.write_calls),
        ),
        evidence_of(
            "O_DIRECT",
            files.descriptors > 0 && files.direct == files.descriptors,
            format!("{} of {} log descriptors have O_DIRECT", files.direct, files.descriptors),
        ),
        evidence_of(
            "past the page cache",
            share <= CACHED_SHARE_MAX,
            format!("{} of {} pages of the logs are in the page cache", files.pages_cached, files.pages),
        ),
    ]
}

fn codec(asked: &Asked<'_>, looked: &Looked<'_>) -> Evidence {
    let batches = looked.batches;
    let total: u64 = batches.by_codec.values().sum();
    let right = batches.by_codec.get(asked.codec).copied().unwrap_or(0);
    let detail = format!("{right} of {total} batches in {} log files have codec {}", batches.files, asked.codec);
    evidence_of("codec", total > 0 && right == total, detail)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn looked(backend: &str) -> (Counts, OpenFiles, BatchesOnDisk) {
        let mut counts = Counts::default();
        let mut files = OpenFiles { descriptors: 3, pages: 1000, ..OpenFiles::default() };
        match backend {
            "buffered" => {
                counts.write_calls = 9;
                files.pages_cached = 1000;
            }
            "mmap" => {
                counts.populations = 3;
                (files.shared_mappings, files.mapped_resident_kib, files.mapped_dirty_kib) = (3, 64, 8);
                files.pages_cached = 1000;
            }
            _ => {
                (counts.ring_writes, counts.ring_bytes_written) = (7, 1 << 20);
                files.direct = 3;
            }
        }
        (counts, files, BatchesOnDisk { files: 3, by_codec: BTreeMap::from([("lz4".to_owned(), 5)]) })
    }

    fn failing(asked: &Asked<'_>, found: &(Counts, OpenFiles, BatchesOnDisk)) -> Vec<String> {
        let looked = Looked { counts: &found.0, files: &found.1, batches: &found.2 };
        judge(asked, &looked).into_iter().filter(|evidence| !evidence.holds).map(|evidence| evidence.name).collect()
    }

    fn asked(backend: &str) -> Asked<'_> {
        Asked { backend, codec: "lz4", is_durable: false, flush: None }
    }

    /// Every backend passes as itself and as none of the others: what quietly became another is found out.
    #[test]
    fn a_backend_is_told_from_the_others() {
        let names = ["buffered", "mmap", "uring"];
        for real in names {
            for name in names {
                assert_eq!(failing(&asked(name), &looked(real)).is_empty(), name == real, "{real} as {name}");
            }
        }
    }

    #[test]
    fn uring_without_direct_io_or_with_cached_pages_is_found_out() {
        let mut found = looked("uring");
        found.1.direct = 0;
        assert_eq!(failing(&asked("uring"), &found), ["O_DIRECT"]);
        let mut found = looked("uring");
        found.1.pages_cached = 300;
        assert_eq!(failing(&asked("uring"), &found), ["past the page cache"]);
    }

    #[test]
    fn a_mapping_that_nobody_stored_to_is_found_out() {
        let mut found = looked("mmap");
        found.1.mapped_dirty_kib = 0;
        assert_eq!(failing(&asked("mmap"), &found), ["dirty or synced"]);
        found.0.syncs = 1;
        assert!(failing(&asked("mmap"), &found).is_empty());
    }

    #[test]
    fn a_flush_policy_that_nobody_obeyed_is_found_out() {
        let asked = Asked { flush: Some("flush.messages=100"), ..asked("buffered") };
        let mut found = looked("buffered");
        assert_eq!(failing(&asked, &found), ["flush policy"]);
        found.0.syncs = 1;
        assert!(failing(&asked, &found).is_empty());
    }

    #[test]
    fn a_codec_that_was_not_applied_to_every_batch_and_missing_syncs_are_found_out() {
        let mut found = looked("mmap");
        found.2.by_codec.insert("none".to_owned(), 1);
        assert_eq!(failing(&asked("mmap"), &found), ["codec"]);
        let durable = Asked { is_durable: true, ..asked("mmap") };
        assert_eq!(failing(&durable, &looked("mmap")), ["syncs"]);
    }
}
