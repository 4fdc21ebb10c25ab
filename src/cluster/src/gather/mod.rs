//! A need becomes a fact: one function for each kind of need, each marked with whose right it uses.
//!
//! - [`controller`] accounts, namespace, inventories, kubeconfigs, kinds: as the controller;
//! - [`source`] sources, [`dependency`] other StageSets: as the controller (K04);
//! - [`build`] downloads and builds: anonymously;
//! - [`look`] the ledger: as the controller; and what actions ask: as the tenant;
//! - [`variables`] `ConfigMaps` and Secrets that a spec names: as the tenant, and never otherwise;
//! - [`object`] dry runs and reads: as the tenant, and never otherwise;
//! - [`rights`] reviews of its own rights: as the tenant, too.
//!
//! Nothing is retried here, least of all under another identity (I4): a failure is a fact with the
//! number of failures in a row, and the core decides when to ask again.

mod build;
mod controller;
mod dependency;
mod look;
mod object;
mod rights;
mod source;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::Value;
use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::identity::{Identity, KubeconfigReference, Target};
use stageset_core::names::ServiceAccountName;
use stageset_core::object::{GroupVersionKind, ObjectKey};
use stageset_core::observation::{
    AccessState, AccountState, Answer, BuildKey, BuildState, DependencyState, DryRun, Facts,
    KindState, KubeconfigState, Labelled, Live, LiveState, NamespaceState, Question, RulesState,
    Settled, SourceState, Tracking, VariableState,
};
use stageset_core::plan::Need;
use stageset_core::rights::Right;
use stageset_core::spec::{SourceReference, Spec, StageSetReference, VariableSource};
use stageset_core::time::Timestamp;

use crate::observe::Outcome;
use crate::perform::without_managed_fields;
use crate::ports::Ports;
use crate::records::inventory::{Inventories, Owner, Skipped};
use crate::requests::Requests;
use crate::session::StageSetKey;

pub use dependency::dependency_state;
pub(crate) use dependency::watched as watched_dependency;
pub(crate) use object::without_uid;
pub(crate) use source::watched as watched_source;

/// For whom facts are gathered.
#[derive(Clone, Copy)]
pub(crate) struct Gather<'a> {
    pub ports: &'a Ports,
    pub key: &'a StageSetKey,
    /// uid of the StageSet.
    pub uid: &'a str,
    /// Whose bodies are kept.
    pub bodies: &'a Bodies,
    /// Whether the StageSet is being deleted.
    pub deleting: bool,
}

/// Group and kind of the objects that expressions judge: only of these the body is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bodies(BTreeSet<(String, String)>);

impl Bodies {
    /// Those that the expressions of a spec are about.
    pub(crate) fn of(spec: &Spec) -> Self {
        let stages = spec.stages.iter();
        let expressions = stages.flat_map(|stage| &stage.expressions);
        Self(
            expressions
                .map(|each| (each.group.clone(), each.kind.clone()))
                .collect(),
        )
    }

    /// The live object with its body, if that is one that is kept.
    pub(crate) fn kept(&self, mut live: Live, object: &Value, key: &ObjectKey) -> Live {
        if !self.0.is_empty() && self.0.contains(&(key.group.clone(), key.kind.clone())) {
            live.body = Some(Arc::new(without_managed_fields(object.clone())));
        }
        live
    }
}

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

/// Runs some at a time; answers in their order. A loop where `collect` would do: its bound on the
/// items isn't met for every lifetime.
async fn in_order<T>(futures: Vec<BoxFuture<'_, T>>, at_once: usize) -> Vec<T> {
    let mut answers = Vec::with_capacity(futures.len());
    let mut running = stream::iter(futures).buffered(at_once);
    while let Some(answer) = running.next().await {
        answers.push(answer);
    }
    answers
}

