//! What a validator may do: look.

use super::super::problem::Fault;
use super::super::resource::Resource;
use super::super::resources::Resources;
use super::super::transform::Transformer;
use crate::ledger::Problems;

/// Runs a validator, which may look at objects, and not change them.
pub(in crate::kustomize) fn validate(
    validator: &Transformer,
    resources: &mut Resources,
    problems: &mut Problems,
) {
    let before: Vec<Resource> = resources.list().to_vec();
    validator.run(resources, problems);
    // A mark of what was validated is no change.
    let unmarked = |resource: &Resource| {
        let mut resource = resource.clone();
        let mut labels = resource.meta_map("labels");
        if labels.iter().any(|(key, _)| key == "validated-by") {
            labels.retain(|(key, _)| key != "validated-by");
            resource.set_meta_map("labels", labels);
        }
        resource.node.into_value()
    };
    // Nor may the names change that are remembered.
    let changed = before.iter().zip(resources.list()).find(|(before, after)| {
        before.node.clone().into_value() != unmarked(after)
            || before.previous != after.previous
            || before.prefixes != after.prefixes
            || before.suffixes != after.suffixes
    });
    let object = match changed {
        Some((before, _)) => before.id().to_string(),
        None if before.len() != resources.len() => "the number of objects".to_owned(),
        None => return,
    };
    let fault = Fault::ValidatorChanged { object };
    problems.push(validator.place.problem(fault));
}
