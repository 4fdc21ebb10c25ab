//! What a configured transformer or validator does.

use super::super::accumulate::{Build, Context};
use super::super::kustomization::{At, Kustomization, Reader};
use super::super::problem::Fault;
use super::super::read::{self, Input};
use super::super::resource::Resource;
use super::super::transform::{Action, Transformer, ValueTarget};
use super::configuration::{Parsed, value_targets};
use super::{built_in, configurations, configured, place};

/// The transformers of `transformers` or `validators`.
pub(in crate::kustomize) fn transformers(
    build: &mut Build<'_>,
    folder: &str,
    kustomization: &Kustomization,
    entries: &[At<String>],
    context: &Context,
) -> Vec<Transformer> {
    let mut list = Vec::new();
    for resource in configurations(build, folder, kustomization, entries, context) {
        match built_in(&resource) {
            Err(fault) => build.problems.push(place(&resource).problem(fault)),
            Ok(kind) => {
                let configured = configured(&resource);
                let actions = actions(build, folder, kind, &resource);
                list.extend(actions.into_iter().map(|action| Transformer {
                    place: place(&resource),
                    kind: "",
                    configured: configured.clone(),
                    action,
                }));
            }
        }
    }
    list
}

/// What one configuration has done.
fn actions(build: &mut Build<'_>, folder: &str, kind: &str, resource: &Resource) -> Vec<Action> {
    let file = resource.origin.file.as_str();
    let before = build.problems.len();
    let mut parsed = {
        let mut reader = Reader::lenient(file, &mut build.problems);
        let mut fields = reader.fields(&resource.node, "");
        let parsed = Parsed::read(kind, &mut fields, &mut reader);
        fields.ignore_rest();
        parsed
    };
    if build.problems.len() > before {
        return Vec::new();
    }
    match parsed {
        Parsed::Actions(actions) => actions,
        Parsed::Patch(patch) => build
            .patch(folder, file, &patch)
            .map(|transformer| transformer.action)
            .into_iter()
            .collect(),
        Parsed::JsonPatch(patch) => build
            .json_patch(folder, file, &patch)
            .map(|transformer| transformer.action)
            .into_iter()
            .collect(),
        Parsed::Strategic(ref mut entries) => {
            let mut patches = Vec::new();
            for entry in entries {
                patches.extend(build.strategic(folder, file, entry));
            }
            vec![Action::Strategic(patches)]
        }
        Parsed::Replacements(replacements) => {
            let mut rules = Vec::new();
            for replacement in &replacements {
                rules.extend(build.replacements(folder, replacement));
            }
            vec![Action::Replacements(rules)]
        }
        Parsed::Value {
            value,
            mut targets,
            file: listed,
        } => {
            if let Some(listed) = listed {
                targets.extend(value_targets_file(build, folder, &listed));
            }
            let value = if value.is_empty() {
                folder.rsplit('/').next().unwrap_or_default().to_owned()
            } else {
                value
            };
            let what = match (targets.is_empty(), value.is_empty()) {
                (true, _) => "a target",
                (_, true) => "the value",
                _ => return vec![Action::Value(value, targets)],
            };
            let problem = place(resource).problem(Fault::Missing { what });
            build.problems.push(problem);
            Vec::new()
        }
        Parsed::Unknown => {
            let what = format!("the transformer {kind}");
            build
                .problems
                .push(place(resource).problem(Fault::Unsupported { what }));
            Vec::new()
        }
    }
}

/// The targets that a file lists.
fn value_targets_file(build: &mut Build<'_>, folder: &str, path: &At<String>) -> Vec<ValueTarget> {
    let root = build.root(folder);
    let Some((file, bytes)) = read::bytes(root, path, &mut build.problems) else {
        return Vec::new();
    };
    let Some(node) = Input::file(&file, bytes).settings(&mut build.problems) else {
        return Vec::new();
    };
    let mut reader = Reader::lenient(&file, &mut build.problems);
    let mut fields = reader.fields(&node, "");
    value_targets(&mut fields, &mut reader)
}
