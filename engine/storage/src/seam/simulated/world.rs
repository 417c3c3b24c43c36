//! The state of a simulated disk, and what every operation on it passes through.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::BLOCK;
use super::Crash;
use super::faults::{Faults, Point, Verdict};
use super::image::Image;
use super::names::{Change, FileId, Names};
use super::power_loss::PowerLoss;
use super::random::Random;

pub(super) struct World {
    pub(super) state: Mutex<State>,
    /// Notified when a device that stood still goes on, or nobody needs to wait for it any more.
    pub(super) device: Arc<Condvar>,
}

pub(super) struct State {
    pub(super) names: Names,
    pub(super) images: BTreeMap<FileId, Image>,
    pub(super) faults: Faults,
    pub(super) random: Random,
    pub(super) files_made: u64,
    /// Counts restarts. A file belongs to the one in which it was opened.
    pub(super) generation: u64,
    pub(super) stopped: bool,
    pub(super) device_held: bool,
    device: Arc<Condvar>,
    pub(super) capacity_blocks: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let device = Arc::new(Condvar::new());
        let state = State {
            names: Names::default(),
            images: BTreeMap::new(),
            faults: Faults::default(),
            random: Random::new(seed),
            files_made: 0,
            generation: 0,
            stopped: false,
            device_held: false,
            device: device.clone(),
            capacity_blocks: u64::MAX,
        };
        World { state: Mutex::new(state), device }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// The disk, once its device moves, for an operation of `generation`.
    pub(super) fn when_device_moves(&self, generation: u64) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        while state.device_held && !state.stopped && state.generation == generation {
            state = self.device.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped || state.generation != generation { Err(has_stopped()) } else { Ok(state) }
    }
}

impl State {
    /// Lets an operation of a process of `generation` happen, or says why not. `Stop` ends the machine.
    pub(super) fn meet(&mut self, point: Point, generation: u64) -> io::Result<Verdict> {
        if self.stopped || generation != self.generation {
            return Err(has_stopped());
        }
        match self.faults.meet(point) {
            Verdict::Disturbed(error) => Err(error),
            Verdict::Stop => {
                self.stopped = true;
                self.device.notify_all();
                Ok(Verdict::Stop)
            }
            verdict => Ok(verdict),
        }
    }

    /// As `meet`, for operations that happen whole or not at all.
    pub(super) fn meet_whole(&mut self, point: Point, generation: u64) -> io::Result<()> {
        match self.meet(point, generation)? {
            Verdict::Stop => Err(has_stopped()),
            Verdict::Fail(error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Leaves of everything what a crash leaves.
    pub(super) fn lose(&mut self, crash: Crash) -> io::Result<()> {
        let loss = match crash {
            Crash::Process => None,
            Crash::Power => Some(PowerLoss::by_chance(&mut self.random)),
        };
        if let Some(loss) = loss {
            self.names.lose_power(loss, &mut self.random);
        }
        let named = self.names.files();
        self.images.retain(|id, _| named.contains(id));
        for (id, image) in &mut self.images {
            image.linked = self.names.has(*id);
            match loss {
                None => image.lose_process()?,
                Some(loss) => image.lose_power(loss, &mut self.random)?,
            }
        }
        Ok(())
    }

    /// Blocks that files may still take.
    pub(super) fn free_blocks(&self) -> u64 {
        let used: u64 = self.images.values().filter(|image| image.linked).map(|image| image.blocks).sum();
        self.capacity_blocks.saturating_sub(used)
    }

    /// How long a file may become that is to be `wanted` bytes long.
    pub(super) fn affordable_len(&self, id: FileId, wanted: u64) -> u64 {
        let blocks = self.images.get(&id).map_or(0, |image| image.blocks);
        wanted.min(blocks.saturating_add(self.free_blocks()).saturating_mul(BLOCK as u64))
    }

    pub(super) fn image(&mut self, id: FileId) -> io::Result<&mut Image> {
        self.images.get_mut(&id).ok_or_else(has_stopped)
    }

    pub(super) fn make_file(&mut self, path: &Path) -> io::Result<FileId> {
        self.files_made += 1;
        let id = self.files_made;
        self.images.insert(id, Image::new()?);
        self.names.change(Change::Link(path.to_owned(), id));
        Ok(id)
    }

    pub(super) fn unlink(&mut self, id: Option<FileId>) {
        if let Some(image) = id.and_then(|id| self.images.get_mut(&id)) {
            image.linked = false;
        }
    }
}

pub(super) fn has_stopped() -> io::Error {
    io::Error::other("the simulated machine has stopped")
}
