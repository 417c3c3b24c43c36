//! An open file and a mapping of the simulated disk.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::RawFd;
use std::sync::{Arc, MutexGuard};

use super::BLOCK;
use super::faults::{Point, Verdict};
use super::image::blocks_of;
use super::names::FileId;
use super::region::{REGION_BYTES, Region};
use super::world::{State, World, has_stopped};
use crate::seam::{DiskFile, FileIdentity, Mapping};

/// What a device writes or reads whole: short direct I/O ends at such a bound.
const SECTOR: usize = 512;

/// One descriptor.
pub(super) struct SimulatedFile {
    world: Arc<World>,
    id: FileId,
    generation: u64,
    direct: bool,
    _holder: Arc<()>,
}

impl SimulatedFile {
    /// A descriptor of a file of `state`, which is that of `world`.
    pub(super) fn new(world: Arc<World>, state: &mut State, id: FileId, direct: bool) -> io::Result<SimulatedFile> {
        let holder = Arc::clone(&state.image(id)?.holders);
        Ok(SimulatedFile { world, id, generation: state.generation, direct, _holder: holder })
    }

    /// The disk, if this descriptor's process still lives.
    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.world.state();
        if state.stopped || state.generation != self.generation { Err(has_stopped()) } else { Ok(state) }
    }

    /// The disk, once the device can serve this descriptor.
    fn device(&self) -> io::Result<MutexGuard<'_, State>> {
        self.world.when_device_moves(self.generation)
    }

    /// Direct I/O from or to unaligned memory, or at an unaligned position, is EINVAL.
    fn check_alignment(&self, address: *const u8, len: usize, position: u64) -> io::Result<()> {
        let aligned = (address as usize).is_multiple_of(BLOCK)
            && len.is_multiple_of(BLOCK)
            && position.is_multiple_of(BLOCK as u64);
        if self.direct && !aligned { Err(io::Error::from_raw_os_error(libc::EINVAL)) } else { Ok(()) }
    }

    /// Part of `len` bytes, but not nothing: what a short transfer moves.
    fn part_of(&self, state: &mut State, len: usize) -> usize {
        let unit = if self.direct { SECTOR } else { 1 };
        let units = len / unit;
        if units < 2 { len } else { unit * (1 + state.random.below(units as u64 - 1) as usize) }
    }
}

