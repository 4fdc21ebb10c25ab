//! A need becomes a fact: one function for each kind of need, each marked with whose right it uses.
//!
//! - [`controller`] accounts, namespace, inventories, kubeconfigs, kinds: as the controller;
//! - [`source`] sources, [`dependency`] other StageSets: as the controller (K04);
//! - [`build`] downloads and builds: anonymously;
//! - [`look`] the ledger: as the controller; and what actions ask: as the tenant;
//! - [`variables`] `ConfigMaps` and Secrets that a spec names: as the tenant, and never otherwise;
//! - [`object`] dry runs and reads: as the tenant, and never otherwise;
//! - [`rights`] reviews of its own rights: as the tenant, too;
//! - [`found`] what becomes of all that: a fact.
//!
//! Nothing is retried here, least of all under another identity (I4): a failure is a fact with the
//! number of failures in a row, and the core decides when to ask again.

mod build;
mod controller;
mod dependency;
mod found;
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
use stageset_api::field::text_field;
use stageset_core::failure::Failure;
use stageset_core::identity::Identity;
use stageset_core::object::ObjectKey;
use stageset_core::observation::{Live, Settled, Tracking};
use stageset_core::plan::Need;
use stageset_core::spec::Spec;
use stageset_core::time::Timestamp;
use tracing::Instrument as _;

use crate::perform::without_managed_fields;
use crate::ports::Ports;
use crate::records::inventory::Owner;
use crate::requests::Requests;
use crate::session::StageSetKey;
use crate::spans::Stages;

pub use dependency::dependency_state;
pub(crate) use dependency::watched as watched_dependency;
pub(crate) use found::{Found, in_a_row};
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
    /// Nothing is recorded of it yet, and no write of a record has failed.
    pub unrecorded: bool,
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
        let mut stages = Stages::default();
        let others: Vec<BoxFuture<'a, _>> = others
            .into_iter()
            .map(|need| {
                let span = stages.of_need(need);
                async move {
                    let at = self.ports.clock.now();
                    (need, at, self.one(need).await)
                }
                .instrument(span)
                .boxed()
            })
            .collect();
        // A span ends with the last future that has it.
        drop(stages);
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

fn text<'v>(object: &'v Value, pointer: &str) -> Option<&'v str> {
    text_field(object, pointer).filter(|text| !text.is_empty())
}
