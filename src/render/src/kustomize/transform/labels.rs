//! Labels and annotations.

use std::collections::BTreeMap;

use crate::kustomize::config::FieldSpec;
use crate::kustomize::ledger::Problems;
use crate::kustomize::problem::Place;
use crate::kustomize::resources::Resources;
use crate::kustomize::walk::{self, Make};

pub(super) fn set(
    resources: &mut Resources,
    entries: &BTreeMap<String, String>,
    fields: &[FieldSpec],
    place: &Place,
    problems: &mut Problems,
) {
    if entries.is_empty() {
        return;
    }
    for resource in resources.list_mut() {
        for field in fields {
            let done = walk::each(resource, field, Some(Make::Mapping), &mut |node| {
                entries
                    .iter()
                    .try_for_each(|(key, value)| walk::set_entry(node, key, value))
            });
            if let Err(fault) = done {
                problems.push(place.problem(fault));
            }
        }
    }
}
