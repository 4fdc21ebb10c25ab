//! Numbers of replicas.

use serde_json::Number;

use crate::kustomize::config::FieldSpec;
use crate::kustomize::id::{Gvk, Id};
use crate::kustomize::kustomization::Replica;
use crate::kustomize::near;
use crate::kustomize::problem::{Fault, Place};
use crate::kustomize::resources::Resources;
use crate::kustomize::walk::{self, Make};
use crate::ledger::Problems;
use crate::yaml::Data;

pub(super) fn set(
    resources: &mut Resources,
    replica: &Replica,
    fields: &[FieldSpec],
    place: &Place,
    problems: &mut Problems,
) {
    let mut found = false;
    for field in fields {
        for resource in resources.list_mut() {
            let matches = resource
                .ids()
                .any(|id| id.name == replica.name && id.gvk.is_selected(field.gvk.borrow()));
            if !matches {
                continue;
            }
            found = true;
            let done = walk::each(resource, field, Some(Make::Scalar), &mut |node| {
                walk::set_scalar(node, Data::Number(Number::from(replica.count).into()))
            });
            if let Err(fault) = done {
                problems.push(place.problem(fault));
            }
        }
    }
    if !found {
        let kinds: Vec<&str> = fields.iter().map(|field| field.gvk.kind.as_str()).collect();
        let gvk = Gvk {
            group: "apps",
            version: "v1",
            kind: kinds.first().copied().unwrap_or_default(),
        };
        let wanted = Id {
            gvk,
            name: &replica.name,
            namespace: "",
            cluster_scoped: false,
        };
        problems.push(place.problem(Fault::NoMatch {
            wanted: format!("{:?} among the kinds {}", replica.name, kinds.join(", ")),
            near: near::objects(&wanted, resources.list()),
        }));
    }
}
