//! The order of the output.

use std::collections::BTreeMap;

use super::id::{Gvk, Id};
use super::kustomization::SortOptions;
use super::resource::Resource;

const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

const LAST: [&str; 2] = [
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Sorts as the options say; kustomize's own order is that by kind.
pub(super) fn sort(resources: &mut [Resource], options: &SortOptions) {
    let ranks = match options {
        SortOptions::Fifo => return,
        SortOptions::Legacy(None) => ranks(FIRST.iter().copied(), LAST.iter().copied()),
        SortOptions::Legacy(Some((first, last))) => ranks(
            first.iter().map(String::as_str),
            last.iter().map(String::as_str),
        ),
    };
    resources.sort_by_cached_key(|resource| {
        let id = resource.id();
        let rank = ranks.get(id.gvk.kind).copied().unwrap_or_default();
        (rank, gvk_text(id.gvk), id_text(&id))
    });
}

/// Where a kind stands in kustomize's own order.
pub(super) fn rank(gvk: Gvk<'_>) -> (i64, String) {
    let ranks = ranks(FIRST.iter().copied(), LAST.iter().copied());
    let rank = ranks.get(gvk.kind).copied().unwrap_or_default();
    (rank, gvk_text(gvk))
}

fn ranks<'a>(
    first: impl ExactSizeIterator<Item = &'a str>,
    last: impl Iterator<Item = &'a str>,
) -> BTreeMap<&'a str, i64> {
    let count = i64::try_from(first.len()).unwrap_or(i64::MAX);
    let first = first.zip(-count..);
    first.chain(last.zip(1..)).collect()
}

fn gvk_text(gvk: Gvk<'_>) -> String {
    let or = |text: &str, none: &str| if text.is_empty() { none } else { text }.to_owned();
    format!(
        "{}_{}_{}",
        or(gvk.group, "~G"),
        or(gvk.version, "~V"),
        or(gvk.kind, "~K")
    )
}

fn id_text(id: &Id<'_>) -> String {
    let or = |text: &str, none: &str| if text.is_empty() { none } else { text }.to_owned();
    format!(
        "{}.{}.{}|{}|{}",
        or(id.gvk.kind, "[noKind]"),
        or(id.gvk.version, "[noVer]"),
        or(id.gvk.group, "[noGrp]"),
        or(id.namespace, "~X"),
        or(id.name, "~N")
    )
}
