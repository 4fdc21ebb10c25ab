//! Reading folders: sorted, bounded, regular files only.

use std::fs;
use std::path::Path;

use super::ScenarioError;

/// Files in one scenario; a mistyped path shouldn't read a whole disk.
const FILES: usize = 10_000;
/// Bytes of one file.
const BYTES: u64 = 16 * 1024 * 1024;

fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> ScenarioError + '_ {
    move |source| ScenarioError::Unreadable {
        path: path.display().to_string(),
        source,
    }
}

fn refused(path: &Path, message: impl Into<String>) -> ScenarioError {
    ScenarioError::Path {
        path: path.display().to_string(),
        message: message.into(),
    }
}

/// The bytes of a regular file.
pub(super) fn file(path: &Path) -> Result<Vec<u8>, ScenarioError> {
    let metadata = fs::symlink_metadata(path).map_err(unreadable(path))?;
    if !metadata.is_file() {
        return Err(refused(path, "is not a regular file"));
    }
    if metadata.len() > BYTES {
        return Err(refused(path, format!("is larger than {BYTES} bytes")));
    }
    fs::read(path).map_err(unreadable(path))
}

/// The names in a folder, in order; names that begin with a dot are left out, as in an artifact.
pub(super) fn names(path: &Path) -> Result<Vec<String>, ScenarioError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable(path))? {
        let entry = entry.map_err(unreadable(path))?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| refused(&entry.path(), "has a name that isn't UTF-8"))?;
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// All files below a folder with their paths inside it, in order.
pub(crate) fn files(root: &Path) -> Result<Vec<(String, Vec<u8>)>, ScenarioError> {
    let mut found = Vec::new();
    collect(root, "", &mut found)?;
    Ok(found)
}

fn collect(
    folder: &Path,
    prefix: &str,
    found: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), ScenarioError> {
    for name in names(folder)? {
        let path = folder.join(&name);
        let metadata = fs::symlink_metadata(&path).map_err(unreadable(&path))?;
        if metadata.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), found)?;
        } else if metadata.is_file() {
            if found.len() == FILES {
                return Err(refused(folder, format!("holds more than {FILES} files")));
            }
            found.push((format!("{prefix}{name}"), file(&path)?));
        } else {
            return Err(refused(
                &path,
                "is neither a file nor a folder; links are not followed",
            ));
        }
    }
    Ok(())
}
