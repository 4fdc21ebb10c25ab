//! Which files a path stands for.

use super::Problem;
use crate::Tree;

/// The names that make a folder a kustomization.
const KUSTOMIZATION: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Whether this manifest file is to be read as JSON. The names are matched as they are written.
pub(super) fn is_json(file: &str) -> bool {
    matches!(file.rsplit_once('.'), Some((_, "json")))
}

/// The manifest files of a path, in the order in which they are built.
pub(super) fn select<'a>(
    tree: &'a Tree,
    path: &str,
) -> Result<Vec<(&'a str, &'a [u8])>, Vec<Problem>> {
    let folder = normalize(path).map_err(|what| {
        vec![Problem::BadPath {
            path: path.to_owned(),
            what,
        }]
    })?;
    if !tree.has_folder(&folder) {
        let path = path.to_owned();
        return Err(vec![if tree.get(&folder).is_some() {
            Problem::PathIsFile { path }
        } else {
            Problem::NoSuchPath { path }
        }]);
    }
    let refused: Vec<Problem> = tree
        .below(&folder)
        .filter(|(file, _)| KUSTOMIZATION.contains(&file_name(file)))
        .map(|(file, _)| Problem::Kustomization {
            file: file.to_owned(),
        })
        .collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    let prefix = if folder.is_empty() {
        0
    } else {
        folder.len() + 1
    };
    let mut files: Vec<(&str, &[u8])> = tree
        .below(&folder)
        .filter(|(file, _)| match file_name(file).rsplit_once('.') {
            Some((_, "yaml" | "yml")) => true,
            Some((_, "json")) => !file[prefix..].contains('/'),
            _ => false,
        })
        .collect();
    if files.is_empty() {
        return Err(vec![Problem::NoManifests {
            path: path.to_owned(),
        }]);
    }
    // Folder by folder: `a/x.yaml` comes before `a.yaml`, since `a` sorts before `a.yaml`.
    files.sort_by(|(a, _), (b, _)| a.split('/').cmp(b.split('/')));
    Ok(files)
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