impl DiskFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.alive()?.image(self.id)?.len)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        for part in parts {
            self.check_alignment(part.as_ptr(), part.len(), position)?;
        }
        let mut state = if self.direct { self.device()? } else { self.alive()? };
        let verdict = state.meet(Point::Write, self.generation)?;
        if let Verdict::Fail(error) = verdict {
            return Err(error);
        }
        let end = position + bytes.len() as u64;
        let mut len = state.affordable_len(self.id, end).saturating_sub(position) as usize;
        if len == 0 && !bytes.is_empty() {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        if matches!(verdict, Verdict::Short | Verdict::Stop) {
            len = self.part_of(&mut state, len);
        }
        state.image(self.id)?.write(position, &bytes[..len])?;
        if let Verdict::Stop = verdict { Err(has_stopped()) } else { Ok(len) }
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.check_alignment(buffer.as_ptr(), buffer.len(), position)?;
        let from_device = self.direct || self.alive()?.image(self.id)?.cold;
        let mut state = if from_device { self.device()? } else { self.alive()? };
        let len = match state.meet(Point::Read, self.generation)? {
            Verdict::Fail(error) => return Err(error),
            Verdict::Stop => return Err(has_stopped()),
            Verdict::Short => self.part_of(&mut state, buffer.len()),
            Verdict::Go | Verdict::Disturbed(_) => buffer.len(),
        };
        let image = state.image(self.id)?;
        image.cold &= self.direct;
        Ok(image.read(&mut buffer[..len], position))
    }

    fn read_at_nowait(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        if self.alive()?.image(self.id)?.cold {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.read_at(buffer, position)
    }

    fn allocate(&self, range: Range<u64>) -> io::Result<()> {
        let mut state = self.alive()?;
        state.meet_whole(Point::Allocate, self.generation)?;
        if state.affordable_len(self.id, range.end) < range.end {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        state.image(self.id)?.extend(range.end)
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        let mut state = self.alive()?;
        state.meet_whole(Point::Allocate, self.generation)?;
        state.image(self.id)?.zero(range)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.alive()?;
        state.meet_whole(Point::Truncate, self.generation)?;
        state.image(self.id)?.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.device()?;
        match state.meet(Point::Sync, self.generation)? {
            Verdict::Stop => Err(has_stopped()),
            Verdict::Fail(error) => {
                state.image(self.id)?.fail_sync();
                Err(error)
            }
            _ => {
                let image = state.image(self.id)?;
                if let Some(errno) = image.lost_pages.take() {
                    image.fail_sync();
                    return Err(io::Error::from_raw_os_error(errno));
                }
                image.sync();
                Ok(())
            }
        }
    }

    fn write_back(&self, _range: Range<u64>, wait: bool) -> io::Result<()> {
        // Bytes on their way are as uncertain as bytes that have not left: nothing moves between the images.
        let mut state = if wait { self.device()? } else { self.alive()? };
        state.meet_whole(Point::WriteBack, self.generation)?;
        let told = if wait { state.image(self.id)?.lost_pages.take() } else { None };
        told.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }

    fn read_ahead(&self, _range: Range<u64>) -> io::Result<()> {
        self.alive()?.image(self.id)?.cold = false;
        Ok(())
    }

    fn forget(&self, _range: Range<u64>) -> io::Result<()> {
        self.alive()?.image(self.id)?.cold = true;
        Ok(())
    }

    fn map(&self, len: u64) -> io::Result<Arc<dyn Mapping>> {
        let mut state = self.alive()?;
        if len == 0 || len > REGION_BYTES as u64 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let image = state.image(self.id)?;
        image.mapped = true;
        let (region, world, _holder) = (image.cache.clone(), self.world.clone(), Arc::clone(&image.holders));
        let (id, generation, len) = (self.id, self.generation, len as usize);
        Ok(Arc::new(SimulatedMapping { region, world, id, generation, len, _holder }))
    }

    fn direct_alignment(&self) -> io::Result<u32> {
        Ok(BLOCK as u32)
    }

    fn raw_fd(&self) -> Option<RawFd> {
        None
    }

    fn identity(&self) -> io::Result<FileIdentity> {
        drop(self.alive()?);
        Ok(FileIdentity { number: self.id, made_ns: 0 })
    }
}

struct SimulatedMapping {
    region: Arc<Region>,
    world: Arc<World>,
    id: FileId,
    generation: u64,
    len: usize,
    _holder: Arc<()>,
}

impl SimulatedMapping {
    /// Pages behind the end of the file cannot be populated, and storing to one that has no block needs one.
    fn populate(&self, range: Range<usize>, point: Point) -> io::Result<()> {
        let mut state = match point {
            Point::Read => self.world.when_device_moves(self.generation)?,
            _ => self.world.state(),
        };
        state.meet_whole(point, self.generation)?;
        let len = state.image(self.id)?.len;
        let affordable = state.affordable_len(self.id, range.end as u64);
        let behind = range.end as u64 > blocks_of(len) * BLOCK as u64;
        if behind || (point == Point::Populate && affordable < range.end as u64) {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        let image = state.image(self.id)?;
        image.cold = false;
        if point == Point::Populate {
            image.blocks = image.blocks.max(blocks_of(range.end as u64));
        }
        Ok(())
    }
}

impl Mapping for SimulatedMapping {
    fn as_ptr(&self) -> *mut u8 {
        self.region.as_ptr()
    }

    fn len(&self) -> usize {
        self.len
    }

    fn populate_write(&self, range: Range<usize>) -> io::Result<()> {
        self.populate(range, Point::Populate)
    }

    fn populate_read(&self, range: Range<usize>) -> io::Result<()> {
        self.populate(range, Point::Read)
    }

    fn let_go(&self, _range: Range<usize>) -> io::Result<()> {
        Ok(())
    }

    fn resident(&self, range: Range<usize>) -> io::Result<usize> {
        let mut state = self.world.state();
        if state.stopped || state.generation != self.generation {
            return Err(has_stopped());
        }
        Ok(if state.image(self.id)?.cold { 0 } else { range.len() })
    }
}
