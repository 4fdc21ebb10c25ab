//! Generated `ConfigMap`s and Secrets.

mod hash;
mod kv;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::finish;
use super::kustomization::{Generator, GeneratorOptions};
use super::problem::Fault;
use super::resource::{Behavior, Resource};
use super::resources::Resources;
use crate::ledger::Problems;
use crate::yaml::{Data, Node};
use crate::{Origin, Problem};
pub(super) use kv::{Files, pairs};

/// How long a line of base64 is in a generated object.
const LINE: usize = 70;

/// The object that a generator makes of its keys and values.
pub(super) fn object(
    generator: &Generator,
    pairs: BTreeMap<String, Vec<u8>>,
    global: Option<&GeneratorOptions>,
    problems: &mut Problems,
) -> Option<Resource> {
    let place = &generator.place;
    if generator.name.is_empty() {
        problems.push(place.problem(Fault::Missing { what: "the name" }));
        return None;
    }
    let behavior = match generator.behavior.as_str() {
        "" | "create" => Behavior::Create,
        "replace" => Behavior::Replace,
        "merge" => Behavior::Merge,
        other => {
            problems.push(place.problem(Fault::Unexpected {
                found: format!("the behavior {other:?}"),
                expected: "create, replace or merge".to_owned(),
            }));
            return None;
        }
    };
    let line = place.line;
    let secret = generator.secret_type.is_some();
    let options = options(generator.options.as_ref(), global);
    let text = |text: &str| Node::string(line, text);
    let mut node = Node::mapping(line);
    node.insert("apiVersion", text("v1"));
    node.insert("kind", text(if secret { "Secret" } else { "ConfigMap" }));
    let meta = node.get_or_insert_mapping("metadata");
    meta.insert("name", text(&generator.name));
    if !generator.namespace.is_empty() {
        meta.insert("namespace", text(&generator.namespace));
    }
    for (field, entries) in [
        ("labels", &options.labels),
        ("annotations", &options.annotations),
    ] {
        for (key, value) in entries {
            meta.get_or_insert_mapping(field).insert(key, text(value));
        }
    }
    if let Some(kind) = &generator.secret_type {
        let kind = if kind.is_empty() { "Opaque" } else { kind };
        node.insert("type", text(kind));
        node.get_or_insert_mapping("data");
    }
    for (key, value) in pairs {
        let (field, value) = match String::from_utf8(value) {
            Ok(value) if !secret => ("data", value),
            Ok(value) => ("data", encoded(value.as_bytes())),
            Err(error) if secret => ("data", encoded(error.as_bytes())),
            Err(error) => ("binaryData", encoded(error.as_bytes())),
        };
        node.get_or_insert_mapping(field).insert(&key, text(&value));
    }
    if options.immutable {
        node.insert("immutable", Node::new(line, Data::Bool(true)));
    }
    let origin = Origin {
        file: place.file.clone(),
        document: 1,
        line,
    };
    Some(Resource {
        needs_hash: !options.disable_name_suffix_hash,
        behavior: Some(behavior),
        ..Resource::new(node, origin)
    })
}

/// A generator's own options, and those of all where it has none.
fn options(own: Option<&GeneratorOptions>, global: Option<&GeneratorOptions>) -> GeneratorOptions {
    let mut options = own.cloned().unwrap_or_default();
    if let Some(global) = global {
        for (key, value) in &global.labels {
            let entry = options.labels.entry(key.clone());
            entry.or_insert_with(|| value.clone());
        }
        for (key, value) in &global.annotations {
            let entry = options.annotations.entry(key.clone());
            entry.or_insert_with(|| value.clone());
        }
        options.disable_name_suffix_hash |= global.disable_name_suffix_hash;
        options.immutable |= global.immutable;
    }
    options
}

/// Base64, in lines if it is long: kustomize does so, and hashes it so.
fn encoded(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    if text.len() < LINE {
        return text;
    }
    let mut lines = String::with_capacity(text.len() + text.len() / LINE + 1);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines
}

/// What a generated object takes over from the one that it merges into or replaces.
pub(super) fn inherit(
    resource: &mut Resource,
    old: &Resource,
    behavior: Behavior,
    problems: &mut Problems,
) {
    for field in ["labels", "annotations"] {
        let mut entries: BTreeMap<String, String> = old.meta_map(field).into_iter().collect();
        entries.extend(resource.meta_map(field));
        resource.set_meta_map(field, entries.into_iter().collect());
    }
    if behavior == Behavior::Merge
        && let Some(origin) = old.meta_entry("annotations", finish::ORIGIN)
    {
        finish::mark_origin(resource, &origin);
    }
    resource.set_name(old.name());
    resource.set_namespace(old.namespace());
    resource.needs_hash &= old.needs_hash;
    resource.behavior = old.behavior;
    resource.previous.clone_from(&old.previous);
    resource.prefixes.clone_from(&old.prefixes);
    resource.suffixes.clone_from(&old.suffixes);
    resource.variables.clone_from(&old.variables);
    if behavior == Behavior::Merge {
        let secret = resource.kind() == "Secret" && resource.api_version() == "v1";
        for field in ["data", "binaryData"] {
            merge_data(resource, old, field, secret && field == "data", problems);
        }
    }
}

fn merge_data(
    resource: &mut Resource,
    old: &Resource,
    field: &str,
    secret: bool,
    problems: &mut Problems,
) {
    let entries = |node: Option<&Node>| -> Vec<(String, Option<String>)> {
        match node.map(|node| &node.data) {
            Some(Data::Mapping(entries)) => entries
                .iter()
                .map(|(key, value)| (key.clone(), value.scalar().map(Into::into)))
                .collect(),
            _ => Vec::new(),
        }
    };
    let mut merged: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in entries(old.node.get(field)) {
        merged.insert(key, value.unwrap_or_default());
    }
    if secret {
        for (key, value) in entries(old.node.get("stringData")) {
            match value {
                Some(value) => {
                    merged.insert(key, encoded(value.as_bytes()));
                }
                None => problems.push(Problem::Kustomize {
                    place: super::problem::Place::new(
                        &old.origin.file,
                        old.origin.line,
                        &format!("stringData[{key:?}]"),
                    ),
                    fault: Fault::Unexpected {
                        found: "a list or a mapping".to_owned(),
                        expected: "a string".to_owned(),
                    },
                }),
            }
        }
    }
    for (key, value) in entries(resource.node.get(field)) {
        merged.insert(key, value.unwrap_or_default());
    }
    resource.node.remove(field);
    if merged.is_empty() {
        return;
    }
    let line = resource.node.line;
    let data = resource.node.get_or_insert_mapping(field);
    data.data = Data::Mapping(
        merged
            .into_iter()
            .map(|(key, value)| (key, Node::string(line, value)))
            .collect(),
    );
}

/// Adds the hash of its content to the name of every object that is to have one.
pub(super) fn add_hashes(resources: &mut Resources, problems: &mut Problems) {
    if !resources.list().iter().any(|resource| resource.needs_hash) {
        return;
    }
    for resource in resources.list_mut() {
        if !resource.needs_hash {
            continue;
        }
        let Some(hash) = hash::of(&resource.node) else {
            problems.push(Problem::Kustomize {
                place: super::problem::Place::new(&resource.origin.file, resource.origin.line, ""),
                fault: Fault::Unsupported {
                    what: format!("a name with a hash for the kind {}", resource.kind()),
                },
            });
            continue;
        };
        resource.remember();
        let name = format!("{}-{hash}", resource.name());
        resource.set_name(&name);
    }
}
