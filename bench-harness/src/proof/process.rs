//! What the kernel says of this process's log files: flags of descriptors, mappings, page-cache residency.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::is_log_of;
use crate::topics::Topics;

/// The log files of topics as this process has them open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenFiles {
    /// Descriptors.
    pub descriptors: u64,
    /// Of those, with `O_DIRECT`.
    pub direct: u64,
    /// Shared mappings that may write.
    pub shared_mappings: u64,
    /// Kilobytes of those that are in memory.
    pub mapped_resident_kib: u64,
    /// Kilobytes of those that were stored to and are not on their way to the device.
    pub mapped_dirty_kib: u64,
    /// Pages of the open log files, preallocated ones included, and how many of them are in the page cache.
    pub pages: u64,
    /// See `pages`.
    pub pages_cached: u64,
}

/// Looks at the log files of `topics` below `dir`.
pub fn open_files(dir: &Path, topics: &Topics) -> io::Result<OpenFiles> {
    let dir = dir.canonicalize()?;
    let mut found = OpenFiles::default();
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        // A descriptor may be closed between the listing and the look.
        let Ok(target) = std::fs::read_link(entry.path()) else { continue };
        if !target.starts_with(&dir) || !is_log_of(topics, &target) {
            continue;
        }
        let info = Path::new("/proc/self/fdinfo").join(entry.file_name());
        let Some(flags) = std::fs::read_to_string(info).ok().as_deref().and_then(flags_of) else { continue };
        found.descriptors += 1;
        found.direct += u64::from(flags & libc::O_DIRECT != 0);
        files.insert(target);
    }
    add_mappings(&mut found, &std::fs::read_to_string("/proc/self/smaps")?, &dir, topics);
    for file in &files {
        let (pages, cached) = residency(file)?;
        found.pages += pages;
        found.pages_cached += cached;
    }
    Ok(found)
}

/// The open flags in a file of `/proc/self/fdinfo`, which are written in octal.
fn flags_of(info: &str) -> Option<i32> {
    let text = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    i32::from_str_radix(text.trim(), 8).ok()
}

/// Adds the writable shared mappings of the topics' logs in `smaps`.
fn add_mappings(found: &mut OpenFiles, smaps: &str, dir: &Path, topics: &Topics) {
    let mut is_ours = false;
    for line in smaps.lines() {
        if let Some((permissions, path)) = mapping(line) {
            is_ours = permissions == "rw-s" && path.starts_with(dir) && is_log_of(topics, &path);
            found.shared_mappings += u64::from(is_ours);
        } else if is_ours && let Some((name, size)) = line.split_once(':') {
            let kib = || size.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0);
            match name {
                "Rss" => found.mapped_resident_kib += kib(),
                "Private_Dirty" | "Shared_Dirty" => found.mapped_dirty_kib += kib(),
                _ => {}
            }
        }
    }
}

/// Permissions and file of a mapping, if the line begins one.
fn mapping(line: &str) -> Option<(&str, PathBuf)> {
    let (range, rest) = line.split_once(' ')?;
    let (from, to) = range.split_once('-')?;
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex(from) || !is_hex(to) {
        return None;
    }
    let permissions = rest.split(' ').next()?;
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    Some((permissions, PathBuf::from(path)))
}

/// Pages of a file, preallocated ones included, and how many of them are in the page cache.
fn residency(path: &Path) -> io::Result<(u64, u64)> {
    let file = std::fs::File::open(path)?;
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if len == 0 {
        return Ok((0, 0));
    }
    let page = rustix::param::page_size();
    let mut resident = vec![0_u8; len.div_ceil(page)];
    // SAFETY: a new mapping of `len` bytes, at an address of the kernel's choice, that is never read or written through;
    // it is unmapped below.
    let address =
        unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping made above has `len` bytes, and `resident` a byte for each of its pages.
    let looked = unsafe { libc::mincore(address, len, resident.as_mut_ptr()) };
    let error = io::Error::last_os_error();
    // SAFETY: exactly the mapping made above, which nothing else refers to.
    unsafe { libc::munmap(address, len) };
    if looked != 0 {
        return Err(error);
    }
    let cached = resident.iter().filter(|page| **page & 1 != 0).count();
    Ok((resident.len() as u64, cached as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_octal() {
        assert_eq!(
            flags_of("pos:\t0\nflags:\t0140001\nmnt_id:\t9\n"),
            Some(libc::O_DIRECT | libc::O_WRONLY | 0o100_000)
        );
    }

    #[test]
    fn only_writable_shared_mappings_of_the_topics_logs_count() {
        let smaps = "\
7f00-7f01 rw-s 00000000 08:01 12   /data/t-0/00000000000000000000.log
Size:               8 kB
Rss:                4 kB
Shared_Dirty:       1 kB
Private_Dirty:      2 kB
7f01-7f02 r--s 00000000 08:01 12   /data/t-0/00000000000000000000.log
Rss:               16 kB
7f02-7f03 rw-p 00000000 00:00 0
Rss:               32 kB
7f03-7f04 rw-s 00000000 08:01 13   /data/other-0/00000000000000000000.log
Rss:               64 kB
Private_Dirty:     64 kB
";
        let mut found = OpenFiles::default();
        add_mappings(&mut found, smaps, Path::new("/data"), &Topics::one("t", 1));
        assert_eq!((found.shared_mappings, found.mapped_resident_kib, found.mapped_dirty_kib), (1, 4, 3));
    }

    #[test]
    fn descriptors_and_residency_of_this_process() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("t-0");
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("00000000000000000000.log");
        let mut file = std::fs::File::create(&path).unwrap();
        io::Write::write_all(&mut file, &[1; 10_000]).unwrap();
        let found = open_files(dir.path(), &Topics::one("t", 1)).unwrap();
        assert_eq!((found.descriptors, found.direct, found.shared_mappings), (1, 0, 0));
        assert_eq!(found.pages, 3);
        assert!(found.pages_cached <= found.pages);
        drop(file);
        assert_eq!(open_files(dir.path(), &Topics::one("t", 1)).unwrap().descriptors, 0);
    }
}
