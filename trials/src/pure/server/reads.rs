//! What the controller reads as itself, and what may be had as a tenant beside objects.

use std::collections::{BTreeMap, BTreeSet};

use stageset_core::failure::FailureClass;
use stageset_core::identity::Identity;
use stageset_core::object::GroupVersionKind;
use stageset_core::observation::{
    Artifact, BuildKey, BuildState, Dependency, DependencyState, KindState, Labelled, Readiness,
    SourceState, Values, VariableState,
};
use stageset_core::rights::{Right, Rule, Rules};

use super::super::call::{Answer, Call, Refusal};
use super::super::release;
use super::{Server, Trace, tenant_trace};
use crate::event::{Offer, Standing, VERBS};
use crate::log::{What, Who};
use crate::setup::{Feature, KINDS, NAMESPACE, VARIABLE, group};

impl Server {
    pub(super) fn read(&mut self, call: &Call, stale: bool) -> (Result<Answer, Refusal>, Trace) {
        let (answer, what) = match call {
            Call::Account(name) => {
                let uid = self.accounts.get(name).cloned();
                (
                    Answer::Account(uid.clone()),
                    What::Account(name.clone(), uid),
                )
            }
            Call::Namespace => (Answer::Namespace(false), What::Namespace),
            Call::Inventories => {
                // The driver asks the server, whose lists are never old (a list that names no version shows
                // the most recent state). But that there is none at all it believes from a watch, which may
                // lag, while nothing is recorded of the StageSet.
                let unrecorded = self.stage_set.as_ref().is_some_and(|stage_set| {
                    let status = &stage_set.status;
                    stage_set.deletion.is_none()
                        && status.stages.is_empty()
                        && status.last_attempted_revisions.is_empty()
                });
                let shelf = if stale && unrecorded && self.inventories_before.is_empty() {
                    &self.inventories_before
                } else {
                    &self.inventories
                };
                (Answer::Inventories(shelf.clone()), What::Inventories)
            }
            Call::Source(name) => {
                let (state, revision) = self.source(name, stale);
                (Answer::Source(state), What::Source(name.clone(), revision))
            }
            Call::Kind(gvk) => {
                let state = self.kind(gvk);
                (Answer::Kind(state), What::Kind(gvk.kind.clone()))
            }
            Call::Dependency => {
                let ready = self.dependency == Standing::Ready;
                (
                    Answer::Dependency(self.dependency()),
                    What::Dependency(ready),
                )
            }
            Call::Ledger => (Answer::Ledger(self.ledger.clone()), What::Ledger),
            Call::Build(key, level) => (Answer::Built(self.build(key, *level)), What::Fetch),
            _ => (Answer::Gone, What::Other("no read".into())),
        };
        let trace = Trace {
            who: if matches!(call, Call::Build(..)) {
                Who::Anonymous
            } else {
                Who::Controller
            },
            what,
            code: 200,
            effect: false,
            versions: None,
        };
        (Ok(answer), trace)
    }

    fn source(&self, name: &str, stale: bool) -> (SourceState, Option<u8>) {
        let offer = self.sources.get(name).copied().unwrap_or(Offer::Absent);
        let revisions = if stale {
            &self.revisions_before
        } else {
            &self.revisions
        };
        let last = revisions
            .get(name)
            .or_else(|| self.revisions.get(name))
            .copied();
        let artifact = last.map(|revision| artifact(name, revision));
        match (offer, artifact) {
            (Offer::Revision(_) | Offer::Broken, Some(artifact)) => {
                (SourceState::Ready(artifact), last)
            }
            (Offer::NotReady, artifact) => {
                let message = "building the next revision".to_owned();
                (SourceState::NotReady { message, artifact }, last)
            }
            (Offer::NoArtifact, _) | (_, None) => (SourceState::NoArtifact, None),
            (Offer::Absent, _) => (SourceState::Absent, None),
        }
    }

    fn build(&self, key: &BuildKey, level: u8) -> BuildState {
        let parts: Vec<&str> = key.digest.split('-').collect();
        let (Some(source), Some(revision)) = (parts.get(1), parts.get(2)) else {
            return failed_build("no such artifact");
        };
        if self.sources.get(*source) == Some(&Offer::Broken) {
            return failed_build("the download broke off");
        }
        let revision = revision.parse().unwrap_or(1);
        match release::Folder::parse(&key.path) {
            Some((folder, stage)) => release::build(&self.setup, folder, stage, revision, level),
            None => failed_build("no such path"),
        }
    }

    fn kind(&self, gvk: &GroupVersionKind) -> KindState {
        let known = KINDS.iter().find(|(kind, ..)| *kind == gvk.kind);
        match known {
            Some((kind, plural, namespaced)) if !self.unserved.contains(*kind) => {
                KindState::Served {
                    plural: (*plural).to_owned(),
                    namespaced: *namespaced,
                }
            }
            _ => KindState::Unknown,
        }
    }

