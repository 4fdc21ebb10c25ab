//! Whose release this is: the identity of every stage, settled before the first request to the
//! tenant's world.

use stageset_api::reason::Reason;

use crate::identity::{Identity, Target};
use crate::observation::Observation;
use crate::spec::Spec;

use super::Stop;
use super::report::{Report, Wait};

/// The identity of each stage, in stage order; one refusal refuses the whole release.
pub(super) fn resolve(
    observation: &Observation,
    spec: &Spec,
    target: &Target,
) -> Result<Vec<Identity>, Stop> {
    let namespace = &observation.stage_set.namespace;
    let tenancy = observation.config.tenancy;
    spec.stages
        .iter()
        .map(|stage| {
            let account = stage.account(spec);
            Identity::resolve(tenancy, namespace, account, target).map_err(|refusal| {
                Report::stalled(
                    observation,
                    Reason::RBACDenied,
                    format!("stage {}: {refusal}", stage.name),
                    // Only a spec that names one helps, and that is news.
                    Wait::Tick,
                )
                .into()
            })
        })
        .collect()
}
