//! From the paths that a kustomization names to the files of the tree.

use super::kustomization::At;
use super::near;
use super::problem::Fault;
use super::{LoadFrom, Options};
use crate::Tree;
use crate::ledger::Problems;

/// The names of a kustomization file.
pub(crate) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    File(String),
    Folder(String),
}

/// A folder from which paths are followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Root<'a> {
    pub(super) tree: &'a Tree,
    pub(super) options: &'a Options,
    pub(super) folder: &'a str,
}

impl Root<'_> {
    /// The path in the tree that a path from here means.
    fn resolve(&self, path: &str) -> Result<String, Fault> {
        let text = || path.to_owned();
        if path.is_empty() {
            return Err(Fault::Missing { what: "the path" });
        }
        if path.starts_with('/') {
            return Err(Fault::Absolute { path: text() });
        }
        let mut segments: Vec<&str> = self.folder.split('/').filter(|s| !s.is_empty()).collect();
        for segment in path.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    if segments.pop().is_none() {
                        return Err(Fault::Outside { path: text() });
                    }
                }
                segment => segments.push(segment),
            }
        }
        Ok(segments.join("/"))
    }

    /// The file or folder that a resource names.
    pub(super) fn target(&self, path: &str) -> Result<Target, Fault> {
        if is_address(path) {
            return Err(remote(path));
        }
        let resolved = self.resolve(path)?;
        if self.tree.get(&resolved).is_some() {
            self.check_below(&resolved, path)?;
            return Ok(Target::File(resolved));
        }
        self.folder(path)
            .map_err(|fault| match fault {
                Fault::NoSuchPath { .. } if looks_remote(path) => remote(path),
                fault => fault,
            })
            .map(Target::Folder)
    }

    /// The folder that a component names.
    pub(super) fn folder(&self, path: &str) -> Result<String, Fault> {
        if is_address(path) {
            return Err(remote(path));
        }
        let is_slip = |part: &str| part != ".." && part.contains("..");
        if path.split('/').any(is_slip) {
            let path = path.to_owned();
            return Err(Fault::Ambiguous { path });
        }
        let resolved = self.resolve(path)?;
        if self.tree.has_folder(&resolved) {
            return Ok(resolved);
        }
        let near = self.near(&resolved);
        let path = path.to_owned();
        Err(Fault::NoSuchPath { path, near })
    }

    /// The file that anything but a resource names.
    pub(super) fn file(&self, path: &str) -> Result<String, Fault> {
        if is_address(path) {
            return Err(remote(path));
        }
        let resolved = self.resolve(path)?;
        if self.tree.get(&resolved).is_none() {
            let near = self.near(&resolved);
            let path = path.to_owned();
            return Err(Fault::NoSuchFile { path, near });
        }
        self.check_below(&resolved, path)?;
        Ok(resolved)
    }

    /// The same, noting a problem.
    pub(super) fn noted_file(&self, path: &At<String>, problems: &mut Problems) -> Option<String> {
        self.file(&path.value)
            .map_err(|fault| problems.push(path.place.problem(fault)))
            .ok()
    }

    fn check_below(&self, resolved: &str, path: &str) -> Result<(), Fault> {
        let below = self.folder.is_empty()
            || resolved
                .strip_prefix(self.folder)
                .is_some_and(|rest| rest.starts_with('/'));
        if below || self.options.load_from == LoadFrom::Tree {
            return Ok(());
        }
        let path = path.to_owned();
        Err(Fault::OutsideFolder { path })
    }

    fn near(&self, resolved: &str) -> super::problem::Near {
        let files = self.tree.iter().map(|(path, _)| path);
        near::texts(resolved, files)
    }
}

fn remote(path: &str) -> Fault {
    let path = path.to_owned();
    Fault::Remote { path }
}

/// `https://…`, `git@host:…` and the like, which can't be paths.
fn is_address(path: &str) -> bool {
    path.contains("://") || path.starts_with("git@") || path.starts_with("git::")
}

/// `github.com/owner/name`, `host/path.git?ref=x`, which could be paths, but aren't.
fn looks_remote(path: &str) -> bool {
    path.starts_with("github.com/")
        || path.starts_with("gh:")
        || path.contains(".git/")
        || path.strip_suffix(".git").is_some()
        || path.contains("?ref=")
        || path.contains("_git/")
}