impl<'a> Gather<'a> {
    /// Gathers all, some at a time; answers in the order of the needs.
    ///
    /// Boxed inside: streams of closures would otherwise keep the futures around them from being
    /// `Send` for every lifetime (rust-lang/rust#102211).
    pub(crate) async fn all(self, needs: &'a [Need]) -> Vec<(&'a Need, Timestamp, Found)> {
        let (builds, others): (Vec<&Need>, Vec<&Need>) = needs
            .iter()
            .partition(|need| matches!(need, Need::Build { .. }));
        // One download for each artifact, whatever number of stages builds from it.
        let mut artifacts: BTreeMap<&str, Vec<&Need>> = BTreeMap::new();
        for need in builds {
            if let Need::Build { key, .. } = need {
                artifacts.entry(&key.digest).or_default().push(need);
            }
        }
        let parallel = self.ports.settings.parallel.max(1);
        let others: Vec<BoxFuture<'a, _>> = others
            .into_iter()
            .map(|need| {
                async move {
                    let at = self.ports.clock.now();
                    (need, at, self.one(need).await)
                }
                .boxed()
            })
            .collect();
        let others = in_order(others, parallel);
        let builds: Vec<BoxFuture<'a, _>> = artifacts
            .into_values()
            .map(|needs| build::from_one_artifact(self, needs).boxed())
            .collect();
        let builds = in_order(builds, 2);
        let (mut found, built) = futures::join!(others, builds);
        found.extend(built.into_iter().flatten());
        found
    }

    async fn one(self, need: &Need) -> Found {
        match need {
            Need::Account(name) => controller::account(self, name).await,
            Need::Namespace => controller::namespace(self).await,
            Need::Inventories => controller::inventories(self).await,
            Need::Source(source) => source::source(self, source).await,
            Need::Kubeconfig(reference) => controller::kubeconfig(self, reference).await,
            Need::Dependency(stage_set) => dependency::dependency(self, stage_set).await,
            Need::Kind { target, gvk } => controller::kind(self, target, gvk).await,
            Need::Rules {
                identity,
                namespace,
            } => rights::rules(self, identity, namespace).await,
            Need::Access { identity, right } => rights::access(self, identity, right).await,
            Need::Build {
                key,
                artifact,
                overlay,
            } => build::one(self, key, artifact, overlay).await,
            Need::Variables { identity, source } => variables::read(self, identity, source).await,
            Need::DryRun { identity, object } => object::dry_run(self, identity, object).await,
            Need::Labelled { identity, search } => object::labelled(self, identity, search).await,
            Need::Read {
                identity, object, ..
            } => object::read(self, identity, object).await,
            Need::Ledger => look::ledger(self).await,
            Need::Look {
                identity,
                object,
                question,
            } => look::look(self, identity, object, question).await,
        }
    }

