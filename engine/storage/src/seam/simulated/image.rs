//! A file's content twice: as the page cache has it, and as the device has it for sure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use super::power_loss::PowerLoss;
use super::random::Random;
use super::region::Region;
use super::{BLOCK, Block};

/// How many earlier contents of an unsynced block are remembered: any of them may have reached the device.
const VERSIONS_MAX: usize = 3;

/// One file.
pub(super) struct Image {
    pub(super) cache: Arc<Region>,
    pub(super) len: u64,
    /// Blocks that count against the disk's capacity: all up to this one.
    pub(super) blocks: u64,
    /// False once its name is gone: its blocks are free again.
    pub(super) linked: bool,
    /// Somebody maps it, so any block may have changed without a call.
    pub(super) mapped: bool,
    /// Reading it would have to wait for the device.
    pub(super) cold: bool,
    /// Pages could not be written back. Whoever waits next, for a sync or for pages on their way, is told, and nobody after.
    pub(super) lost_pages: Option<i32>,
    /// One copy for each descriptor and map of it.
    pub(super) holders: Arc<()>,
    /// Blocks written since the last sync, with contents they had in between.
    unsynced: BTreeMap<u64, Vec<Block>>,
    /// Blocks whose sync failed: the kernel has marked them clean, no later sync writes them.
    forgotten: BTreeSet<u64>,
    /// Lengths since the last sync, in order.
    unsynced_lens: Vec<u64>,
    durable: BTreeMap<u64, Block>,
    durable_len: u64,
}

impl Image {
    pub(super) fn new() -> io::Result<Image> {
        Ok(Image {
            cache: Arc::new(Region::new()?),
            len: 0,
            blocks: 0,
            linked: true,
            mapped: false,
            cold: false,
            lost_pages: None,
            holders: Arc::default(),
            unsynced: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            unsynced_lens: Vec::new(),
            durable: BTreeMap::new(),
            durable_len: 0,
        })
    }

    /// Writes to the page cache.
    pub(super) fn write(&mut self, position: u64, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = position + bytes.len() as u64;
        self.extend(end)?;
        self.change(position..end);
        self.cache.write(position, bytes);
        Ok(())
    }

    /// Reads from the page cache; fewer bytes at the end of the file.
    pub(super) fn read(&self, buffer: &mut [u8], position: u64) -> usize {
        let read = buffer.len().min(self.len.saturating_sub(position) as usize);
        self.cache.read(position.min(self.len), &mut buffer[..read]);
        read
    }

    /// Makes the file at least `len` bytes long.
    pub(super) fn extend(&mut self, len: u64) -> io::Result<()> {
        self.cache.open_to(len)?;
        self.blocks = self.blocks.max(blocks_of(len));
        if len > self.len {
            self.len = len;
            self.unsynced_lens.push(len);
        }
        Ok(())
    }

    /// Lets bytes of the file read as zeros.
    pub(super) fn zero(&mut self, range: Range<u64>) -> io::Result<()> {
        self.extend(range.end)?;
        self.change(range.clone());
        self.cache.zero(range);
        Ok(())
    }

