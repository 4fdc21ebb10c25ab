//! What is left to do when everything is built: order, annotations, and what only tools are to
//! see; and the annotations of `buildMetadata`, which are recorded on the way.

use super::accumulate::Context;
use super::kustomization::{Kustomization, SortOptions};
use super::resource::Resource;
use super::resources::Resources;
use super::transform::Transformer;
use super::{Order, sort};
use crate::Object;
use crate::build::check_object;
use crate::ledger::{Full, MAPPING, Problems};

pub(super) const ORIGIN: &str = "config.kubernetes.io/origin";
const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";
const LOCAL_CONFIG: &str = "config.kubernetes.io/local-config";

/// The version that `managedByLabel` names: the one whose builds these are.
const VERSION: &str = "kustomize-v5.8.2";

/// Annotations that are kustomize's own business, and never in its output.
const INTERNAL: [&str; 19] = [
    "internal.config.kubernetes.io/previousKinds",
    "internal.config.kubernetes.io/previousNames",
    "internal.config.kubernetes.io/previousNamespaces",
    "internal.config.kubernetes.io/prefixes",
    "internal.config.kubernetes.io/suffixes",
    "internal.config.kubernetes.io/allowNameChange",
    "internal.config.kubernetes.io/allowKindChange",
    "internal.config.kubernetes.io/refBy",
    "internal.config.kubernetes.io/generatorBehavior",
    "internal.config.kubernetes.io/needsHashSuffix",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "internal.config.kubernetes.io/helm-generated",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
];

/// The objects of a build, in order, checked.
pub(super) fn objects(
    resources: Resources,
    kustomization: &Kustomization,
    order: Order,
    problems: &mut Problems,
) -> Vec<Object> {
    let mut list = resources.into_list();
    list.retain(|resource| {
        resource
            .meta_entry("annotations", LOCAL_CONFIG)
            .is_none_or(|value| value == "false")
    });
    let default = match order {
        Order::Files => SortOptions::Fifo,
        Order::Kinds => SortOptions::Legacy(None),
    };
    sort::sort(&mut list, kustomization.sort.as_ref().unwrap_or(&default));
    let metadata = kustomization.metadata;
    let mut objects = Vec::with_capacity(list.len());
    for mut resource in list {
        if metadata.managed_by {
            set(
                &mut resource,
                "labels",
                "app.kubernetes.io/managed-by",
                VERSION,
            );
        }
        let removed = |key: &str| {
            INTERNAL.contains(&key)
                || (key == ORIGIN && !metadata.origins)
                || (key == TRANSFORMATIONS && !metadata.transformers)
        };
        // Whatever they were, annotations are texts afterwards.
        let mut annotations = resource.meta_map("annotations");
        annotations.retain(|(key, _)| !removed(key));
        resource.set_meta_map("annotations", annotations);
        match check_object(&resource.node, &resource.origin) {
            Ok(()) => objects.push(Object {
                value: resource.node.into_value(),
                origin: resource.origin,
            }),
            Err(faults) => problems.extend(faults),
        }
    }
    objects
}

/// Two paths as one.
pub(super) fn join(one: &str, other: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in one.split('/').chain(other.split('/')) {
        match segment {
            "" | "." => {}
            ".." if segments.last().is_some_and(|last| *last != "..") => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    segments.join("/")
}

/// Notes the file that an object comes from.
pub(super) fn mark_file(
    resource: &mut Resource,
    context: &Context,
    path: &str,
    problems: &Problems,
) -> Result<(), Full> {
    if let Some(origin) = &context.origin {
        let text = format!("path: {}\n", join(origin, path));
        problems.spend(text.len(), MAPPING)?;
        set(resource, "annotations", ORIGIN, &text);
    }
    Ok(())
}

/// Notes the generator that an object comes from.
pub(super) fn mark_generated(
    resource: &mut Resource,
    kustomization: &Kustomization,
    kind: &str,
    context: &Context,
) {
    if let Some(text) = configured(kustomization, kind, context) {
        set(resource, "annotations", ORIGIN, &text);
    }
}

/// Notes where an object comes from.
pub(super) fn mark_origin(resource: &mut Resource, origin: &str) {
    set(resource, "annotations", ORIGIN, origin);
}

/// Notes a transformer on every object that it went over.
pub(super) fn record(
    resources: &mut Resources,
    kustomization: &Kustomization,
    transformer: &Transformer,
    context: &Context,
    problems: &mut Problems,
) {
    let text = match &transformer.configured {
        Some(text) => Some(text.clone()),
        None => configured(kustomization, transformer.kind, context),
    };
    let Some(text) = text.filter(|_| context.origin.is_some()) else {
        return;
    };
    let written = text.len() + 2 * text.lines().count();
    if !problems.bytes(written.saturating_mul(resources.len())) {
        return;
    }
    for resource in resources.list_mut() {
        if resource.meta_entry("annotations", ORIGIN).is_none() {
            set(resource, "annotations", ORIGIN, &text);
            continue;
        }
        let mut list = resource
            .meta_entry("annotations", TRANSFORMATIONS)
            .map(std::borrow::Cow::into_owned)
            .unwrap_or_default();
        for (at, line) in text.lines().enumerate() {
            list.push_str(if at == 0 { "- " } else { "  " });
            list.push_str(line);
            list.push('\n');
        }
        set(resource, "annotations", TRANSFORMATIONS, &list);
    }
}

fn configured(kustomization: &Kustomization, kind: &str, context: &Context) -> Option<String> {
    let origin = context.origin.as_ref()?;
    let file = kustomization.file.rsplit('/').next().unwrap_or_default();
    Some(format!(
        "configuredIn: {}\nconfiguredBy:\n  apiVersion: builtin\n  kind: {kind}\n",
        join(origin, file)
    ))
}

fn set(resource: &mut Resource, field: &str, key: &str, value: &str) {
    resource
        .node
        .get_or_insert_mapping("metadata")
        .get_or_insert_mapping(field)
        .write_entry(key, value, 0);
    resource.follow_ties();
}
