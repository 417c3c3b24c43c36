//! The real disk: each call is one system call.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut};
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Advice, AtFlags, FallocateFlags, RenameFlags, StatxFlags};
use rustix::io::ReadWriteFlags;
use rustix::mm::{Advice as MapAdvice, MapFlags, ProtFlags};

use super::real_ring::RealRing;
use super::{Disk, DiskFile, FileIdentity, Mapping, Open, Ring};

/// `writev` takes at most this many slices (IOV_MAX); the caller writes the rest in a next call.
const SLICES_MAX: usize = 1024;

/// What `mincore` and the page tables count in on all machines that this runs on.
pub(crate) const PAGE: usize = 4096;

/// The kernel's file systems.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let flags = if how.direct { libc::O_DIRECT } else { 0 };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(how.create_new)
            .create(how.create)
            .truncate(false)
            .custom_flags(flags)
            .open(path)?;
        Ok(Arc::new(RealFile { file }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let missing: Vec<&Path> =
            path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).collect();
        std::fs::create_dir_all(path)?;
        for parent in missing.iter().filter_map(|dir| dir.parent()) {
            self.sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            // The directory says which kind it is, on file systems that keep that there: no look at each file.
            match entry.file_type() {
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                Ok(_) => {}
                // Removed since its name was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, RenameFlags::NOREPLACE)?)
    }

    fn take_over(&self, from: &Path, to: &Path) -> io::Result<Option<Arc<dyn DiskFile>>> {
        let file = OpenOptions::new().read(true).write(true).open(from)?;
        let Some(lease) = Lease::take(&file) else { return Ok(None) };
        std::fs::rename(from, to)?;
        // Whoever opened or linked it until it lost its name is seen now.
        let is_alone = lease.is_unbroken() && rustix::fs::fstat(&file)?.st_nlink == 1;
        if !is_alone {
            std::fs::rename(to, from)?;
            return Ok(None);
        }
        drop(lease);
        Ok(Some(Arc::new(RealFile { file })))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn ring(&self, entries: u32) -> io::Result<Box<dyn Ring>> {
        Ok(Box::new(RealRing::new(entries)?))
    }
}

/// That nobody else has a file open: the kernel leases it for writing only then, and lets whoever opens it meanwhile wait (fcntl(2)).
struct Lease<'a>(&'a File);

impl Lease<'_> {
    /// `None` if somebody has it open, or mapped, or the file system leases nothing.
    fn take(file: &File) -> Option<Lease<'_>> {
        let lease = Lease(file);
        // The holder of a lease is told of who waits by a signal, and SIGIO, which is meant otherwise, would end the process.
        lease.control(F_SETSIG, libc::SIGURG).and_then(|_| lease.control(F_SETLEASE, libc::F_WRLCK)).ok()?;
        Some(lease)
    }

    /// True if nobody waits for it to be given back.
    fn is_unbroken(&self) -> bool {
        self.control(F_GETLEASE, 0).is_ok_and(|kind| kind == libc::F_WRLCK)
    }

    fn control(&self, command: libc::c_int, argument: libc::c_int) -> io::Result<libc::c_int> {
        // SAFETY: the descriptor is open as long as the borrow; these commands take an integer and touch no memory of ours.
        let answer = unsafe { libc::fcntl(self.0.as_raw_fd(), command, argument) };
        if answer >= 0 { Ok(answer) } else { Err(io::Error::last_os_error()) }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // There may be none to give back.
        self.control(F_SETLEASE, libc::F_UNLCK).ok();
    }
}

/// Commands of `fcntl` as `linux/fcntl.h` has them.
const F_SETSIG: libc::c_int = 10;
const F_SETLEASE: libc::c_int = 1024;
const F_GETLEASE: libc::c_int = 1025;

