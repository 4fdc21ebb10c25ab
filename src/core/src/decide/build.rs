//! Building every stage's objects from its pinned artifact, before the first write of any.

use std::sync::Arc;

use stageset_api::reason::Reason;

use crate::failure::Failure;
use crate::object::Rendered;
use crate::observation::{BuildKey, BuildOverlay, BuildState, Observation};
use crate::plan::Need;
use crate::spec::Spec;

use super::Stop;
use super::base::Base;
use super::freshness::retry_at;
use super::report::{Report, Wait};

/// The built objects of each stage, in stage order. A build doesn't age: same content, same objects.
pub(super) fn build<'a>(
    observation: &'a Observation,
    spec: &Spec,
    base: &Base<'_>,
    overlays: &[Arc<BuildOverlay>],
) -> Result<Vec<&'a Arc<Vec<Rendered>>>, Stop> {
    let mut needs = Vec::new();
    let mut built = Vec::with_capacity(spec.stages.len());
    let mut failed: Option<(usize, &Failure, crate::time::Timestamp)> = None;
    for (index, (stage, overlay)) in spec.stages.iter().zip(overlays).enumerate() {
        let Some(artifact) = base.pins.of(index) else {
            continue;
        };
        let need = || Need::Build {
            key: BuildKey {
                digest: artifact.digest.clone(),
                path: stage.path.clone(),
                overlay: overlay.digest.clone(),
            },
            artifact: artifact.clone(),
            overlay: Arc::clone(overlay),
        };
        // A key of its own would be three texts made for nothing.
        let mut builds = observation.facts.builds.iter();
        let known = builds.find(|(key, _)| {
            key.digest == artifact.digest && key.path == stage.path && key.overlay == overlay.digest
        });
        match known.map(|(_, fact)| (&fact.value, fact)) {
            None => needs.push(need()),
            Some((BuildState::Built(objects), _)) => built.push(objects),
            Some((BuildState::Failed(failure), fact)) => {
                let until = retry_at(fact.at, failure, fact.failures);
                if observation.now >= until {
                    needs.push(need());
                } else if failed.is_none() {
                    failed = Some((index, failure, until));
                }
            }
        }
    }
    if !needs.is_empty() {
        return Err(Stop::Ask(needs));
    }
    match failed {
        None => Ok(built),
        Some((index, failure, until)) => {
            let stage = &spec.stages[index];
            Err(Report::failed(
                observation,
                Reason::StageFailed,
                format!("stage {}: {failure}", stage.name),
                Wait::Until(until),
            )
            .attempting(&base.pins)
            .stage_failed(&stage.name, failure.message.clone())
            .into())
        }
    }
}
