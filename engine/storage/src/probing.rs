//! Trying out a data directory before a backend promises to run there.

use std::io::{self, IoSlice};

use crate::error::Refused;
use crate::registry::BackendOptions;
use crate::seam::{DiskFile, Open};

/// Makes a small file in the data directory, runs `attempt` on it, and removes it again.
pub(crate) fn probe(
    backend: &'static str,
    options: &BackendOptions,
    attempt: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
) -> Result<(), Refused> {
    let refused = |what: &str, error: io::Error| Refused {
        backend,
        dir: options.dir.clone(),
        reason: format!("{what}: {error}"),
    };
    options.disk.create_dir_all(&options.dir).map_err(|error| refused("the directory cannot be made", error))?;
    let path = options.dir.join(format!(".{backend}-probe-{}", std::process::id()));
    let file = options
        .disk
        .open(&path, Open { create: true, ..Open::default() })
        .map_err(|error| refused("files cannot be made in it", error))?;
    let tried = file.write_at(&[IoSlice::new(b"probe")], 0).and_then(|_| attempt(&*file));
    let removed = options.disk.remove(&path);
    tried.map_err(|error| refused("a file in it does not do what this backend needs", error))?;
    removed.map_err(|error| refused("files cannot be removed from it", error))
}