    fn as_controller(self) -> Requests<'a> {
        let Ports {
            connection, budget, ..
        } = self.ports;
        Requests::as_controller(connection, budget, &self.key.namespace)
    }

    fn as_tenant(self, identity: &Identity) -> Result<Requests<'a>, Failure> {
        Requests::towards(self.ports, &self.key.namespace, identity)
    }

    fn owner(self) -> Owner<'a> {
        Owner {
            namespace: &self.key.namespace,
            name: &self.key.name,
            uid: self.uid,
        }
    }
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
        match self {
            Self::Account(name, state) => {
                forget_former_account(facts, &name, &state);
                let failures = in_a_row(facts.accounts.get(&name), failed);
                facts.accounts.insert(
                    name,
                    Fact {
                        value: state,
                        at,
                        failures,
                    },
                );
            }
            Self::Namespace(value) => {
                let failures = in_a_row(facts.namespace.as_ref(), failed);
                facts.namespace = Some(Fact {
                    value,
                    at,
                    failures,
                });
            }
            Self::Inventories(result) => {
                let failures = in_a_row(facts.inventories.as_ref(), failed);
                let (raw, value) = match result {
                    Ok((raw, skipped)) => {
                        let observed = raw.observed();
                        (Some((raw, skipped)), Ok(observed))
                    }
                    Err(failure) => (None, Err(failure)),
                };
                facts.inventories = Some(Fact {
                    value,
                    at,
                    failures,
                });
                return raw;
            }
            Self::Source(source, value) => {
                let failures = in_a_row(facts.sources.get(&source), failed);
                facts.sources.insert(
                    source,
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Self::Dependency(stage_set, value) => {
                let failures = in_a_row(facts.dependencies.get(&stage_set), failed);
                facts.dependencies.insert(
                    stage_set,
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Self::Kubeconfig(reference, value) => {
                let failures = in_a_row(facts.kubeconfigs.get(&reference), failed);
                facts.kubeconfigs.insert(
                    reference,
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Self::Kind(target, gvk, value) => {
                let failures = in_a_row(facts.kinds.get(&target, &gvk), failed);
                facts.kinds.insert(
                    &target,
                    gvk,
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Self::Rules(identity, namespace, value) => {
                let failures = in_a_row(facts.reviews.rules(&identity, &namespace), failed);
                let fact = Fact {
                    value,
                    at,
                    failures,
                };
                facts.reviews.insert_rules(&identity, namespace, fact);
            }
            Self::Access(identity, right, value) => {
                let failures = in_a_row(facts.reviews.access(&identity, &right), failed);
                let fact = Fact {
                    value,
                    at,
                    failures,
                };
                facts.reviews.insert_access(&identity, right, fact);
            }
            Self::Build(key, value) => {
                let failures = in_a_row(facts.builds.get(&key), failed);
                facts.builds.insert(
                    key,
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Self::Variables(identity, source, value) => {
                let key = (identity, source);
                let failures = in_a_row(facts.variables.get(&key), failed);
                facts.variables.insert(
                    key,
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Self::DryRun {
                identity,
                key,
                digest,
                covered,
                state,
            } => {
                let object = facts.objects.entry(&identity, &key);
                let failures = in_a_row(object.dry_run.as_ref().map(|(_, fact)| fact), failed);
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
                object.dry_run = Some((
                    digest,
                    Fact {
                        value: state,
                        at,
                        failures,
                    },
                ));
            }
            Self::Labelled(identity, search, value) => {
                let asked = (identity, search);
                let failures = in_a_row(facts.labelled.get(&asked), failed);
                facts.labelled.insert(
                    asked,
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Self::Read {
                identity,
                key,
                covered,
                state,
            } => {
                let object = facts.objects.entry(&identity, &key);
                let failures = in_a_row(object.live.as_ref(), failed);
                object.live = Some(Fact {
                    value: state,
                    at,
                    failures,
                });
                object.tracking = tracking(covered);
            }
            Self::Ledger(found) => {
                let failures = in_a_row(facts.ledger.as_ref(), failed);
                facts.ledger = Some(Fact {
                    value: look::observed(&found),
                    at,
                    failures,
                });
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

/// As of when an object agrees with what is desired.
pub(crate) fn settled(digest: &str, live: &Live, at: Timestamp) -> Settled {
    Settled {
        digest: digest.to_owned(),
        uid: live.uid.clone(),
        entry: live.entry.clone(),
        since: at,
    }
}

/// Whether news of what was just read will reach us.
pub(crate) fn tracking(covered: bool) -> Tracking {
    if covered {
        Tracking::Watched
    } else {
        Tracking::Polled
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

/// A recreated account is another one: nothing that the former one saw answers it (A07).
fn forget_former_account(facts: &mut Facts, name: &ServiceAccountName, state: &AccountState) {
    let before = facts.accounts.get(name).map(|fact| &fact.value);
    let same = match (before, state) {
        (Some(AccountState::Exists { uid: before }), AccountState::Exists { uid: now }) => {
            before == now
        }
        // In between it may have been another one.
        (Some(_), AccountState::Exists { .. }) | (_, AccountState::Absent) => false,
        (None, AccountState::Exists { .. }) | (_, AccountState::Unreadable(_)) => true,
    };
    if !same {
        facts
            .objects
            .retain(|identity, _, _| identity.local_account() != Some(name));
        facts.actions.forget_looks();
        facts
            .variables
            .retain(|(identity, _), _| identity.local_account() != Some(name));
        facts
            .reviews
            .retain(|identity| identity.local_account() != Some(name));
    }
}

fn text<'v>(object: &'v Value, pointer: &str) -> Option<&'v str> {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}
