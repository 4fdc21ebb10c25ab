//! What was found, and how it becomes a fact.

use serde_json::Value;
use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::few::Few;
use stageset_core::identity::{Identity, KubeconfigReference, Target};
use stageset_core::names::ServiceAccountName;
use stageset_core::object::{GroupVersionKind, ObjectKey};
use stageset_core::observation::{
    AccessState, AccountState, Answer, BuildKey, BuildState, DependencyState, DryRun, Facts,
    KindState, KubeconfigState, Labelled, LiveState, NamespaceState, Question, RulesState,
    SourceState, VariableState,
};
use stageset_core::rights::Right;
use stageset_core::spec::{SourceReference, StageSetReference, VariableSource};
use stageset_core::time::Timestamp;

use super::{look, settled, tracking};
use crate::observe::Outcome;
use crate::records::inventory::{Inventories, Skipped};

/// What was found, before it is put among the facts.
pub(crate) enum Found {
    Account(ServiceAccountName, AccountState),
    Namespace(NamespaceState),
    Inventories(Result<(Inventories, Skipped), Failure>),
    Source(SourceReference, SourceState),
    Kubeconfig(KubeconfigReference, KubeconfigState),
    Dependency(StageSetReference, DependencyState),
    Kind(Target, GroupVersionKind, KindState),
    Rules(Identity, String, RulesState),
    Access(Identity, Right, AccessState),
    Build(BuildKey, BuildState),
    Variables(Identity, VariableSource, VariableState),
    DryRun {
        identity: Identity,
        key: ObjectKey,
        digest: String,
        covered: bool,
        state: DryRun,
    },
    Labelled(
        Identity,
        Labelled,
        Result<Vec<(ObjectKey, String)>, Failure>,
    ),
    Read {
        identity: Identity,
        key: ObjectKey,
        covered: bool,
        state: LiveState,
    },
    Ledger(Result<Option<Value>, Failure>),
    Look {
        identity: Identity,
        key: ObjectKey,
        question: Question,
        answer: Answer,
    },
}

impl Found {
    /// How it ended, for observers.
    pub(crate) fn outcome(&self) -> Outcome {
        let (Self::Account(_, AccountState::Unreadable(failure))
        | Self::Namespace(NamespaceState::Unreadable(failure))
        | Self::Inventories(Err(failure))
        | Self::Source(_, SourceState::Unreadable(failure))
        | Self::Kubeconfig(_, KubeconfigState::Unreadable(failure))
        | Self::Dependency(_, DependencyState::Unreadable(failure))
        | Self::Kind(_, _, KindState::Unreadable(failure))
        | Self::Rules(_, _, RulesState::Unreadable(failure))
        | Self::Access(_, _, AccessState::Unreadable(failure))
        | Self::Build(_, BuildState::Failed(failure))
        | Self::Variables(_, _, VariableState::Unusable(failure))
        | Self::DryRun {
            state: DryRun::Refused(failure),
            ..
        }
        | Self::Labelled(_, _, Err(failure))
        | Self::Read {
            state: LiveState::Unreadable(failure),
            ..
        }
        | Self::Ledger(Err(failure))
        | Self::Look {
            answer: Answer::Unreadable(failure),
            ..
        }) = self
        else {
            return Outcome::Done;
        };
        Outcome::Failed(failure.clone())
    }

