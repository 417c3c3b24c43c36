//! The document on disk.

use std::path::Path;

use anyhow::{Context, bail};

use super::Limits;

/// What the document calls itself.
pub const LIMITS_FORMAT: &str = "logdyno-limits";

/// The document's version.
pub const LIMITS_VERSION: u32 = 1;

/// Writes the document.
pub fn write(path: &Path, limits: &Limits) -> anyhow::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::write(path, serde_json::to_string_pretty(limits)?).with_context(|| path.display().to_string())
}

/// Reads a document that [`write()`] wrote.
pub fn read(path: &Path) -> anyhow::Result<Limits> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let limits: Limits = serde_json::from_str(&text)
        .with_context(|| format!("{} does not hold limits that this version reads", path.display()))?;
    if (limits.format.as_str(), limits.version) != (LIMITS_FORMAT, LIMITS_VERSION) {
        bail!(
            "{} is a {} of version {}; this reads {LIMITS_FORMAT} {LIMITS_VERSION}",
            path.display(),
            limits.format,
            limits.version
        );
    }
    Ok(limits)
}
