//! Names of the StageSet itself.

use super::super::problems::{Problems, SCHEMA, show};
use crate::names::{Namespace, StageSetName};

pub(super) fn check(namespace: &str, name: &str, problems: &mut Problems) {
    bad_namespace(namespace, problems);
    bad_name(name, problems);
}

fn bad_namespace(namespace: &str, problems: &mut Problems) {
    if let Err(invalid) = Namespace::new(namespace) {
        let message = format!("{} is not a namespace: {}", show(namespace), invalid.rule());
        problems.add(SCHEMA, "metadata.namespace", message);
    }
}

/// G2: the StageSet's name becomes a label value.
fn bad_name(name: &str, problems: &mut Problems) {
    if let Err(invalid) = StageSetName::new(name) {
        let message = format!(
            "{} is not a valid StageSet name: {}; create it under another name",
            show(name),
            invalid.rule()
        );
        problems.add("G2", "metadata.name", message);
    }
}
