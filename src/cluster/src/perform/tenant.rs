//! Writes to the tenant's world, as the tenant.

use serde_json::json;
use stageset_api::names::FIELD_MANAGER;
use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::judge::live;
use stageset_core::object::{ObjectKey, Reference};
use stageset_core::observation::{Attempt, Correction, Facts, Live, LiveState};
use stageset_core::plan::{ApplyReason, TenantOperation};
use stageset_core::time::Timestamp;

use super::{Perform, action};
use crate::gather::{in_a_row, settled, tracking, without_uid};
use crate::observe::Outcome;
use crate::requests::{Requests, Target};

/// How a write to the tenant's world ended, before it is put among the facts.
pub(crate) enum Done {
    TakenOver {
        identity: Identity,
        object: Reference,
        digest: String,
        result: Result<(), Failure>,
    },
    Applied {
        identity: Identity,
        object: Reference,
        digest: String,
        /// The fields that were put right, if this corrected drift.
        corrected: Option<Vec<String>>,
        covered: bool,
        result: Result<Live, Failure>,
    },
    Deleted {
        identity: Identity,
        object: Reference,
        result: Result<(), Failure>,
    },
    Acted {
        attempt: Attempt,
        result: Result<(), Failure>,
    },
}

/// Carries out one operation, as the identity it names.
pub(crate) async fn tenant(perform: Perform<'_>, operation: &TenantOperation) -> Done {
    let ports = perform.ports;
    let requests = |identity| Requests::towards(ports, &perform.key.namespace, identity);
    match operation {
        TenantOperation::Act {
            identity,
            attempt,
            deed,
        } => Done::Acted {
            attempt: attempt.clone(),
            result: action::deed(perform, identity, deed).await,
        },
        TenantOperation::Apply {
            identity,
            object,
            uid,
            why,
        } => {
            let corrected = match why {
                ApplyReason::Drift { fields, .. } => Some(fields.clone()),
                ApplyReason::Create | ApplyReason::Change(_) => None,
            };
            let mut body = object.stamped();
            if let Some(uid) = uid {
                // A recreated object bounces: the decision was about another one (G8).
                body["metadata"]["uid"] = uid.as_str().into();
            }
            let target = Target::object(&object.reference);
            let applied = match requests(identity) {
                Ok(requests) => requests.apply(&target, &body).await,
                Err(failure) => Err(failure),
            };
            let result = applied.and_then(|applied| {
                let key = &object.reference.key;
                live::read(&applied, FIELD_MANAGER)
                    .map(|live| perform.bodies.kept(live, &applied, key))
                    .ok_or_else(|| without_uid(key))
            });
            Done::Applied {
                identity: identity.clone(),
                object: object.reference.clone(),
                digest: object.digest.clone(),
                corrected,
                covered: ports.watched.covers(
                    identity,
                    &object.reference.key,
                    &object.reference.version,
                ),
                result,
            }
        }
        TenantOperation::TakeOver {
            identity,
            object,
            uid,
            resource_version,
            from: _,
            managed_fields,
        } => {
            let target = Target::object(&object.reference);
            let patch = json!({ "metadata": {
                "uid": uid,
                "resourceVersion": resource_version,
                "managedFields": managed_fields,
            }});
            let result = match requests(identity) {
                Ok(requests) => requests.merge_patch(&target, &patch).await,
                Err(failure) => Err(failure),
            };
            Done::TakenOver {
                identity: identity.clone(),
                object: object.reference.clone(),
                digest: object.digest.clone(),
                result: result.map(drop),
            }
        }
        TenantOperation::Delete {
            identity,
            object,
            uid,
            version,
            stage: _,
            why: _,
        } => {
            let target = Target::object(object);
            let version = Some(version.as_str()).filter(|version| !version.is_empty());
            let result = match requests(identity) {
                Ok(requests) => requests.delete(&target, uid, version).await.map(drop),
                Err(failure) => Err(failure),
            };
            Done::Deleted {
                identity: identity.clone(),
                object: object.clone(),
                result,
            }
        }
    }
}

impl Done {
    /// How it ended, for observers.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Applied {
                result: Err(failure),
                ..
            }
            | Self::TakenOver {
                result: Err(failure),
                ..
            }
            | Self::Deleted {
                result: Err(failure),
                ..
            }
            | Self::Acted {
                result: Err(failure),
                ..
            } => Outcome::Failed(failure.clone()),
            Self::Applied { .. }
            | Self::TakenOver { .. }
            | Self::Deleted { .. }
            | Self::Acted { .. } => Outcome::Done,
        }
    }

    /// Puts it among the facts.
    pub(crate) fn record(self, facts: &mut Facts, at: Timestamp) {
        match self {
            Self::TakenOver {
                identity,
                object,
                digest,
                result,
            } => {
                // Whatever came of it, the object isn't what it was looked at as.
                let known = facts.objects.entry(&identity, &object.key);
                known.live = None;
                known.dry_run = None;
                if let Err(failure) = result {
                    failed(facts, &identity, &object.key, digest, failure, at);
                }
            }
            Self::Acted { attempt, result } => facts.actions.ended(&attempt, result, at),
            Self::Applied {
                identity,
                object,
                digest,
                corrected,
                covered,
                result,
            } => match result {
                Ok(live) => {
                    let facts = facts.objects.entry(&identity, &object.key);
                    // What was deleted altogether isn't a matter of who knows better.
                    if let Some(fields) = corrected.filter(|fields| !fields.is_empty()) {
                        facts.corrected(Correction { at, fields });
                    }
                    facts.settled = Some(settled(&digest, &live, at));
                    facts.live = Some(Fact::seen(LiveState::Present(live), at));
                    facts.tracking = tracking(covered);
                    facts.write_failure = None;
                }
                Err(failure) => {
                    failed(facts, &identity, &object.key, digest, failure, at);
                    // Whatever it tried, the world isn't what it was tried on; and it may have taken
                    // effect although its answer says nothing of that. Managed fields can't tell: they know
                    // the time to the second.
                    let facts = facts.objects.entry(&identity, &object.key);
                    facts.dry_run = None;
                    facts.live = None;
                    facts.settled = None;
                }
            },
            Self::Deleted {
                identity,
                object,
                result,
            } => match result {
                Ok(()) => {
                    let facts = facts.objects.entry(&identity, &object.key);
                    facts.live = None;
                    facts.dry_run = None;
                    facts.settled = None;
                    facts.write_failure = None;
                }
                Err(failure) => {
                    if failure.class == FailureClass::Conflict {
                        // It isn't as it was seen: only another look decides.
                        facts.objects.entry(&identity, &object.key).live = None;
                    }
                    failed(facts, &identity, &object.key, String::new(), failure, at);
                }
            },
        }
    }
}

fn failed(
    facts: &mut Facts,
    identity: &Identity,
    key: &ObjectKey,
    digest: String,
    value: Failure,
    at: Timestamp,
) {
    let facts = facts.objects.entry(identity, key);
    let before = facts.write_failure.as_deref().map(|(_, fact)| fact);
    let failures = in_a_row(before, true);
    facts.write_failure = Some(Box::new((
        digest,
        Fact {
            value,
            at,
            failures,
        },
    )));
}
