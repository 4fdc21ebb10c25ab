//! A StageSet's spec in JSON, as the reconciler and the webhook parse it.

use serde_json::Value;
use stageset_core::spec::parse;

use super::{Target, sight};

pub(super) const TARGET: Target = Target {
    name: "stage_set",
    words: WORDS,
    run,
};

/// Names of fields and values of specs.
pub(super) const WORDS: &[&str] = &[
    "\"stages\":[",
    "\"name\":\"app\"",
    "\"sourceRef\":{\"name\":\"app\"}",
    "\"kind\":\"Bucket\"",
    "\"apiVersion\":\"a/v1\"",
    "\"namespace\":\"other\"",
    "\"path\":\"./a/../b\"",
    "\"serviceAccountName\":\"deployer\"",
    "\"prune\":false",
    "\"suspend\":true",
    "\"interval\":\"5m\"",
    "\"timeout\":\"-1s\"",
    "\"onTimeout\":\"Rollback\"",
    "\"dependsOn\":[{\"name\":\"a\",\"minVersion\":\"1.0.0\"}]",
    "\"kubeConfig\":{\"secretRef\":{\"name\":\"a\"}}",
    "\"configMapRef\":{\"name\":\"a\"}",
    "\"version\":{\"value\":\"1.2.3\"}",
    "\"migrations\":[{\"name\":\"m\",\"to\":\"1.0.0\",\"from\":\">=0.1\"}]",
    "\"updateWindows\":[{\"type\":\"Allow\",\"schedule\":\"0 1 * * *\",\"duration\":\"1h\"}]",
    "\"timeZone\":\"Europe/Berlin\"",
    "\"errorBudget\":{\"freezeThreshold\":\"NaN\"}",
    "\"promotion\":{\"soak\":\"1h\"}",
    "\"readyChecks\":{\"exprs\":[{\"kind\":\"Job\",\"current\":\"status.x == 1\"}]}",
    "\"actions\":{\"pre\":[{\"name\":\"a\",\"wait\":{\"duration\":\"1s\"}}]}",
    "\"http\":{\"url\":\"http://a\"}",
    "\"patches\":[{\"patch\":\"[]\"}]",
    "\"postBuild\":{\"substitute\":{\"a\":\"${b}\"}}",
    "\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[]}]",
];

fn run(input: &[u8]) -> Result<Vec<u64>, String> {
    let Ok(spec) = serde_json::from_slice::<Value>(input) else {
        return Ok(vec![0]);
    };
    match parse("team", "app", &spec) {
        Ok(parsed) => {
            // What is accepted keeps its promises.
            let names: std::collections::BTreeSet<_> = parsed
                .stages
                .iter()
                .map(|stage| stage.name.as_str())
                .collect();
            if parsed.stages.is_empty() || names.len() != parsed.stages.len() {
                return Err("stages are empty or share a name".to_owned());
            }
            let outside = |path: &str| path.starts_with('/') || path.split('/').any(|p| p == "..");
            if parsed.stages.iter().any(|stage| outside(&stage.path)) {
                return Err("a path leaves the artifact".to_owned());
            }
            Ok(vec![1])
        }
        Err(problems) => {
            if problems.is_empty() {
                return Err("refused without a reason".to_owned());
            }
            if parse("team", "app", &spec).err().as_ref() != Some(&problems) {
                return Err("the same spec, other problems".to_owned());
            }
            Ok(problems
                .iter()
                .map(|problem| sight(&format!("{} {}", problem.rule, problem.message)))
                .collect())
        }
    }
}
