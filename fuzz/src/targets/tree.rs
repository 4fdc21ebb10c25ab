//! Files in one text, and what must hold of whatever a build makes of them.

use std::collections::BTreeSet;

use stageset_render::kustomize::{self, Options};
use stageset_render::{Limits, Object, Problem, Tree};

use super::sight;

/// Bounds that keep one input short.
pub(super) fn limits() -> Limits {
    Limits {
        objects: 200,
        kustomizations: 40,
        build_bytes: 2 * 1024 * 1024,
        build_nodes: 60_000,
        build_steps: 3_000_000,
        ..Limits::default()
    }
}

/// The files of a text: after `=== PATH` each. What comes before the first is `main`.
pub(super) fn files<'a>(text: &'a str, main: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut files = Vec::new();
    for (index, part) in text.split("=== ").enumerate() {
        if index == 0 {
            files.push((main, part));
        } else if let Some((path, body)) = part.split_once('\n') {
            files.push((path.trim(), body));
        }
    }
    files
}

/// Builds files, and holds the promises of a build against the outcome.
pub(super) fn check(files: &[(&str, &str)]) -> Result<Vec<u64>, String> {
    let mut unique: Vec<(&str, &str)> = Vec::new();
    for file in files {
        unique.retain(|(path, _)| path != &file.0);
        unique.push(*file);
    }
    let Ok(tree) = Tree::from_files(unique) else {
        return Ok(vec![0]);
    };
    let options = Options {
        limits: limits(),
        ..Options::default()
    };
    let build = || kustomize::build(&tree, "", &options);
    let outcome = build();
    if build() != outcome {
        return Err("built twice, and not the same".to_owned());
    }
    match outcome {
        Ok(objects) => built(&objects),
        Err(problems) => refused(&problems),
    }
}

fn built(objects: &[Object]) -> Result<Vec<u64>, String> {
    let mut names = BTreeSet::new();
    let mut sights = vec![1 + objects.len().min(20) as u64];
    for object in objects {
        let text = |pointer: &str| {
            object
                .value
                .pointer(pointer)
                .and_then(|value| value.as_str())
        };
        let (Some(api_version), Some(kind), Some(name)) =
            (text("/apiVersion"), text("/kind"), text("/metadata/name"))
        else {
            return Err(format!("{} has no identity", object.origin));
        };
        let namespace = text("/metadata/namespace").unwrap_or_default();
        if !names.insert((api_version, kind, namespace, name)) {
            return Err(format!("{kind} {namespace}/{name} stands there twice"));
        }
        sights.push(sight(kind));
        if let Some(entries) = object.value.as_object() {
            sights.extend(entries.keys().map(|key| sight(key)));
        }
    }
    if objects.len() > limits().objects {
        return Err(format!("{} objects", objects.len()));
    }
    Ok(sights)
}

fn refused(problems: &[Problem]) -> Result<Vec<u64>, String> {
    let mut sights = Vec::new();
    if problems.is_empty() {
        return Err("refused, and nothing said".to_owned());
    }
    for problem in problems {
        let text = problem.to_string();
        if text.trim().is_empty() {
            return Err("a problem without words".to_owned());
        }
        // Without the place, of which there are many.
        sights.push(sight(
            text.split_once(": ")
                .map_or(text.as_str(), |(_, said)| said),
        ));
    }
    Ok(sights)
}