    /// Puts it among the facts. Inventories in their raw form, and the number of entries that were
    /// left out, are handed back.
    pub(crate) fn record(self, facts: &mut Facts, at: Timestamp) -> Option<(Inventories, Skipped)> {
        let failed = matches!(self.outcome(), Outcome::Failed(_));
        let seen = Seen { at, failed };
        match self {
            Self::Account(name, state) => {
                facts.forget_former(&name, &state);
                seen.put(&mut facts.accounts, name, state);
            }
            Self::Namespace(value) => {
                facts.namespace = Some(seen.after(facts.namespace.as_ref(), value));
            }
            Self::Inventories(result) => {
                let (raw, value) = match result {
                    Ok((raw, skipped)) => {
                        let observed = raw.observed();
                        (Some((raw, skipped)), Ok(observed))
                    }
                    Err(failure) => (None, Err(failure)),
                };
                facts.inventories = Some(seen.after(facts.inventories.as_ref(), value));
                return raw;
            }
            Self::Source(source, value) => {
                seen.put(&mut facts.sources, source, value);
            }
            Self::Dependency(stage_set, value) => {
                seen.put(&mut facts.dependencies, stage_set, value);
            }
            Self::Kubeconfig(reference, value) => {
                seen.put(&mut facts.kubeconfigs, reference, value);
            }
            Self::Kind(target, gvk, value) => {
                let fact = seen.after(facts.kinds.get(&target, &gvk), value);
                facts.kinds.insert(&target, gvk, fact);
            }
            Self::Rules(identity, namespace, value) => {
                let before = facts.reviews.rules(&identity, &namespace);
                let fact = seen.after(before, value);
                facts.reviews.insert_rules(&identity, namespace, fact);
            }
            Self::Access(identity, right, value) => {
                let before = facts.reviews.access(&identity, &right);
                let fact = seen.after(before, value);
                facts.reviews.insert_access(&identity, right, fact);
            }
            Self::Build(key, value) => {
                seen.put(&mut facts.builds, key, value);
            }
            Self::Variables(identity, source, value) => {
                let key = (identity, source);
                seen.put(&mut facts.variables, key, value);
            }
            Self::DryRun {
                identity,
                key,
                digest,
                covered,
                state,
            } => {
                let object = facts.objects.entry(&identity, &key);
                let before = object.dry_run.as_deref().map(|(_, fact)| fact);
                let failures = in_a_row(before, seen.failed);
                let live = match &state {
                    DryRun::Create => Some(LiveState::Absent),
                    DryRun::Change { live, .. } | DryRun::Unchanged { live } => {
                        Some(LiveState::Present(live.clone()))
                    }
                    // Whether it may be replaced is decided on a look that follows the refusal.
                    DryRun::Refused(failure) => {
                        if failure.class == FailureClass::Immutable {
                            object.live = None;
                        }
                        None
                    }
                };
                if let Some(live) = live {
                    object.live = Some(Fact::seen(live, at));
                    object.tracking = tracking(covered);
                }
                if let DryRun::Unchanged { live } = &state {
                    object.settled = Some(settled(&digest, live, at));
                }
                let fact = Fact {
                    value: state,
                    at,
                    failures,
                };
                object.dry_run = Some(Box::new((digest, fact)));
                facts.objects.seen(&identity, &key);
            }
            Self::Labelled(identity, search, value) => {
                let asked = (identity, search);
                seen.put(&mut facts.labelled, asked, value);
            }
            Self::Read {
                identity,
                key,
                covered,
                state,
            } => {
                let object = facts.objects.entry(&identity, &key);
                object.live = Some(seen.after(object.live.as_ref(), state));
                object.tracking = tracking(covered);
                facts.objects.seen(&identity, &key);
            }
            Self::Ledger(found) => {
                facts.ledger = Some(seen.after(facts.ledger.as_ref(), look::observed(&found)));
            }
            Self::Look {
                identity,
                key,
                question,
                answer,
            } => facts.actions.looked(&identity, &key, &question, answer, at),
        }
        None
    }
}

/// When something was seen, and whether seeing it failed.
#[derive(Clone, Copy)]
struct Seen {
    at: Timestamp,
    failed: bool,
}

impl Seen {
    /// The fact that follows what was known before.
    fn after<T>(self, before: Option<&Fact<T>>, value: T) -> Fact<T> {
        Fact {
            value,
            at: self.at,
            failures: in_a_row(before, self.failed),
        }
    }

    /// Puts it in the place of what was known before.
    fn put<K: Ord, T>(self, facts: &mut Few<K, Fact<T>>, key: K, value: T) {
        let fact = self.after(facts.get(&key), value);
        facts.insert(key, fact);
    }
}

/// Failures in a row, this one included.
pub(crate) fn in_a_row<T>(before: Option<&Fact<T>>, failed: bool) -> u32 {
    if failed {
        before.map_or(0, |fact| fact.failures).saturating_add(1)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use stageset_core::identity::Tenancy;
    use stageset_core::names::Namespace;

    use super::*;

    fn identity() -> Identity {
        let namespace = Namespace::new("shop").unwrap();
        let account = ServiceAccountName::new("deployer").unwrap();
        Identity::resolve(Tenancy::Multi, &namespace, Some(&account), &Target::Local).unwrap()
    }

    fn key() -> ObjectKey {
        ObjectKey {
            group: String::new(),
            kind: "ConfigMap".into(),
            namespace: Some("shop".into()),
            name: "a".into(),
        }
    }

    fn dry_run(class: FailureClass) -> Found {
        Found::DryRun {
            identity: identity(),
            key: key(),
            digest: "d".into(),
            covered: false,
            state: DryRun::Refused(Failure::new(class, "no")),
        }
    }

    /// Whether it may be deleted and created anew rests on a look that follows the refusal.
    #[test]
    fn a_refusal_that_may_lead_to_a_deletion_ends_what_was_seen_before_it() {
        for (class, seen) in [
            (FailureClass::Immutable, false),
            (FailureClass::Denied, true),
        ] {
            let mut facts = Facts::default();
            let read = Found::Read {
                identity: identity(),
                key: key(),
                covered: false,
                state: LiveState::Absent,
            };
            read.record(&mut facts, Timestamp::from_millis(1));
            dry_run(class.clone()).record(&mut facts, Timestamp::from_millis(2));
            let known = facts.objects.get(&identity(), &key()).unwrap();
            assert_eq!(known.live.is_some(), seen, "{class:?}");
        }
    }

    #[test]
    fn failures_in_a_row_are_counted_until_something_is_seen() {
        let mut facts = Facts::default();
        let mut count = |found: Found| {
            found.record(&mut facts, Timestamp::from_millis(1));
            let known = facts.objects.get(&identity(), &key()).unwrap();
            known.dry_run.as_ref().map(|tried| tried.1.failures)
        };
        assert_eq!(count(dry_run(FailureClass::Denied)), Some(1));
        assert_eq!(count(dry_run(FailureClass::Denied)), Some(2));
        let found = Found::DryRun {
            identity: identity(),
            key: key(),
            digest: "d".into(),
            covered: false,
            state: DryRun::Create,
        };
        assert_eq!(count(found), Some(0));
        assert_eq!(count(dry_run(FailureClass::Denied)), Some(1));
    }
}
