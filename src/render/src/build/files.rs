//! Which files a path stands for.

use std::collections::BTreeSet;

use super::Problem;
use crate::Tree;
use crate::kustomize::load::NAMES;

/// Whether this manifest file is to be read as JSON. The names are matched as they are written.
pub(crate) fn is_json(file: &str) -> bool {
    matches!(file.rsplit_once('.'), Some((_, "json")))
}

/// What a path holds.
pub(super) enum Selection<'a> {
    /// A kustomization file of its own.
    Kustomization,
    /// Manifest files, in the order in which they are built.
    Manifests(Vec<(&'a str, &'a [u8])>),
    /// Manifest files and folders with kustomizations, by their paths in the tree.
    Mixed(Vec<String>),
}

/// The folder that a path means.
pub(crate) fn folder(tree: &Tree, path: &str) -> Result<String, Box<Problem>> {
    let folder = normalize(path).map_err(|what| {
        let path = path.to_owned();
        Box::new(Problem::BadPath { path, what })
    })?;
    if tree.has_folder(&folder) {
        return Ok(folder);
    }
    let path = path.to_owned();
    Err(Box::new(if tree.get(&folder).is_some() {
        Problem::PathIsFile { path }
    } else {
        Problem::NoSuchPath { path }
    }))
}

/// What a path holds, and which files of it are built.
pub(super) fn select<'a>(
    tree: &'a Tree,
    path: &str,
    folder: &str,
) -> Result<Selection<'a>, Vec<Problem>> {
    let prefix = if folder.is_empty() {
        0
    } else {
        folder.len() + 1
    };
    let kustomizations: BTreeSet<&str> = tree
        .below(folder)
        .filter(|(file, _)| NAMES.contains(&file_name(file)))
        .map(|(file, _)| file.rsplit_once('/').map_or("", |(folder, _)| folder))
        .collect();
    if kustomizations.contains(folder) {
        return Ok(Selection::Kustomization);
    }
    let owned = |file: &str| {
        file.match_indices('/')
            .map(|(at, _)| &file[..at])
            .any(|folder| kustomizations.contains(folder))
    };
    let mut files: Vec<(&str, &[u8])> = tree
        .below(folder)
        .filter(|(file, _)| !owned(file))
        .filter(|(file, _)| match file_name(file).rsplit_once('.') {
            Some((_, "yaml" | "yml")) => true,
            Some((_, "json")) => !file[prefix..].contains('/'),
            _ => false,
        })
        .collect();
    if files.is_empty() && kustomizations.is_empty() {
        return Err(vec![Problem::NoManifests {
            path: path.to_owned(),
        }]);
    }
    let by_folder = |a: &str, b: &str| a.split('/').cmp(b.split('/'));
    if !kustomizations.is_empty() {
        let mut resources: Vec<&str> = files.into_iter().map(|(file, _)| file).collect();
        resources.extend(kustomizations.iter().copied().filter(|folder| {
            // The outermost one speaks for those in it.
            !owned(folder)
        }));
        resources.sort_by(|a, b| by_folder(a, b));
        return Ok(Selection::Mixed(
            resources.into_iter().map(str::to_owned).collect(),
        ));
    }
    // Folder by folder: `a/x.yaml` comes before `a.yaml`, since `a` sorts before `a.yaml`.
    files.sort_by(|(a, _), (b, _)| by_folder(a, b));
    Ok(Selection::Manifests(files))
}

fn file_name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// The folder as a tree names it, or what is wrong with the path.
fn normalize(path: &str) -> Result<String, &'static str> {
    if path.starts_with('/') {
        return Err("is absolute");
    }
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => return Err("leaves its folder with '..'"),
            _ => segments.push(segment),
        }
    }
    Ok(segments.join("/"))
}
