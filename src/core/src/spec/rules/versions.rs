//! Where the version comes from.

use stageset_api::stageset::StageSetSpec;

use super::super::problems::{Problems, set, show};
use super::semantic_versions::version;

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    not_one_origin(spec, problems);
    value_is_no_version(spec, problems);
}

/// V23: exactly one origin.
fn not_one_origin(spec: &StageSetSpec, problems: &mut Problems) {
    let Some(source) = &spec.version else {
        return;
    };
    let origins = [
        set(source.value.as_ref()).is_some(),
        source.from_object.is_some(),
        source.from_artifact.is_some(),
    ];
    let count = origins.into_iter().filter(|set| *set).count();
    if count != 1 {
        let message =
            format!("{count} of value, fromObject and fromArtifact are set; exactly 1 is needed");
        problems.add("V23", "spec.version", message);
    }
}

/// G5: an inline version is one, white space around it apart.
fn value_is_no_version(spec: &StageSetSpec, problems: &mut Problems) {
    let value = spec
        .version
        .as_ref()
        .and_then(|source| set(source.value.as_ref()));
    if let Some(value) = value.filter(|value| version(value.trim()).is_none()) {
        let message = format!("{} is not a semantic version such as 1.2.3", show(value));
        problems.add("G5", "spec.version.value", message);
    }
}
