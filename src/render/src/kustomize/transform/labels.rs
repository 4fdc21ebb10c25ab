//! Labels and annotations.

use std::collections::BTreeMap;

use crate::kustomize::config::FieldSpec;
use crate::kustomize::problem::Place;
use crate::kustomize::resources::Resources;
use crate::kustomize::walk::{self, Make};
use crate::ledger::{MAPPING, Problems};
use crate::yaml::Data;

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
            let room = &*problems;
            let done = walk::each(resource, field, Some(Make::Mapping), &mut |node| {
                let mut groups = first..;
                entries.iter().try_for_each(|(key, value)| {
                    let group = groups.next().unwrap_or_default();
                    let made = matches!(&node.data, Data::Mapping(entries) if entries.is_empty());
                    let nodes = if made { 1 + MAPPING } else { 1 };
                    room.spend(key.len() + value.len(), nodes)?;
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