    /// Sets the length; what is cut off is gone.
    pub(super) fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.cache.open_to(len)?;
        if len < self.len {
            self.change(len..self.len.min(blocks_of(len) * BLOCK as u64));
            self.cache.zero(len..self.len);
            let behind = blocks_of(len);
            self.unsynced.retain(|block, _| *block < behind);
            self.forgotten.retain(|block| *block < behind);
            self.blocks = self.blocks.min(behind);
        }
        if len != self.len {
            self.len = len;
            self.unsynced_lens.push(len);
        }
        Ok(())
    }

    /// Everything reaches the device.
    pub(super) fn sync(&mut self) {
        for len in std::mem::take(&mut self.unsynced_lens) {
            self.set_durable_len(len);
        }
        for block in self.changed() {
            self.durable.insert(block, self.cache.block(block));
        }
        self.unsynced.clear();
    }

    /// A sync that failed: nothing reached the device, and the kernel believes that all is clean.
    pub(super) fn fail_sync(&mut self) {
        let changed = self.changed();
        self.forgotten.extend(changed);
        self.unsynced.clear();
    }

    /// What the next process sees after this one died: the page cache, but none of its stores from now on.
    pub(super) fn lose_process(&mut self) -> io::Result<()> {
        if self.mapped {
            for block in self.changed() {
                self.unsynced.entry(block).or_default();
            }
            self.mapped = false;
            self.move_cache(|image, block| image.cache.block(block))?;
        }
        Ok(())
    }

    /// What the next boot sees: what was durable, and of the rest what chance kept.
    pub(super) fn lose_power(&mut self, loss: PowerLoss, random: &mut Random) -> io::Result<()> {
        let changed: Vec<(u64, Vec<Block>)> =
            self.changed().into_iter().map(|block| (block, self.possible_contents(block))).collect();
        let kept = loss.prefix(self.unsynced_lens.len(), random);
        for len in std::mem::take(&mut self.unsynced_lens).into_iter().take(kept) {
            self.set_durable_len(len);
        }
        for (block, contents) in changed.into_iter().filter(|(block, _)| *block < blocks_of(self.durable_len)) {
            let before = self.durable.remove(&block).unwrap_or_else(|| Box::new([0; BLOCK]));
            self.durable.insert(block, loss.block(before, &contents, random));
        }
        self.set_durable_len(self.durable_len);
        (self.mapped, self.cold, self.len) = (false, true, self.durable_len);
        self.blocks = blocks_of(self.len);
        (self.unsynced, self.forgotten) = Default::default();
        self.move_cache(|image, block| image.durable.get(&block).cloned().unwrap_or_else(|| Box::new([0; BLOCK])))
    }

    /// Writes the page cache's content to a real file, with holes where it is zero.
    pub(super) fn write_out(&self, file: &File) -> io::Result<()> {
        file.set_len(self.len)?;
        for block in 0..blocks_of(self.len) {
            let (content, start) = (self.cache.block(block), block * BLOCK as u64);
            if content.iter().any(|byte| *byte != 0) {
                let inside = (self.len - start).min(BLOCK as u64) as usize;
                file.write_all_at(&content[..inside], start)?;
            }
        }
        Ok(())
    }

    /// Notes that the bytes of `range` are about to change.
    fn change(&mut self, range: Range<u64>) {
        for block in range.start / BLOCK as u64..blocks_of(range.end) {
            self.forgotten.remove(&block);
            match self.unsynced.get_mut(&block) {
                Some(versions) if versions.len() < VERSIONS_MAX => versions.push(self.cache.block(block)),
                Some(_) => {}
                None => {
                    self.unsynced.insert(block, Vec::new());
                }
            }
        }
    }

    /// Blocks that the next sync has to write.
    fn changed(&self) -> Vec<u64> {
        let candidates: Vec<u64> =
            if self.mapped { (0..blocks_of(self.len)).collect() } else { self.unsynced.keys().copied().collect() };
        candidates.into_iter().filter(|block| !self.forgotten.contains(block) && self.differs(*block)).collect()
    }

    fn differs(&self, block: u64) -> bool {
        let cached = self.cache.block(block);
        match self.durable.get(&block) {
            Some(durable) => *durable != cached,
            None => cached.iter().any(|byte| *byte != 0),
        }
    }

    /// What the device may hold of an unsynced block, the present content first.
    fn possible_contents(&self, block: u64) -> Vec<Block> {
        let mut contents = vec![self.cache.block(block)];
        contents.extend(self.unsynced.get(&block).into_iter().flatten().cloned());
        contents
    }

    fn set_durable_len(&mut self, len: u64) {
        self.durable_len = len;
        self.durable.retain(|block, _| *block < blocks_of(len));
        let inside = (len % BLOCK as u64) as usize;
        if inside != 0
            && let Some(last) = self.durable.get_mut(&(len / BLOCK as u64))
        {
            last[inside..].fill(0);
        }
    }

    /// Gives the file new memory, so that whoever maps the old one changes nothing here.
    fn move_cache(&mut self, content: impl Fn(&Image, u64) -> Block) -> io::Result<()> {
        let region = Region::new()?;
        region.open_to(self.len)?;
        for block in 0..blocks_of(self.len) {
            let content = content(self, block);
            if content.iter().any(|byte| *byte != 0) {
                region.write(block * BLOCK as u64, &*content);
            }
        }
        self.cache = Arc::new(region);
        Ok(())
    }
}

/// How many blocks hold `len` bytes.
pub(super) fn blocks_of(len: u64) -> u64 {
    len.div_ceil(BLOCK as u64)
}
