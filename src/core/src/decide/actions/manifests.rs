//! The objects of `job` and `apply` actions: their source is resolved and built like a stage's (as
//! the controller, in the local cluster, under the same flags and for the same account), but only when its turn has come.

use crate::failure::{Failure, FailureClass};
use crate::object::{Desired, Owner, Rendered};
use crate::observation::{Artifact, BuildKey, BuildState, ledger_key};
use crate::plan::Need;
use crate::spec::{ActionScope, Manifests};
use crate::waves::apply_order;

use super::super::Stop;
use super::super::freshness::retry_at;
use super::super::sources;
use super::attempt::This;
use super::target;
use super::verbs::Go;

use std::sync::Arc;

/// Longest name of a Job: it becomes a label of its pods.
const JOB_NAME: usize = 63;

/// The objects in the order in which they are applied.
pub(super) fn objects(this: This<'_>, manifests: &Manifests) -> Result<Vec<Arc<Desired>>, Go> {
    let rendered = rendered(this, manifests)?;
    let mut objects = Vec::with_capacity(rendered.len());
    for object in rendered.iter() {
        objects.push(placed(this, object)?);
    }
    objects.sort_by(|a, b| apply_order(&a.reference).cmp(&apply_order(&b.reference)));
    Ok(objects)
}

/// The Jobs, each under the name of this very run of the action.
pub(super) fn jobs(this: This<'_>, manifests: &Manifests) -> Result<Vec<Arc<Desired>>, Go> {
    let rendered = rendered(this, manifests)?;
    let others: Vec<String> = rendered
        .iter()
        .filter(|object| object.gvk.group != "batch" || object.gvk.kind != "Job")
        .map(|object| format!("{} {:?} ({})", object.gvk, object.name, object.origin))
        .collect();
    if !others.is_empty() {
        let message = format!(
            "its path holds {}, and a job action runs Jobs only: move them out, or apply them with \
             an apply action",
            others.join(", ")
        );
        return Err(terminal(this, message));
    }
    let mut jobs = Vec::with_capacity(rendered.len());
    for job in rendered.iter() {
        let Some(named) = job.renamed(&job_name(&job.name, &suffix(this))) else {
            return Err(terminal(
                this,
                format!("{}: the Job has no name", job.origin),
            ));
        };
        jobs.push(placed(this, &named)?);
    }
    jobs.sort_by(|a, b| a.reference.key.cmp(&b.reference.key));
    Ok(jobs)
}

/// Eight digits of the digest of what the completion is recorded for: the revision, or, for an
/// action that is done once ever, the StageSet itself, so that a new revision doesn't run it twice.
fn suffix(this: This<'_>) -> String {
    match this.action.scope {
        ActionScope::Revision => this.key(),
        ActionScope::Lifetime(_) => {
            let stage_set = &this.run.release.observation.stage_set;
            ledger_key(Some(&format!(
                "{}/{}/{}",
                stage_set.namespace, stage_set.name, this.run.stage.spec.name
            )))
        }
    }
}

fn job_name(name: &str, suffix: &str) -> String {
    let end = name.floor_char_boundary(JOB_NAME - suffix.len() - 1);
    let head = name[..end].trim_end_matches(['-', '.']);
    format!("{head}-{suffix}")
}

fn placed(this: This<'_>, rendered: &Rendered) -> Result<Arc<Desired>, Go> {
    let (plural, namespaced) = target::kind(this, &rendered.gvk)?;
    let stage_set = &this.run.release.observation.stage_set;
    let owner = Owner {
        namespace: stage_set.namespace.to_string(),
        name: stage_set.name.clone(),
    };
    let object = rendered.placed(&plural, namespaced, &owner, &this.run.stage.spec.name);
    target::within_bounds(this, &object.reference.key)?;
    Ok(Arc::new(object.as_transient()))
}

fn rendered<'a>(this: This<'a>, manifests: &Manifests) -> Result<&'a Arc<Vec<Rendered>>, Go> {
    let observation = this.run.release.observation;
    let artifact = artifact(this, manifests)?;
    let key = BuildKey {
        digest: artifact.digest.clone(),
        path: manifests.path.clone(),
        // The stage's patches and variables are for the stage's own objects.
        overlay: String::new(),
    };
    let ask = || {
        let key = key.clone();
        Go::Stop(Stop::Ask(vec![Need::Build {
            key,
            artifact: artifact.clone(),
            overlay: Arc::default(),
        }]))
    };
    let Some(fact) = observation.facts.builds.get(&key) else {
        return Err(ask());
    };
    match &fact.value {
        BuildState::Built(objects) if objects.is_empty() => Err(terminal(
            this,
            format!("{} holds no manifests there", manifests.source),
        )),
        BuildState::Built(objects) => Ok(objects),
        BuildState::Failed(failure) => {
            let until = retry_at(fact.at, failure, fact.failures);
            if observation.now >= until {
                return Err(ask());
            }
            Err(Go::Failed(failure.clone(), fact.at))
        }
    }
}

fn artifact(this: This<'_>, manifests: &Manifests) -> Result<Artifact, Go> {
    let release = this.run.release;
    let mut needs = Vec::new();
    match sources::pin_one(
        release.observation,
        release.spec,
        this.run.stage.spec.account(release.spec),
        &manifests.source,
        &mut needs,
    ) {
        _ if !needs.is_empty() => Err(Go::Stop(Stop::Ask(needs))),
        Ok(Some(artifact)) => Ok(artifact.clone()),
        Ok(None) => Err(Go::Stop(Stop::Ask(Vec::new()))),
        Err(report) => {
            let until = report.until(release.observation);
            let said = report.message().to_owned();
            Err(Go::Wait { said, until })
        }
    }
}

fn terminal(this: This<'_>, message: String) -> Go {
    Go::Failed(Failure::new(FailureClass::Terminal, message), this.now())
}

#[cfg(test)]
mod tests {
    use super::job_name;

    #[test]
    fn names_of_jobs_fit_into_a_label() {
        // No server takes it; cut within a letter it would be no text.
        assert_eq!(
            job_name(&format!("a{}", "ü".repeat(50)), "0123abcd").len(),
            62
        );
        assert_eq!(job_name("migrate", "0123abcd"), "migrate-0123abcd");
        let long = job_name(&"a".repeat(100), "0123abcd");
        assert_eq!(long.len(), 63);
        assert!(long.ends_with("a-0123abcd"));
        let edge = format!("{}-{}", "a".repeat(53), "b".repeat(50));
        assert_eq!(
            job_name(&edge, "0123abcd"),
            format!("{}-0123abcd", "a".repeat(53))
        );
    }
}
