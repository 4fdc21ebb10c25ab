//! `build-folder DIR PATH`: reads a folder, builds it, prints the objects, and says on standard error how
//! many kB of memory that took at most. Nothing else is in here, as nothing else is in the `kustomize`
//! command: `bench-render` sets one beside the other.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use stageset_render::{Limits, Tree, build};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, path] = arguments.as_slice() else {
        bail!("usage: build-folder DIR PATH");
    };
    let mut files = BTreeMap::new();
    read(Path::new(folder), &mut PathBuf::new(), &mut files)?;
    let objects = match build(&Tree::from_files(files)?, path, &Limits::default()) {
        Ok(objects) => objects,
        Err(problems) => bail!("{problems:?}"),
    };
    let mut output = std::io::stdout().lock();
    for object in objects {
        // JSON is YAML.
        output.write_all(b"---\n")?;
        serde_json::to_writer_pretty(&mut output, &object.value)?;
        output.write_all(b"\n")?;
    }
    eprintln!("{}", peak_kilobytes()?);
    Ok(())
}

/// Reads the files below a folder.
fn read(root: &Path, below: &mut PathBuf, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    for entry in std::fs::read_dir(root.join(&below))? {
        let entry = entry?;
        below.push(entry.file_name());
        if entry.file_type()?.is_dir() {
            read(root, below, files)?;
        } else {
            let path = below.to_str().context("a name that isn't UTF-8")?;
            files.insert(path.to_owned(), std::fs::read(entry.path())?);
        }
        below.pop();
    }
    Ok(())
}

/// The most memory that this process has had.
fn peak_kilobytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.context("no VmHWM")?.trim().trim_end_matches(" kB");
    Ok(number.parse()?)
}
