//! Memory that plays a file's page cache, at an address that stays.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

use super::{BLOCK, Block};

/// Address space per file: no simulated file grows beyond this.
pub(super) const REGION_BYTES: usize = 2 << 30;

/// Address space of which the first pages can be touched, and no others: a store behind the file's end dies
/// here as it does (by SIGBUS) in a real mapping.
pub(super) struct Region {
    address: *mut u8,
    open: AtomicUsize,
}

// SAFETY: plain memory that the region owns; the disk's lock orders its own accesses, and mapped ones are
// ordered, as in a real mapping, by those who map.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    pub(super) fn new() -> io::Result<Region> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let address =
            unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), REGION_BYTES, ProtFlags::empty(), flags)? };
        Ok(Region { address: address.cast(), open: AtomicUsize::new(0) })
    }

    pub(super) fn as_ptr(&self) -> *mut u8 {
        self.address
    }

    /// Lets the first `len` bytes, in whole pages, be touched.
    pub(super) fn open_to(&self, len: u64) -> io::Result<()> {
        let (open, end) = (self.open.load(Ordering::Acquire), (len as usize).next_multiple_of(BLOCK));
        if end <= open {
            return Ok(());
        }
        if end > REGION_BYTES {
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        }
        let (start, protection) = (self.address.wrapping_add(open), MprotectFlags::READ | MprotectFlags::WRITE);
        // SAFETY: the range lies inside this region, and opening it takes nothing from anybody.
        unsafe { rustix::mm::mprotect(start.cast(), end - open, protection)? };
        self.open.store(end, Ordering::Release);
        Ok(())
    }

    /// Copies `bytes` in.
    pub(super) fn write(&self, position: u64, bytes: &[u8]) {
        self.check(position as usize..position as usize + bytes.len());
        // SAFETY: inside the open part (checked); the source is not this region, which is lent only as raw memory.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.address.add(position as usize), bytes.len()) };
    }

    /// Copies bytes out.
    pub(super) fn read(&self, position: u64, buffer: &mut [u8]) {
        self.check(position as usize..position as usize + buffer.len());
        // SAFETY: inside the open part (checked). Whoever reads a range that is being stored to through a
        // mapping gets what a kernel would give: some mixture, of which nobody was promised anything.
        unsafe {
            std::ptr::copy_nonoverlapping(self.address.add(position as usize), buffer.as_mut_ptr(), buffer.len())
        };
    }

    /// Block number `block` as it is now.
    pub(super) fn block(&self, block: u64) -> Block {
        let mut copy = Box::new([0; BLOCK]);
        self.read(block * BLOCK as u64, &mut *copy);
        copy
    }

    /// Fills with zeros.
    pub(super) fn zero(&self, range: Range<u64>) {
        self.check(range.start as usize..range.end as usize);
        // SAFETY: inside the open part (checked).
        unsafe { std::ptr::write_bytes(self.address.add(range.start as usize), 0, (range.end - range.start) as usize) };
    }

    fn check(&self, range: Range<usize>) {
        assert!(range.end <= self.open.load(Ordering::Acquire), "{range:?} lies behind the end of the file");
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: address and length are those of mmap, and nobody holds the region any more.
        let unmapped = unsafe { rustix::mm::munmap(self.address.cast(), REGION_BYTES) };
        debug_assert!(unmapped.is_ok(), "unmapping a mapping of ours cannot fail");
    }
}
