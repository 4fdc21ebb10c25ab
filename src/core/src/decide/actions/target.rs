//! Objects that an action names: kind, scope and namespace as the target has them (A11).

use crate::failure::{Failure, FailureClass};
use crate::object::{GroupVersionKind, ObjectKey, Reference};
use crate::observation::KindState;
use crate::plan::Need;
use crate::spec::{Anchor, ObjectTarget};

use super::super::Stop;
use super::super::freshness::retry_at;
use super::super::report::DENIED_RETRY;
use super::attempt::This;
use super::verbs::Go;

/// How the target serves a kind.
pub(super) fn kind(this: This<'_>, gvk: &GroupVersionKind) -> Result<(String, bool), Go> {
    let observation = this.run.release.observation;
    let target = this.run.stage.identity.target();
    let ask = || {
        Go::Stop(Stop::Ask(vec![Need::Kind {
            target: target.clone(),
            gvk: gvk.clone(),
        }]))
    };
    let Some(fact) = observation.facts.kinds.get(target, gvk) else {
        return Err(ask());
    };
    match &fact.value {
        KindState::Served { plural, namespaced } => Ok((plural.clone(), *namespaced)),
        KindState::Unknown | KindState::OtherVersion { .. } => {
            if observation.now >= fact.at.plus(DENIED_RETRY) {
                return Err(ask());
            }
            let message = format!(
                "the API server doesn't know {gvk}: correct apiVersion and kind (without an \
                 apiVersion v1 is meant), or install what defines it first"
            );
            let failure = Failure::new(FailureClass::UnknownKind, message);
            Err(Go::Failed(failure, fact.at))
        }
        KindState::Unreadable(failure) => {
            let until = retry_at(fact.at, failure, fact.failures);
            if observation.now >= until {
                return Err(ask());
            }
            let said = format!("what the API server serves can't be read: {failure}");
            Err(Go::Wait { said, until })
        }
    }
}

/// An object, or with an empty name all of its kind; nothing outside of the namespaces that this
/// controller works in (A14).
pub(super) fn reference(
    this: This<'_>,
    (api_version, of_kind): (&str, &str),
    namespace: &str,
    name: &str,
) -> Result<Reference, Go> {
    let gvk = GroupVersionKind::from_manifest(api_version, of_kind);
    let (plural, namespaced) = kind(this, &gvk)?;
    let key = ObjectKey {
        name: name.to_owned(),
        kind: gvk.kind,
        namespace: namespaced.then(|| namespace.to_owned()),
        group: gvk.group,
    };
    within_bounds(this, &key)?;
    Ok(Reference {
        key,
        version: gvk.version,
        plural,
    })
}

/// The list of namespaces bounds effects (A14).
pub(super) fn within_bounds(this: This<'_>, key: &ObjectKey) -> Result<(), Go> {
    let observation = this.run.release.observation;
    let target = this.run.stage.identity.target();
    if observation
        .config
        .works_in(target, key.namespace.as_deref())
    {
        return Ok(());
    }
    let message = format!(
        "{key} is outside of the namespaces that this controller works in (--watch-namespaces)"
    );
    let failure = Failure::new(FailureClass::Terminal, message);
    Err(Go::Failed(failure, observation.now))
}

pub(super) fn object(this: This<'_>, target: &ObjectTarget) -> Result<Reference, Go> {
    let of = (target.api_version.as_str(), target.kind.as_str());
    reference(this, of, &target.namespace, &target.name)
}

/// A witness stands in the StageSet's namespace.
pub(super) fn witness(this: This<'_>, anchor: &Anchor) -> Result<Reference, Go> {
    let of = (anchor.api_version.as_str(), anchor.kind.as_str());
    let namespace = this.run.release.observation.stage_set.namespace.as_str();
    reference(this, of, namespace, &anchor.name)
}
