//! A disk in memory that can lose power, fill up, tear, reorder and fail.
//!
//! A file is kept twice: what the page cache holds and what the device holds for sure. Names likewise. A sync
//! brings the second up to the first. [`SimulatedDisk::restart`] after [`Crash::Process`] keeps the page cache;
//! after [`Crash::Power`] each unsynced 4 KiB block is, by seed, kept, dropped, torn at 512 bytes, or left with
//! a content it had in between; unsynced lengths and names are kept up to some point of their order, as a
//! journal keeps them. Files that were open before a restart answer with errors, and stores into old
//! mappings go nowhere.
//!
//! What it does not play: bit rot, lost or misdirected writes of a device that lies about its flush.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use self::faults::{Faults, Verdict};
use self::file::SimulatedFile;
use self::image::{Image, blocks_of};
use self::names::{Change, FileId, Names};
use self::power_loss::PowerLoss;
use self::random::Random;
use self::ring::SimulatedRing;
use super::{Disk, DiskFile, Open, Ring};

pub use self::faults::Point;

mod faults;
mod file;
mod image;
mod names;
mod power_loss;
mod random;
mod region;
mod ring;

/// What is dropped or kept as one at power loss, and the alignment that direct I/O needs here.
const BLOCK: usize = 4096;

type Block = Box<[u8; BLOCK]>;

/// What ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process: the page cache lives on.
    Process,
    /// The machine.
    Power,
}

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimulatedDisk {
    world: Arc<World>,
}

struct World {
    state: Mutex<State>,
    /// Notified when a device that stood still goes on, or nobody needs to wait for it any more.
    device: Condvar,
}

struct State {
    names: Names,
    images: BTreeMap<FileId, Image>,
    faults: Faults,
    random: Random,
    files_made: u64,
    /// Counts restarts. A file belongs to the one in which it was opened.
    generation: u64,
    stopped: bool,
    device_held: bool,
    capacity_blocks: u64,
}

impl SimulatedDisk {
    /// An empty disk without faults. `seed` decides all that chance decides.
    pub fn new(seed: u64) -> SimulatedDisk {
        let state = State {
            names: Names::default(),
            images: BTreeMap::new(),
            faults: Faults::default(),
            random: Random::new(seed),
            files_made: 0,
            generation: 0,
            stopped: false,
            device_held: false,
            capacity_blocks: u64::MAX,
        };
        SimulatedDisk { world: Arc::new(World { state: Mutex::new(state), device: Condvar::new() }) }
    }

    /// Operations of this kind since the last restart.
    pub fn count(&self, point: Point) -> u64 {
        self.world.state().faults.count(point)
    }

    /// Stops the machine in the middle of the `nth` operation of this kind since the last restart. Everything
    /// fails from then on, until [`SimulatedDisk::restart`].
    pub fn stop_at(&self, point: Point, nth: u64) {
        self.world.state().faults.stop_at(point, nth);
    }

    /// Stops the machine now.
    pub fn stop(&self) {
        self.world.state().stopped = true;
        self.world.device.notify_all();
    }

    /// True once the machine has stopped.
    pub fn has_stopped(&self) -> bool {
        self.world.state().stopped
    }

    /// Fails the `nth` operation of this kind from now (1 is the next one) with `errno`. A sync that fails
    /// leaves behind a kernel that takes what it should have written for clean.
    pub fn fail_next(&self, point: Point, nth: u64, errno: i32) {
        self.world.state().faults.fail_next(point, nth, errno);
    }

    /// Lets each `n`th read and write move fewer bytes than asked; 0 for none.
    pub fn short_every(&self, n: u64) {
        self.world.state().faults.short_every(n);
    }

    /// Answers each `n`th operation with EINTR or EAGAIN, in turn; 0 for none.
    pub fn disturb_every(&self, n: u64) {
        self.world.state().faults.disturb_every(n);
    }

    /// Lets the disk hold this many bytes, in whole 4 KiB blocks. What is there already stays.
    pub fn set_capacity(&self, bytes: u64) {
        self.world.state().capacity_blocks = bytes / BLOCK as u64;
    }

    /// Lets the device stand still: syncs, direct I/O, cold reads and waits for writeback do not return until
    /// [`SimulatedDisk::release_device`]. The page cache goes on taking writes.
    pub fn hold_device(&self) {
        self.world.state().device_held = true;
    }

    /// Lets the device go on.
    pub fn release_device(&self) {
        self.world.state().device_held = false;
        self.world.device.notify_all();
    }

    /// Takes all files' bytes out of memory, as far as callers can see: the next read of any file has to wait for the device.
    pub fn cool(&self) {
        self.world.state().images.values_mut().for_each(|image| image.cold = true);
    }

