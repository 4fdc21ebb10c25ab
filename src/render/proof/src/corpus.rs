//! The hand-made cases, one file each, in folders by topic.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::case::Case;

/// The list of cases that don't pass yet, beside the cases.
const PENDING: &str = "PENDING";

/// A case with its place.
#[derive(Debug)]
pub struct Entry {
    /// `folder/name`, without `.case`.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// The case.
    pub case: Case,
}

/// Where the cases are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

/// All cases, by name.
pub fn all() -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for topic in sorted(&folder())?.into_iter().filter(|path| path.is_dir()) {
        for file in sorted(&topic)? {
            if file.extension().is_none_or(|extension| extension != "case") {
                bail!("{}: only .case files belong here", file.display());
            }
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("reading {}", file.display()))?;
            let case = Case::parse(&text).with_context(|| format!("parsing {}", file.display()))?;
            let name = format!("{}/{}", last(&topic, false), last(&file, true));
            entries.push(Entry { name, file, case });
        }
    }
    Ok(entries)
}

/// The names of cases that don't pass yet, each with its reason.
pub fn pending() -> Result<BTreeMap<String, String>> {
    let file = folder().join(PENDING);
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let mut pending = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let Some((name, reason)) = line.split_once(' ') else {
            bail!("{}: {line}: a reason must follow the name", file.display());
        };
        pending.insert(name.to_owned(), reason.trim().to_owned());
    }
    Ok(pending)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn last(path: &Path, without_extension: bool) -> String {
    let name = if without_extension {
        path.file_stem()
    } else {
        path.file_name()
    };
    name.unwrap_or_default().to_string_lossy().into_owned()
}
