//! Other settings while the log is in use.

use std::sync::{Arc, PoisonError};

use super::{Log, Result, Writing};
use crate::config::LogConfig;
use crate::recovery::reopen;
use crate::segment::Contents;

impl Log {
    /// Obeys `config` from the next operation on.
    ///
    /// What has been acknowledged stays so, and what is on disk stays as it is: the active segment is rolled at the next
    /// batch if it is too large by now, and at the size that its file was made for if it might be larger by now.
    pub fn reconfigure(&self, config: LogConfig) -> Result<()> {
        let level = config.ack_level;
        let _upkeep = self.upkeep();
        // No append sees half of it.
        let mut writing = self.writing();
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        let done = self.make_room_in_an_empty_segment(&mut writing);
        let done = self.all_or_broken(&mut writing, done);
        drop(writing);
        self.set_ack_level(level);
        done
    }

    /// An empty segment cannot be rolled: its successor would have its name. One whose file was made for less than a
    /// batch may have by now is made anew.
    fn make_room_in_an_empty_segment(&self, writing: &mut Writing) -> Result<()> {
        let (config, mut segments) = (self.config(), self.segments());
        let Some(active) = segments.pop() else { return Ok(()) };
        let fits = active.contents().size > 0 || active.contents().capacity >= config.segment_bytes;
        if fits || writing.writer.is_none() {
            return Ok(());
        }
        let base = active.base;
        drop(active);
        self.end_writing(writing)?;
        self.set_segments(segments.clone());
        let contents = Contents::new(base, &config, self.clock.wall_ms());
        let (writer, segment) =
            reopen(&*self.storage, base, contents, &config).map_err(|source| self.storage_error(source))?;
        writing.writer = Some(writer);
        segments.push(segment);
        self.set_segments(segments);
        Ok(())
    }
}