    /// Ends whatever runs on the disk and lets the next process find what `crash` has left. Planned faults
    /// and counts are gone; the capacity stays.
    ///
    /// # Errors
    /// The host has no address space left.
    pub fn restart(&self, crash: Crash) -> io::Result<()> {
        let state = &mut *self.world.state();
        let loss = match crash {
            Crash::Process => None,
            Crash::Power => Some(PowerLoss::by_chance(&mut state.random)),
        };
        if let Some(loss) = loss {
            state.names.lose_power(loss, &mut state.random);
        }
        let named = state.names.files();
        state.images.retain(|id, _| named.contains(id));
        for (id, image) in &mut state.images {
            image.linked = state.names.has(*id);
            match loss {
                None => image.lose_process()?,
                Some(loss) => image.lose_power(loss, &mut state.random)?,
            }
        }
        state.generation += 1;
        (state.stopped, state.device_held) = (false, false);
        self.world.device.notify_all();
        state.faults = Faults::default();
        Ok(())
    }
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// The disk, once its device moves, for an operation of `generation`.
    fn when_device_moves(&self, generation: u64) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        while state.device_held && !state.stopped && state.generation == generation {
            state = self.device.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped || state.generation != generation { Err(has_stopped()) } else { Ok(state) }
    }
}

impl State {
    /// Lets an operation of a process of `generation` happen, or says why not. `Stop` ends the machine.
    fn meet(&mut self, point: Point, generation: u64) -> io::Result<Verdict> {
        if self.stopped || generation != self.generation {
            return Err(has_stopped());
        }
        match self.faults.meet(point) {
            Verdict::Disturbed(error) => Err(error),
            Verdict::Stop => {
                self.stopped = true;
                Ok(Verdict::Stop)
            }
            verdict => Ok(verdict),
        }
    }

    /// As `meet`, for operations that happen whole or not at all.
    fn meet_whole(&mut self, point: Point, generation: u64) -> io::Result<()> {
        match self.meet(point, generation)? {
            Verdict::Stop => Err(has_stopped()),
            Verdict::Fail(error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Blocks that files may still take.
    fn free_blocks(&self) -> u64 {
        let used: u64 = self.images.values().filter(|image| image.linked).map(|image| image.blocks).sum();
        self.capacity_blocks.saturating_sub(used)
    }

    /// How long a file may become that is to be `wanted` bytes long.
    fn affordable_len(&self, id: FileId, wanted: u64) -> u64 {
        let blocks = self.images.get(&id).map_or(0, |image| image.blocks);
        wanted.min(blocks.saturating_add(self.free_blocks()).saturating_mul(BLOCK as u64))
    }

    fn image(&mut self, id: FileId) -> io::Result<&mut Image> {
        self.images.get_mut(&id).ok_or_else(has_stopped)
    }

    fn make_file(&mut self, path: &Path) -> io::Result<FileId> {
        self.files_made += 1;
        let id = self.files_made;
        self.images.insert(id, Image::new()?);
        self.names.change(Change::Link(path.to_owned(), id));
        Ok(id)
    }

    fn unlink(&mut self, id: Option<FileId>) {
        if let Some(image) = id.and_then(|id| self.images.get_mut(&id)) {
            image.linked = false;
        }
    }
}

fn has_stopped() -> io::Error {
    io::Error::other("the simulated machine has stopped")
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.world.state();
        let generation = state.generation;
        let id = match state.names.get(path) {
            Some(_) if how.create_new => return Err(io::ErrorKind::AlreadyExists.into()),
            Some(id) if state.stopped => return Err(io::Error::other(format!("file {id}: {}", has_stopped()))),
            Some(id) => id,
            None if !how.create && !how.create_new => return Err(io::ErrorKind::NotFound.into()),
            None if !path.parent().is_some_and(|dir| state.names.has_directory(dir)) => {
                return Err(io::ErrorKind::NotFound.into());
            }
            None => {
                state.meet_whole(Point::Names, generation)?;
                state.make_file(path)?
            }
        };
        Ok(Arc::new(SimulatedFile::new(self.world.clone(), id, generation, how.direct)))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.world.state().names.make_directory(path);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        let state = self.world.state();
        if !state.names.has_directory(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let files = state.names.list(dir).into_iter();
        Ok(files.filter_map(|(path, id)| Some((path, state.images.get(&id)?.len))).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.world.state();
        let generation = state.generation;
        state.meet_whole(Point::Names, generation)?;
        if state.names.get(from).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let replaced = state.names.get(to);
        state.unlink(replaced);
        state.names.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.world.state();
        let generation = state.generation;
        state.meet_whole(Point::Names, generation)?;
        let id = state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        state.unlink(Some(id));
        state.names.change(Change::Unlink(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.world.state();
        let generation = state.generation;
        state.meet_whole(Point::SyncNames, generation)?;
        state.names.sync(dir);
        Ok(())
    }

    fn ring(&self, entries: u32) -> io::Result<Box<dyn Ring>> {
        let seed = self.world.state().random.next();
        Ok(Box::new(SimulatedRing::new(entries, seed)))
    }
}