struct RealFile {
    file: File,
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let parts = &parts[..parts.len().min(SLICES_MAX)];
        Ok(rustix::io::pwritev(&self.file, parts, position)?)
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn read_at_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut buffers = [IoSliceMut::new(buffer)];
        Ok(rustix::io::preadv2(&self.file, &mut buffers, position, ReadWriteFlags::NOWAIT)?)
    }

    fn allocate(&self, range: Range<u64>) -> io::Result<()> {
        Ok(rustix::fs::fallocate(&self.file, FallocateFlags::empty(), range.start, range.end - range.start)?)
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        Ok(rustix::fs::fallocate(&self.file, FallocateFlags::ZERO_RANGE, range.start, range.end - range.start)?)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write_back(&self, range: Range<u64>, wait: bool) -> io::Result<()> {
        let flags = if wait {
            libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER
        } else {
            libc::SYNC_FILE_RANGE_WRITE
        };
        let (start, len) = (range.start as i64, (range.end - range.start) as i64);
        // SAFETY: the descriptor is open as long as `self`; the call touches no memory of ours.
        let answer = unsafe { libc::sync_file_range(self.file.as_raw_fd(), start, len, flags) };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn read_ahead(&self, range: Range<u64>) -> io::Result<()> {
        let (start, len) = (range.start as i64, (range.end - range.start) as usize);
        // SAFETY: the descriptor is open as long as `self`; the call touches no memory of ours.
        let answer = unsafe { libc::readahead(self.file.as_raw_fd(), start, len) };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn forget(&self, range: Range<u64>) -> io::Result<()> {
        let len = std::num::NonZeroU64::new(range.end - range.start);
        Ok(rustix::fs::fadvise(&self.file, range.start, len, Advice::DontNeed)?)
    }

    fn map(&self, len: u64) -> io::Result<Arc<dyn Mapping>> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let address = unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, protection, flags, &self.file, 0)? };
        Ok(Arc::new(RealMapping { address: address.cast(), len }))
    }

    fn direct_alignment(&self) -> io::Result<u32> {
        // tmpfs takes O_DIRECT since Linux 6.6, and ignores it.
        if rustix::fs::fstatfs(&self.file)?.f_type == libc::TMPFS_MAGIC {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "tmpfs keeps files in memory, without a device"));
        }
        // STATX_DIOALIGN (Linux 6.1) has no name in rustix yet; the fields it fills have.
        let mask = StatxFlags::from_bits_retain(libc::STATX_DIOALIGN);
        let answer = rustix::fs::statx(&self.file, "", AtFlags::EMPTY_PATH, mask)?;
        if answer.stx_mask & libc::STATX_DIOALIGN == 0 {
            return Ok(PAGE as u32);
        }
        match answer.stx_dio_mem_align.max(answer.stx_dio_offset_align) {
            0 => Err(io::Error::new(io::ErrorKind::Unsupported, "this file system has no direct I/O")),
            alignment => Ok(alignment),
        }
    }

    fn raw_fd(&self) -> Option<RawFd> {
        Some(self.file.as_raw_fd())
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        let answer = rustix::fs::statx(&self.file, "", AtFlags::EMPTY_PATH, StatxFlags::INO | StatxFlags::BTIME)?;
        let made = answer.stx_btime;
        let made_ns = i128::from(made.tv_sec) * 1_000_000_000 + i128::from(made.tv_nsec);
        Ok(FileIdentity { number: answer.stx_ino, made_ns })
    }
}

struct RealMapping {
    address: *mut u8,
    len: usize,
}

// SAFETY: the mapping is plain shared memory; who may touch which bytes when is up to those who hold it.
unsafe impl Send for RealMapping {}
// SAFETY: as above: no method changes the struct itself.
unsafe impl Sync for RealMapping {}

impl RealMapping {
    /// `range` widened to whole pages, as address and length.
    fn pages(&self, range: Range<usize>) -> (*mut u8, usize) {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} lies outside the mapping");
        let start = range.start - range.start % PAGE;
        (self.address.wrapping_add(start), range.end - start)
    }

    fn advise(&self, range: Range<usize>, advice: MapAdvice) -> io::Result<()> {
        let (address, len) = self.pages(range);
        // SAFETY: the range lies inside this mapping, and no advice that is given here changes bytes of a shared one.
        unsafe { rustix::mm::madvise(address.cast(), len, advice)? };
        Ok(())
    }
}

impl Mapping for RealMapping {
    fn as_ptr(&self) -> *mut u8 {
        self.address
    }

    fn len(&self) -> usize {
        self.len
    }

    fn populate_write(&self, range: Range<usize>) -> io::Result<()> {
        self.advise(range, MapAdvice::LinuxPopulateWrite)
    }

    fn populate_read(&self, range: Range<usize>) -> io::Result<()> {
        self.advise(range, MapAdvice::LinuxPopulateRead)
    }

    fn let_go(&self, range: Range<usize>) -> io::Result<()> {
        self.advise(range, MapAdvice::LinuxDontNeed)
    }

    fn resident(&self, range: Range<usize>) -> io::Result<usize> {
        let before = range.start % PAGE;
        let (address, len) = self.pages(range.clone());
        let mut pages = vec![0u8; len.div_ceil(PAGE)];
        // SAFETY: the range lies inside this mapping and `pages` has a byte for each of its pages.
        let answer = unsafe { libc::mincore(address.cast(), len, pages.as_mut_ptr()) };
        if answer != 0 {
            return Err(io::Error::last_os_error());
        }
        let resident = pages.iter().take_while(|page| **page & 1 == 1).count();
        Ok((resident * PAGE).saturating_sub(before).min(range.len()))
    }
}

impl Drop for RealMapping {
    fn drop(&mut self) {
        // SAFETY: address and length are those of mmap, and nobody holds the mapping any more.
        let unmapped = unsafe { rustix::mm::munmap(self.address.cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "unmapping a mapping of ours cannot fail");
    }
}
