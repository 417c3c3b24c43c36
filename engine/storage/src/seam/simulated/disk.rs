//! The simulated disk's names and files, as a backend meets them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::SimulatedDisk;
use super::faults::Point;
use super::file::SimulatedFile;
use super::names::Change;
use super::ring::SimulatedRing;
use super::world::has_stopped;
use crate::seam::{Disk, DiskFile, Open, Ring};

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.world.state();
        let generation = state.generation;
        let id = match state.names.get(path) {
            _ if state.stopped => return Err(has_stopped()),
            Some(_) if how.create_new => return Err(io::ErrorKind::AlreadyExists.into()),
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
        Ok(Arc::new(SimulatedFile::new(self.world.clone(), &mut state, id, how.direct)?))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.world.state().names.make_directory(path);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.world.state();
        if !state.names.has_directory(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(state.names.list(dir))
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

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        // This disk has one caller at a time for a name.
        if self.world.state().names.get(to).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.rename(from, to)
    }

    fn take_over(&self, from: &Path, to: &Path) -> io::Result<Option<Arc<dyn DiskFile>>> {
        let file = self.open(from, Open::default())?;
        let is_held = {
            let mut state = self.world.state();
            let id = state.names.get(from).ok_or(io::ErrorKind::NotFound)?;
            // The image's own, and that of `file`.
            Arc::strong_count(&state.image(id)?.holders) > 2
        };
        if is_held {
            return Ok(None);
        }
        self.rename(from, to)?;
        Ok(Some(file))
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
