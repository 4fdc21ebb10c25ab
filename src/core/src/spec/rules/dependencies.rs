//! Dependencies on other StageSets (V30).

use stageset_api::stageset::StageSetSpec;

use super::super::problems::{Problems, set, show};
use super::semantic_versions::version;

pub(super) fn check(spec: &StageSetSpec, problems: &mut Problems) {
    for (index, dependency) in spec.depends_on.iter().enumerate() {
        let at = format!("spec.dependsOn[{index}]");
        if dependency.name.is_empty() {
            problems.add(
                "V30",
                format!("{at}.name"),
                "it is empty; name the StageSet",
            );
        }
        let floor = set(dependency.min_version.as_ref());
        if let Some(floor) = floor.filter(|floor| version(floor).is_none()) {
            let message = format!("{} is not a semantic version such as 1.2.3", show(floor));
            problems.add("V30", format!("{at}.minVersion"), message);
        }
    }
}
