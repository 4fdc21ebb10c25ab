//! Stages among each other.

use std::collections::BTreeMap;

use stageset_api::stageset::StageSetSpec;

use super::super::problems::{Problems, show};

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    same_name_twice(spec, problems);
}

/// V1: two stages share a name.
fn same_name_twice(spec: &StageSetSpec, problems: &mut Problems) {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, stage) in spec.stages.iter().enumerate() {
        if stage.name.is_empty() {
            continue;
        }
        match first.get(stage.name.as_str()) {
            None => {
                first.insert(&stage.name, index);
            }
            Some(other) => {
                let message = format!(
                    "stage name {} is taken by spec.stages[{other}]; give each stage its own name",
                    show(&stage.name)
                );
                problems.add("V1", format!("spec.stages[{index}].name"), message);
            }
        }
    }
}
