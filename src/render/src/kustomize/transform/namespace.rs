//! The namespace of objects, and of what in them names it.

use crate::kustomize::config::{FieldSpec, NAMESPACE};
use crate::kustomize::problem::{Fault, Place};
use crate::kustomize::resource::Resource;
use crate::kustomize::resources::Resources;
use crate::kustomize::walk::{self, Make, Refusal};
use crate::ledger::Problems;
use crate::yaml::{Data, Node};

/// Which subjects of role bindings get the namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kustomize) enum Subjects {
    /// Those named `default`.
    Default,
    /// Every service account.
    ServiceAccounts,
    None,
}

pub(super) struct Rule<'a> {
    pub(super) namespace: &'a str,
    pub(super) fields: &'a [FieldSpec],
    pub(super) subjects: Subjects,
    pub(super) unset_only: bool,
}

pub(super) fn set(
    resources: &mut Resources,
    rule: &Rule<'_>,
    place: &Place,
    problems: &mut Problems,
) {
    if rule.namespace.is_empty() {
        return;
    }
    for resource in resources.list_mut() {
        resource.remember();
        if let Err(fault) = set_one(resource, rule, problems) {
            problems.push(place.problem(fault));
        }
    }
    resources.check_unique(problems);
}

pub(super) fn set_one(
    resource: &mut Resource,
    rule: &Rule<'_>,
    problems: &Problems,
) -> Result<(), Fault> {
    let own = &*NAMESPACE;
    let set = &mut |node: &mut Node| set_text(node, rule, problems);
    let cluster_scoped = resource.is_cluster_scoped();
    let gvk = resource.gvk();
    let core = gvk.group.is_empty() && gvk.version == "v1";
    let binding = matches!(gvk.kind, "RoleBinding" | "ClusterRoleBinding");
    if !cluster_scoped {
        walk::each(resource, own, Some(Make::Scalar), set)?;
    }
    if binding {
        set_subjects(resource, rule, problems).map_err(|Refusal(message)| Fault::Mismatch {
            object: resource.id().to_string(),
            field: "subjects".to_owned(),
            message,
        })?;
    }
    for field in rule.fields {
        let skipped = field.path == own.path
            || (!core && field.path == "metadata/name")
            || (binding
                && matches!(
                    field.gvk.kind.as_str(),
                    "RoleBinding" | "ClusterRoleBinding"
                )
                && field.path == "subjects/namespace");
        if !skipped {
            walk::each(resource, field, Some(Make::Scalar), set)?;
        }
    }
    Ok(())
}

fn set_text(node: &mut Node, rule: &Rule<'_>, problems: &Problems) -> Result<(), Refusal> {
    let is_set = !node.is_null() && node.scalar().is_some_and(|text| !text.is_empty());
    if rule.unset_only && is_set {
        return Ok(());
    }
    problems.spend(rule.namespace.len(), 1)?;
    walk::set_scalar(node, Data::String(rule.namespace.to_owned()))
}

fn set_subjects(
    resource: &mut Resource,
    rule: &Rule<'_>,
    problems: &Problems,
) -> Result<(), Refusal> {
    let (field, wanted) = match rule.subjects {
        Subjects::None => return Ok(()),
        Subjects::Default => ("name", "default"),
        Subjects::ServiceAccounts => ("kind", "ServiceAccount"),
    };
    let Some(subjects) = resource.node.get_mut("subjects") else {
        return Ok(());
    };
    let items = match &mut subjects.data {
        Data::Null | Data::Blank => return Ok(()),
        Data::Sequence(items) => items,
        _ => return Err(Refusal::expected(subjects, "a list")),
    };
    for item in items {
        match &item.data {
            Data::Null | Data::Blank => continue,
            Data::Mapping(_) => {}
            _ => return Err(Refusal::expected(item, "a mapping")),
        }
        if item
            .get(field)
            .is_none_or(|node| node.scalar().as_deref() != Some(wanted))
        {
            continue;
        }
        let line = item.line;
        if item.get("namespace").is_none() {
            let data = Data::Blank;
            item.insert("namespace", Node::new(line, data));
        }
        if let Some(node) = item.get_mut("namespace") {
            set_text(node, rule, problems)?;
        }
    }
    Ok(())
}
