//! The inputs that a target starts from, and the ones that were found.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Where the inputs of all targets are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The inputs of one target, with the names of their files, by name.
///
/// # Errors
/// When the folder can't be read, or is empty.
pub fn inputs(target: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = folder().join(target);
    let mut inputs = Vec::new();
    let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        inputs.push((name.into_owned(), std::fs::read(&path)?));
    }
    anyhow::ensure!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs.sort();
    Ok(inputs)
}

/// Adds an input that led somewhere new.
///
/// # Errors
/// When it can't be written.
pub fn add(target: &str, input: &[u8]) -> Result<()> {
    let path = folder()
        .join(target)
        .join(format!("new-{:016x}", fingerprint(input)));
    std::fs::write(&path, input).with_context(|| path.display().to_string())
}

fn fingerprint(input: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    hasher.finish()
}

/// Keeps an input that broke something; the file's path.
///
/// # Errors
/// When it can't be written.
pub fn keep(target: &str, seed: u64, input: &[u8]) -> Result<PathBuf> {
    let folder = folder().join(target);
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("found-{seed}-{:016x}", fingerprint(input)));
    std::fs::write(&path, input)?;
    Ok(path)
}
