//! `generators`, `transformers` and `validators`: the built-in ones, each configured by an object
//! of its own, inline or in a file.

mod configuration;
mod generate;
mod transform;
mod validate;

use super::accumulate::{Accumulated, Build, Context};
use super::finish;
use super::kustomization::{At, Kustomization};
use super::problem::{Fault, Place};
use super::read::Input;
use super::resource::Resource;
pub(super) use generate::generate;
pub(super) use transform::transformers;
pub(super) use validate::validate;

/// Whether an entry is a text of YAML rather than a path.
pub(super) fn is_inline(entry: &str) -> bool {
    entry.contains('\n') || entry.contains(": ") || entry.trim_start().starts_with(['{', '['])
}

/// The objects that configure generators or transformers: inline ones first, then those of files.
fn configurations(
    build: &mut Build<'_>,
    folder: &str,
    kustomization: &Kustomization,
    entries: &[At<String>],
    context: &Context,
) -> Vec<Resource> {
    let mut all = Accumulated::new();
    let mut paths = Vec::new();
    for entry in entries {
        if !is_inline(&entry.value) {
            paths.push(entry.clone());
            continue;
        }
        let input = Input::inline(&kustomization.file, entry.place.line, &entry.value);
        let objects = input.objects(&mut build.problems);
        for mut object in objects.unwrap_or_default() {
            build.meet(&mut object);
            let file = kustomization.file.rsplit('/').next().unwrap_or_default();
            if finish::mark_file(&mut object, context, file, &build.problems).is_err() {
                break;
            }
            all.resources.append(object, &mut build.problems);
        }
    }
    build.resources(folder, &paths, &mut all, context);
    all.resources.into_list()
}

/// Where an object's problems stand.
fn place(resource: &Resource) -> Place {
    Place::new(&resource.origin.file, resource.origin.line, "")
}

/// The kind of a built-in plugin, or why it isn't one.
fn built_in(resource: &Resource) -> Result<&str, Fault> {
    if resource.api_version() == "builtin" {
        return Ok(resource.kind());
    }
    let kind = resource.kind().to_owned();
    for annotation in ["config.kubernetes.io/function", "config.k8s.io/function"] {
        if let Some(spec) = resource.meta_entry("annotations", annotation) {
            let runner = if spec.contains("starlark") {
                "Starlark interpreter"
            } else if spec.contains("exec") {
                "process"
            } else {
                "container"
            };
            return Err(Fault::Function { kind, runner });
        }
    }
    let api_version = resource.api_version().to_owned();
    Err(Fault::Plugin { kind, api_version })
}

/// How `buildMetadata` names what an object configures.
fn configured(resource: &Resource) -> Option<String> {
    use std::fmt::Write as _;
    let origin = resource.meta_entry("annotations", finish::ORIGIN)?;
    let file = origin.strip_prefix("path: ")?.trim_end();
    let mut text = format!("configuredIn: {file}\nconfiguredBy:\n");
    for (name, value) in [
        ("apiVersion", resource.api_version()),
        ("kind", resource.kind()),
        ("name", resource.name()),
        ("namespace", resource.namespace()),
    ] {
        if !value.is_empty() {
            // Writing into a text can't fail.
            let _ = writeln!(text, "  {name}: {value}");
        }
    }
    Some(text)
}
