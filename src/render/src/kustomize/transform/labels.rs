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
        // What one entry makes in several fields is one node in kustomize.
        let first = resource.ties(entries.len());
        for field in fields {
            let done = walk::each(resource, field, Some(Make::Mapping), &mut |node| {
                let mut groups = first..;
                entries.iter().try_for_each(|(key, value)| {
                    let group = groups.next().unwrap_or_default();
                    walk::set_entry(node, key, value, group)
                })
            });
            if let Err(fault) = done {
                problems.push(place.problem(fault));
            }
        }
        resource.follow_ties();
    }
}
