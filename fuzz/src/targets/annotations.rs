//! A StageSet object whatever anybody wrote into it: metadata, annotations, status (A23).

use serde_json::Value;
use stageset_cluster::Stored;
use stageset_cluster::records::stage_set;

use super::{Target, sight};

pub(super) const TARGET: Target = Target {
    name: "annotations",
    words: &[
        "\"annotations\":{",
        "\"reconcile.fluxcd.io/requestedAt\":\"a\"",
        "\"stages.metio.wtf/reconcile-stage\":\"app@1\"",
        "\"stages.metio.wtf/promote\":\"app@\"",
        "\"stages.metio.wtf/approved-version\":\"1.0.0\"",
        "\"stages.metio.wtf/update-now\":\"@@\"",
        "\"deletionTimestamp\":\"2026-11-25T12:00:00Z\"",
        "\"finalizers\":[\"stages.metio.wtf/finalizer\"]",
        "\"generation\":9223372036854775807",
        "\"resourceVersion\":\"18446744073709551616\"",
        "\"uid\":\"\"",
        "\"status\":{\"stages\":[{\"name\":\"app\",\"phase\":\"Ready\"}]}",
        "\"conditions\":[{\"type\":\"Ready\",\"lastTransitionTime\":\"x\"}]",
        "\"lastAppliedRevisions\":{\"a/b\":\"c\"}",
        "\"observedGeneration\":-1",
    ],
    run,
};

fn run(input: &[u8]) -> Result<Vec<u64>, String> {
    let Ok(object) = serde_json::from_slice::<Value>(input) else {
        return Ok(vec![0]);
    };
    let kept = Stored::packed(object.clone());
    if *kept.value() != object {
        return Err("kept as text it is another object".to_owned());
    }
    // Never older or newer than itself.
    if stage_set::supersedes(&kept, &Stored::from(object.clone())) {
        return Err("an object supersedes itself".to_owned());
    }
    match stage_set::read(&object) {
        Err(invalid) => Ok(vec![sight(&invalid.to_string())]),
        Ok(read) => {
            if stage_set::read(&object).as_ref() != Ok(&read) {
                return Err("read twice, and not the same".to_owned());
            }
            let parsed = read.spec.is_ok();
            Ok(vec![
                sight(if parsed { "parsed" } else { "refused" }),
                u64::from(read.has_finalizer) << 1 | u64::from(read.suspend) << 2,
                u64::from(read.deletion_timestamp.is_some()) << 3
                    | u64::from(read.requested_at.is_some()) << 4,
                sight(&shape(&read.status)),
            ])
        }
    }
}

/// The status without its texts.
fn shape(status: &impl std::fmt::Debug) -> String {
    format!("{status:?}")
}
