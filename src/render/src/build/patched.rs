//! Patches from outside the artifact, laid over a path as Flux does it: as the last of the `patches`
//! of the path's own kustomization, or of one that lists its files if it has none.

use serde_json::{Map, Value, json};

use super::files::{self, Selection};
use super::{Object, Problem, build};
use crate::kustomize::load::NAMES;
use crate::yaml::{Data, yaml_nodes};
use crate::{Limits, Tree};

/// A patch from outside the artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OuterPatch {
    /// Strategic merge patch or JSON 6902 patch.
    pub patch: String,
    /// The members of its target by kustomize's names, if it has one.
    pub target: Option<Vec<(String, String)>>,
}

/// Builds as [`build`] does, with patches laid over.
///
/// ```
/// use stageset_render::{Limits, OuterPatch, Tree, build_patched};
/// let tree = Tree::from_files([(
///     "app/web.yaml",
///     "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 1\n",
/// )])?;
/// let patch = OuterPatch {
///     patch: "- op: replace\n  path: /spec/replicas\n  value: 3\n".into(),
///     target: Some(vec![("kind".into(), "Deployment".into())]),
/// };
/// let objects = build_patched(&tree, "app", &[patch], &Limits::default()).unwrap();
/// assert_eq!(objects[0].value["spec"]["replicas"], 3);
/// # Ok::<(), stageset_render::TreeError>(())
/// ```
pub fn build_patched(
    tree: &Tree,
    path: &str,
    patches: &[OuterPatch],
    limits: &Limits,
) -> Result<Vec<Object>, Vec<Problem>> {
    if patches.is_empty() {
        return build(tree, path, limits);
    }
    let folder = files::folder(tree, path).map_err(|problem| vec![*problem])?;
    let prefix = if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    };
    let (file, text) = match files::select(tree, path, &folder)? {
        Selection::Kustomization => {
            let own = NAMES
                .iter()
                .map(|name| format!("{prefix}{name}"))
                .find_map(|file| Some((tree.get(&file)?, file)));
            // What is wrong with it is said by the build itself.
            match own.and_then(|(text, file)| Some((appended(text, patches, limits)?, file))) {
                Some((text, file)) => (file, text),
                None => return build(tree, path, limits),
            }
        }
        Selection::Manifests(files) => {
            let names: Vec<&str> = files.iter().map(|(file, _)| *file).collect();
            (
                format!("{prefix}{}", NAMES[0]),
                listing(&names, &prefix, patches),
            )
        }
        Selection::Mixed(resources) => {
            let names: Vec<&str> = resources.iter().map(String::as_str).collect();
            (
                format!("{prefix}{}", NAMES[0]),
                listing(&names, &prefix, patches),
            )
        }
    };
    build(&tree.with(file, text.as_bytes()), path, limits)
}

/// A kustomization that lists what a path holds.
fn listing(resources: &[&str], prefix: &str, patches: &[OuterPatch]) -> String {
    let resources: Vec<&str> = resources
        .iter()
        .map(|resource| resource.strip_prefix(prefix).unwrap_or(resource))
        .collect();
    json!({"resources": resources, "patches": list(patches)}).to_string()
}

/// The text of a kustomization with the patches appended; none if it can't be read.
///
/// Where it has no patches of its own they are written below it, so that every line keeps its number.
fn appended(text: &[u8], patches: &[OuterPatch], limits: &Limits) -> Option<String> {
    let mut nodes = yaml_nodes(text, limits).ok()?;
    let (_, node) = nodes.pop()?;
    if !nodes.is_empty() {
        return None;
    }
    let Data::Mapping(entries) = &node.data else {
        return None;
    };
    let own = entries.iter().any(|(key, _)| key == "patches");
    let text = std::str::from_utf8(text).ok()?;
    let block = !text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with(['{', '-', '%'])
        && !text.contains("\n---")
        && !text.contains("\n...");
    if !own && block {
        return Some(format!("{text}\npatches: {}\n", list(patches)));
    }
    let mut value = node.into_value();
    let list = list(patches);
    match value.get_mut("patches") {
        Some(Value::Array(own)) => own.extend(list.as_array().into_iter().flatten().cloned()),
        Some(Value::Null) | None => value["patches"] = list,
        Some(_) => return None,
    }
    Some(value.to_string())
}

fn list(patches: &[OuterPatch]) -> Value {
    let patches = patches.iter().map(|patch| {
        let mut entry = Map::from_iter([("patch".to_owned(), json!(patch.patch))]);
        if let Some(target) = &patch.target {
            let members = target
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)));
            entry.insert("target".to_owned(), Value::Object(members.collect()));
        }
        Value::Object(entry)
    });
    patches.collect()
}
