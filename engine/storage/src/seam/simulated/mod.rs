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

use std::fs::File;
use std::io;
use std::sync::Arc;

use self::faults::Faults;
use self::world::World;

pub use self::faults::Point;

mod disk;
mod faults;
mod file;
mod image;
mod names;
mod power_loss;
mod random;
mod region;
mod ring;
mod world;

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

impl SimulatedDisk {
    /// An empty disk without faults. `seed` decides all that chance decides.
    pub fn new(seed: u64) -> SimulatedDisk {
        SimulatedDisk { world: Arc::new(World::new(seed)) }
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

    /// Lets pages of a file be lost on their way to the device: the next call that waits for any of it is told, once.
    pub fn lose_pages(&self, path: &std::path::Path, errno: i32) {
        let mut state = self.world.state();
        if let Some(id) = state.names.get(path) {
            state.image(id).into_iter().for_each(|image| image.lost_pages = Some(errno));
        }
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
        state.lose(crash)?;
        state.generation += 1;
        (state.stopped, state.device_held) = (false, false);
        self.world.device.notify_all();
        state.faults = Faults::default();
        Ok(())
    }

    /// Ends the machine for good and writes what `crash` has left to the real file system, under the same names: another process
    /// finds it there as it would after a crash of its machine.
    ///
    /// # Errors
    /// The host has no address space left, or the real file system refuses.
    pub fn leave(&self, crash: Crash) -> io::Result<()> {
        let state = &mut *self.world.state();
        state.stopped = true;
        self.world.device.notify_all();
        state.lose(crash)?;
        state.names.directories().try_for_each(std::fs::create_dir_all)?;
        state.names.seen().try_for_each(|(path, id)| match state.images.get(&id) {
            Some(image) => image.write_out(&File::create(path)?),
            None => Ok(()),
        })
    }
}
