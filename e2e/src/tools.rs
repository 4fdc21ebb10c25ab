//! Where the programs built by `e2e/tools/build` are found.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The root of the repository that this crate was compiled in.
pub fn repository_root() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.parent().unwrap_or(crate_dir).to_path_buf()
}

/// The folder that holds one built tool, e.g. `kwok`, with its `bin` and `share` folders.
///
/// # Errors
/// When the tool was not built yet; the message names the command that builds it.
pub fn home(tool: &str) -> Result<PathBuf> {
    let root = std::env::var_os("STAGESET_TOOLS")
        .map_or_else(|| repository_root().join(".tools"), PathBuf::from);
    let home = root.join(tool);
    if !home.join("complete").exists() {
        bail!(
            "{} is not built: run `e2e/tools/build {tool}` first",
            home.display()
        );
    }
    Ok(home)
}

/// A program of this workspace that was built beside the controller, if it was.
pub fn built(name: &str) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| repository_root().join("target"), PathBuf::from);
    Some(target.join("debug").join(name)).filter(|path| path.exists())
}

/// The program `name` of the built tool `tool`.
///
/// # Errors
/// When the tool was not built yet.
pub fn program(tool: &str, name: &str) -> Result<PathBuf> {
    Ok(home(tool)?.join("bin").join(name))
}

/// All files in the folder `share/<folder>` of a tool, in name order.
///
/// # Errors
/// When the tool was not built yet, or its folder can't be read.
pub fn shared_files(tool: &str, folder: &str) -> Result<Vec<PathBuf>> {
    let dir = home(tool)?.join("share").join(folder);
    let mut files = std::fs::read_dir(&dir)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    files.sort();
    Ok(files)
}
