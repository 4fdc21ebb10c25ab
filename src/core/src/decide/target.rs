//! Which cluster: settled before anybody acts for the release.

use std::time::Duration;

use stageset_api::reason::Reason;

use crate::failure::{Failure, FailureClass};
use crate::identity::{KubeconfigReference, Target};
use crate::observation::{KubeconfigState, Observation};
use crate::plan::Need;
use crate::spec::Spec;
use crate::time::Timestamp;

use super::Stop;
use super::freshness::retry_at;
use super::report::{DENIED_RETRY, Report, Wait};

/// For this long a Secret's word counts; then it is read again, or when a pass is asked for. Nobody tells us that it has changed:
/// the controller may get Secrets, but neither list nor watch them (S30).
const BELIEVED: Duration = Duration::from_secs(30);

/// What is known of the cluster that a Secret names.
pub(super) enum Known<'a> {
    /// This one.
    Target(&'a Target),
    /// It can't be told or reached, and why; the Secret is read again then.
    Unusable(Unusable),
    /// The Secret has to be read.
    Ask(Need),
}

/// Why no connection can be made.
pub(super) struct Unusable {
    pub reason: Reason,
    pub message: String,
    pub until: Timestamp,
}

/// The cluster of the release. Without `kubeConfig` it is the local one; a `kubeConfig` that can't be
/// used is a failure of the first stage and never a reason to go elsewhere (S29, A06).
pub(super) fn resolve(observation: &Observation, spec: &Spec) -> Result<Target, Stop> {
    let Some(reference) = &spec.kube_config else {
        return Ok(Target::Local);
    };
    match known(observation, reference) {
        Known::Target(target) => Ok(target.clone()),
        Known::Ask(need) => Err(Stop::Ask(vec![need])),
        Known::Unusable(Unusable {
            reason,
            message,
            until,
        }) => {
            let message = format!("connecting to the target cluster: {message}");
            let mut report =
                Report::failed(observation, reason, message.clone(), Wait::Until(until));
            if let Some(first) = spec.stages.first() {
                report = report.stage_failed(&first.name, message);
            }
            Err(report.into())
        }
    }
}

/// Which cluster a Secret names.
pub(super) fn known<'a>(
    observation: &'a Observation,
    reference: &KubeconfigReference,
) -> Known<'a> {
    let ask = || Known::Ask(Need::Kubeconfig(reference.clone()));
    let Some(fact) = observation.facts.kubeconfigs.get(reference) else {
        return ask();
    };
    // How a server is asked that doesn't answer is the failure's to say, whoever asks for it.
    let is_failure = matches!(fact.value, KubeconfigState::Unreadable(_));
    if fact.at < observation.refresh_before && !is_failure {
        return ask();
    }
    let now = observation.now;
    let secret = format!(
        "Secret {}/{}",
        observation.stage_set.namespace, reference.name
    );
    let (reason, message, until) = match &fact.value {
        KubeconfigState::Usable(target) if now.since(fact.at) < BELIEVED => {
            return Known::Target(target);
        }
        KubeconfigState::Usable(_) => return ask(),
        KubeconfigState::Absent => (
            Reason::StageFailed,
            format!("{secret} doesn't exist: create it, or correct spec.kubeConfig.secretRef.name"),
            fact.at.plus(DENIED_RETRY),
        ),
        KubeconfigState::NoKey => (
            Reason::StageFailed,
            format!(
                "{secret} has nothing under key {:?}: put the kubeconfig there, or name its key in \
                 spec.kubeConfig.secretRef.key",
                reference.key
            ),
            fact.at.plus(DENIED_RETRY),
        ),
        KubeconfigState::Refused(why) => (
            Reason::StageFailed,
            format!("{secret}, key {:?}: {why}", reference.key),
            fact.at.plus(DENIED_RETRY),
        ),
        KubeconfigState::Unreadable(failure) => (
            if is_denied(failure) {
                Reason::RBACDenied
            } else {
                Reason::StageFailed
            },
            format!("{secret} can't be read: {failure}"),
            retry_at(fact.at, failure, fact.failures),
        ),
    };
    if now >= until {
        return ask();
    }
    Known::Unusable(Unusable {
        reason,
        message,
        until,
    })
}

fn is_denied(failure: &Failure) -> bool {
    failure.class == FailureClass::Denied
}