    /// The StageSet that this one depends on.
    fn dependency(&self) -> DependencyState {
        let readiness = match self.dependency {
            Standing::Absent => return DependencyState::Absent,
            Standing::Ready => Readiness::Ready,
            Standing::NotReady => Readiness::NotReady("StageProgressing".to_owned()),
            Standing::Stale => Readiness::Stale {
                generation: 2,
                observed: 1,
            },
            Standing::Deleting => Readiness::Deleting,
        };
        DependencyState::Found(Dependency {
            readiness,
            applied: BTreeMap::new(),
            sources: BTreeSet::new(),
            depends_on: Vec::new(),
        })
    }

    /// The ConfigMap with the variable.
    pub(super) fn variables(&self, identity: &Identity) -> (Result<Answer, Refusal>, Trace) {
        let account = identity.local_account();
        let may = account.is_none_or(|account| self.may(account.as_str(), "get", "ConfigMap"));
        let result = match self.level {
            _ if !may => Err(Refusal::new(
                403,
                FailureClass::Denied,
                "cannot get configmaps",
            )),
            None => Ok(Answer::Variables(VariableState::Absent)),
            Some(level) => {
                let mut values = Values::default();
                values.set(VARIABLE, level.to_string());
                let version = format!("settings/{}", self.level_version);
                Ok(Answer::Variables(VariableState::Found { values, version }))
            }
        };
        let shown = self.level.filter(|_| may);
        let trace = tenant_trace(identity, What::Variables(shown), &result, false);
        (result, trace)
    }

    /// What an account may do in a namespace. Of cluster-scoped kinds and other namespaces this
    /// server's answer is incomplete, as some authorizers' are: there it is asked one by one.
    pub(super) fn rules(
        &self,
        identity: &Identity,
        namespace: &str,
    ) -> (Result<Answer, Refusal>, Trace) {
        let result = if self.setup.has(Feature::Reviews) {
            let account = identity.local_account();
            let mut rules = Vec::new();
            for (kind, plural, _) in KINDS {
                let verbs = VERBS.into_iter().filter(|verb| {
                    account.is_none_or(|account| self.may(account.as_str(), verb, kind))
                });
                rules.push(Rule {
                    verbs: verbs.map(str::to_owned).collect(),
                    groups: vec![group(kind).to_owned()],
                    resources: vec![plural.to_owned()],
                    names: Vec::new(),
                });
            }
            Ok(Answer::Rules(Rules {
                rules,
                complete: namespace == NAMESPACE,
            }))
        } else {
            Err(no_reviews())
        };
        let trace = tenant_trace(identity, What::Review, &result, false);
        (result, trace)
    }

    /// Whether an account may do one thing.
    pub(super) fn access(
        &self,
        identity: &Identity,
        right: &Right,
    ) -> (Result<Answer, Refusal>, Trace) {
        let kind = KINDS
            .iter()
            .find(|(_, plural, _)| *plural == right.resource);
        let result = match kind {
            Some((kind, ..)) if self.setup.has(Feature::Reviews) => {
                let account = identity.local_account();
                Ok(Answer::Access(account.is_none_or(|account| {
                    self.may(account.as_str(), right.verb.as_str(), kind)
                })))
            }
            _ => Err(no_reviews()),
        };
        let trace = tenant_trace(identity, What::Review, &result, false);
        (result, trace)
    }

    /// The trials grant lists to whoever may read.
    pub(super) fn labelled(
        &mut self,
        identity: &Identity,
        search: &Labelled,
    ) -> (Result<Answer, Refusal>, Trace) {
        let mut stages = 0..self.setup.stages;
        let stage = stages.find(|stage| self.variant.name(*stage) == search.stage.as_str());
        let found = self.objects.iter().filter(|(key, stored)| {
            key.kind == search.kind
                && key.namespace == search.namespace
                && stored.owner.as_ref().is_some_and(|owner| {
                    owner.namespace == NAMESPACE && owner.name == crate::setup::NAME
                })
                && stage.is_some_and(|stage| self.table.holders(key).contains(&stage))
        });
        let list = found
            .map(|(key, stored)| (key.clone(), stored.uid.clone()))
            .collect();
        let account = identity.local_account();
        let may = account.is_none_or(|account| self.may(account.as_str(), "get", &search.kind));
        let result = if may {
            Ok(Answer::Labelled(list))
        } else {
            Err(Refusal::new(
                403,
                FailureClass::Denied,
                format!("cannot list {}", search.plural),
            ))
        };
        let what = What::Kind(search.plural.clone());
        let trace = tenant_trace(identity, what, &result, false);
        (result, trace)
    }
}

/// As of a server that has no such API: the dry run alone tells.
fn no_reviews() -> Refusal {
    Refusal::new(404, FailureClass::UnknownKind, "no reviews here")
}

fn failed_build(message: &str) -> BuildState {
    BuildState::Failed(stageset_core::failure::Failure::new(
        FailureClass::Transient { retry_after: None },
        message,
    ))
}

fn artifact(source: &str, revision: u8) -> Artifact {
    Artifact {
        url: format!("http://artifacts.example/{source}/{revision}.tar.gz"),
        digest: format!("sha256:x-{source}-{revision}"),
        revision: format!("r{revision}"),
    }
}
