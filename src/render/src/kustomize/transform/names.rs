//! Prefixes and suffixes of names.

use crate::kustomize::config::FieldSpec;
use crate::kustomize::id::Gvk;
use crate::kustomize::problem::Place;
use crate::kustomize::resource::Resource;
use crate::kustomize::resources::Resources;
use crate::kustomize::walk;
use crate::ledger::{Full, Problems};
use crate::yaml::{Data, Node};

pub(super) enum Affix<'a> {
    Prefix(&'a str),
    Suffix(&'a str),
}

/// Kinds whose names mean something to others.
const SKIPPED: [Gvk<'static>; 3] = [
    Gvk {
        group: "",
        version: "",
        kind: "CustomResourceDefinition",
    },
    Gvk {
        group: "apiregistration.k8s.io",
        version: "",
        kind: "APIService",
    },
    Gvk {
        group: "",
        version: "",
        kind: "Namespace",
    },
];

pub(super) fn add(
    resources: &mut Resources,
    affix: &Affix<'_>,
    fields: &[FieldSpec],
    place: &Place,
    problems: &mut Problems,
) {
    for resource in resources.list_mut() {
        let gvk = resource.first_id().gvk;
        if SKIPPED.iter().any(|skipped| gvk.is_selected(*skipped)) {
            continue;
        }
        for field in fields {
            if !resource.first_id().gvk.is_selected(field.gvk.borrow()) {
                continue;
            }
            let room = &*problems;
            if field.path == "metadata/name" && remember(resource, affix, room).is_err() {
                problems.within();
                return;
            }
            let set = &mut |node: &mut Node| {
                let text = node.scalar().unwrap_or_default();
                let (Affix::Prefix(added) | Affix::Suffix(added)) = affix;
                room.spend(added.len(), 0)?;
                let text = match affix {
                    Affix::Prefix(prefix) => format!("{prefix}{text}"),
                    Affix::Suffix(suffix) => format!("{text}{suffix}"),
                };
                walk::set_scalar(node, Data::String(text))
            };
            if let Err(fault) = walk::each(resource, field, Some(walk::Make::Scalar), set) {
                problems.push(place.problem(fault));
            }
        }
    }
}

fn remember(resource: &mut Resource, affix: &Affix<'_>, problems: &Problems) -> Result<(), Full> {
    let (list, text) = match affix {
        Affix::Prefix(prefix) => (&mut resource.prefixes, prefix),
        Affix::Suffix(suffix) => (&mut resource.suffixes, suffix),
    };
    if !text.is_empty() {
        // Kustomize keeps these in one text, separated by commas.
        problems.spend(text.len(), text.split(',').count())?;
        list.extend(text.split(',').map(str::to_owned));
        resource.remember();
    }
    Ok(())
}
