//! The pure server: what of an API server decisions rest on, in maps, without a wire. One function
//! answers every request; what it did is told as an entry of the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use stageset_core::failure::FailureClass;
use stageset_core::identity::Identity;
use stageset_core::names::StageName;
use stageset_core::object::{Desired, GroupVersionKind, ObjectKey, Owner, Reference};
use stageset_core::observation::{
    Artifact, BuildKey, BuildState, DryRun, Health, KindState, Labelled, Live, SourceState,
    StageInventory, Status,
};
use stageset_core::spec::{Problem, Spec};
use stageset_core::time::Timestamp;

use super::call::{Answer, Call, Refusal};
use super::release;
use crate::event::{Offer, Workload};
use crate::log::{Sight, What, Who};
use crate::setup::{CONTENT, EXTRA, KINDS, NAMESPACE, Setup, Variant};
use crate::table::Table;

/// An object as the server holds it.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) uid: String,
    pub(super) version: u64,
    pub(super) owner: Option<Owner>,
    /// Digest of the last apply of ours, unless somebody changed a field of ours since.
    pub(super) digest: Option<String>,
    pub(super) content: String,
    /// Number of the write that our managed-fields entry is of.
    pub(super) entry: Option<u64>,
    pub(super) keep: bool,
    pub(super) deleting: bool,
    /// A foreign finalizer.
    pub(super) held: bool,
    pub(super) health: Readiness,
}

/// When an object is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    At(Timestamp),
    Never,
    Broken,
}

/// The StageSet as the server holds it.
#[derive(Debug, Clone)]
pub(super) struct StageSetRecord {
    pub(super) version: u64,
    pub(super) generation: i64,
    pub(super) deletion: Option<Timestamp>,
    pub(super) finalizer: bool,
    pub(super) requested: Option<String>,
    pub(super) spec: Result<Arc<Spec>, Vec<Problem>>,
    pub(super) suspended: bool,
    pub(super) status: Status,
}

/// All inventories with their versions.
pub(super) type Shelf = BTreeMap<StageName, (u64, StageInventory)>;

/// The state of the cluster.
pub(super) struct Server {
    pub(super) setup: Setup,
    pub(super) table: Arc<Table>,
    pub(super) variant: Variant,
    pub(super) now: Timestamp,
    pub(super) version: u64,
    pub(super) stage_set: Option<StageSetRecord>,
    /// Earlier states of the StageSet, for views that lag.
    pub(super) stage_set_before: Option<StageSetRecord>,
    pub(super) inventories: Shelf,
    pub(super) inventories_before: Shelf,
    pub(super) accounts: BTreeMap<String, String>,
    pub(super) sources: BTreeMap<String, Offer>,
    /// The last revision of each source; it stays on offer while a source isn't ready.
    pub(super) revisions: BTreeMap<String, u8>,
    pub(super) revisions_before: BTreeMap<String, u8>,
    pub(super) unserved: BTreeSet<String>,
    pub(super) namespaces: BTreeSet<String>,
    pub(super) objects: BTreeMap<ObjectKey, Stored>,
    pub(super) revoked: BTreeSet<(String, String, String)>,
    pub(super) deny_deletes: bool,
    pub(super) rejected: BTreeSet<String>,
    pub(super) workloads: BTreeMap<String, Workload>,
    pub(super) fights: BTreeMap<ObjectKey, u64>,
    pub(super) uids: u64,
    /// `TeardownForced` was told.
    pub(super) told: Vec<String>,
}

/// What a request did, for the log.
pub(super) struct Trace {
    pub(super) who: Who,
    pub(super) what: What,
    pub(super) code: u16,
    pub(super) effect: bool,
    pub(super) versions: Option<(Option<u64>, u64)>,
}

impl Server {
    pub(super) fn new(setup: &Setup) -> Self {
        let now = Timestamp::from_millis(1_795_600_000_000);
        let mut server = Self {
            table: Table::of(setup),
            variant: Variant::default(),
            now,
            version: 100,
            stage_set: None,
            stage_set_before: None,
            inventories: Shelf::new(),
            inventories_before: Shelf::new(),
            accounts: BTreeMap::new(),
            sources: BTreeMap::new(),
            revisions: BTreeMap::new(),
            revisions_before: BTreeMap::new(),
            unserved: BTreeSet::from(["Widget".to_owned()]),
            namespaces: BTreeSet::from([NAMESPACE.to_owned()]),
            objects: BTreeMap::new(),
            revoked: BTreeSet::new(),
            deny_deletes: false,
            rejected: BTreeSet::new(),
            workloads: BTreeMap::new(),
            fights: BTreeMap::new(),
            uids: 0,
            told: Vec::new(),
            setup: setup.clone(),
        };
        for account in setup.account_names() {
            let uid = server.uid();
            server.accounts.insert(account.to_owned(), uid);
        }
        for source in setup.sources() {
            server.sources.insert(source.to_owned(), Offer::Revision(1));
            server.revisions.insert(source.to_owned(), 1);
        }
        server.stage_set = Some(StageSetRecord {
            version: 100,
            generation: 1,
            deletion: None,
            finalizer: false,
            requested: None,
            spec: release::spec(setup, &Variant::default()),
            suspended: false,
            status: Status::default(),
        });
        let victim = Stored {
            uid: server.uid(),
            version: 100,
            owner: None,
            digest: None,
            content: "victim".into(),
            entry: None,
            keep: false,
            deleting: false,
            held: false,
            health: Readiness::At(now),
        };
        server.objects.insert(victim_key(), victim);
        server
    }

    pub(super) fn uid(&mut self) -> String {
        self.uids += 1;
        format!("u{}", self.uids)
    }

    pub(super) fn bump(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Answers a request, and tells what it did. `stale` reads see an earlier state.
    pub(super) fn handle(&mut self, call: &Call, stale: bool) -> (Result<Answer, Refusal>, Trace) {
        match call {
            Call::DryRun(identity, object) => self.dry_run(identity, object),
            Call::Labelled(identity, search) => self.labelled(identity, search),
            Call::Get(identity, reference) => self.get(identity, reference),
            Call::Apply(identity, object, uid) => self.apply(identity, object, uid.as_deref()),
            Call::Delete(identity, reference, uid, version) => {
                self.delete(identity, reference, uid, *version)
            }
            Call::Finalizer(..)
            | Call::Status(..)
            | Call::Inventory(..)
            | Call::DropInventory(..)
            | Call::ReleaseInventories
            | Call::Announce(..) => self.record(call),
            _ => self.read(call, stale),
        }
    }

    fn read(&mut self, call: &Call, stale: bool) -> (Result<Answer, Refusal>, Trace) {
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
                // A teardown asks the server itself, not a watch that may lag.
                let deleting = self
                    .stage_set
                    .as_ref()
                    .is_some_and(|stage_set| stage_set.deletion.is_some());
                let shelf = if stale && !deleting {
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
            Call::Build(key) => (Answer::Built(self.build(key)), What::Fetch),
            _ => (Answer::Gone, What::Other("no read".into())),
        };
        let trace = Trace {
            who: if matches!(call, Call::Build(_)) {
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

    fn build(&self, key: &BuildKey) -> BuildState {
        let parts: Vec<&str> = key.digest.split('-').collect();
        let (Some(source), Some(revision)) = (parts.get(1), parts.get(2)) else {
            return failed_build("no such artifact");
        };
        if self.sources.get(*source) == Some(&Offer::Broken) {
            return failed_build("the download broke off");
        }
        let revision = revision.parse().unwrap_or(1);
        let stage = crate::setup::STAGES
            .iter()
            .position(|stage| *stage == key.path);
        stage.map_or_else(
            || failed_build("no such path"),
            |stage| release::build(&self.setup, stage, revision),
        )
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

    pub(super) fn may(&self, account: &str, verb: &str, kind: &str) -> bool {
        self.revoked.is_empty()
            || !self
                .revoked
                .contains(&(account.to_owned(), verb.to_owned(), kind.to_owned()))
    }

    /// Why the server refuses this before looking at the object.
    fn refused(&self, identity: &Identity, verbs: &[&str], key: &ObjectKey) -> Option<Refusal> {
        if let Some(account) = identity.local_account()
            && let Some(verb) = verbs
                .iter()
                .find(|verb| !self.may(account.as_str(), verb, &key.kind))
        {
            return Some(Refusal::new(
                403,
                FailureClass::Denied,
                format!("User {identity:?} cannot {verb} resource {:?}", key.kind),
            ));
        }
        if self.unserved.contains(&key.kind) {
            return Some(Refusal::new(
                404,
                FailureClass::UnknownKind,
                "the server could not find the requested resource",
            ));
        }
        None
    }

    fn dry_run(
        &mut self,
        identity: &Identity,
        object: &Arc<Desired>,
    ) -> (Result<Answer, Refusal>, Trace) {
        let key = &object.reference.key;
        let result = self.try_apply(identity, object, None).map(|()| {
            Answer::DryRun(match self.objects.get(key) {
                None => DryRun::Create,
                Some(stored) => {
                    let live = self.live(stored);
                    if stored.digest.as_ref() == Some(&object.digest)
                        && stored.owner.as_ref() == Some(&object.owner)
                    {
                        DryRun::Unchanged { live }
                    } else {
                        let fields = vec!["spec".to_owned()];
                        DryRun::Change {
                            fields,
                            live,
                            by: None,
                            takeover: None,
                        }
                    }
                }
            })
        });
        let what = What::DryRun(key.clone(), self.sight(key));
        let trace = tenant_trace(identity, what, &result, false);
        (result, trace)
    }

    fn try_apply(
        &self,
        identity: &Identity,
        object: &Desired,
        uid: Option<&str>,
    ) -> Result<(), Refusal> {
        let key = &object.reference.key;
        let stored = self.objects.get(key);
        let verbs: &[&str] = if stored.is_some() {
            &["patch"]
        } else {
            &["patch", "create"]
        };
        if let Some(refusal) = self.refused(identity, verbs, key) {
            return Err(refusal);
        }
        if let Some(namespace) = &key.namespace
            && !self.namespaces.contains(namespace)
        {
            let class = FailureClass::Missing {
                resource: "namespaces".into(),
                name: namespace.clone(),
            };
            return Err(Refusal::new(
                404,
                class,
                format!("namespaces {namespace:?} not found"),
            ));
        }
        if self.rejected.contains(&key.kind) {
            return Err(Refusal::new(
                422,
                FailureClass::Rejected,
                format!("admission refuses {}", key.kind),
            ));
        }
        if let Some(uid) = uid
            && stored.is_none_or(|stored| stored.uid != uid)
        {
            return Err(Refusal::new(409, FailureClass::Conflict, "uid mismatch"));
        }
        Ok(())
    }

    /// The trials grant lists to whoever may read.
    fn labelled(
        &mut self,
        identity: &Identity,
        search: &Labelled,
    ) -> (Result<Answer, Refusal>, Trace) {
        let stage = crate::setup::STAGES
            .iter()
            .position(|stage| *stage == search.stage.as_str());
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

    fn get(
        &mut self,
        identity: &Identity,
        reference: &Reference,
    ) -> (Result<Answer, Refusal>, Trace) {
        let key = &reference.key;
        let stored = self.objects.get(key);
        let result = match self.refused(identity, &["get"], key) {
            Some(refusal) => Err(refusal),
            None => Ok(Answer::Live(stored.map(|stored| self.live(stored)))),
        };
        let what = What::Get(key.clone(), self.sight(key));
        let mut trace = tenant_trace(identity, what, &result, false);
        if result.is_ok() && stored.is_none() {
            trace.code = 404;
        }
        (result, trace)
    }

    fn apply(
        &mut self,
        identity: &Identity,
        object: &Arc<Desired>,
        uid: Option<&str>,
    ) -> (Result<Answer, Refusal>, Trace) {
        let key = &object.reference.key;
        let before = self.sight(key);
        if let Err(refusal) = self.try_apply(identity, object, uid) {
            let result = Err(refusal);
            let what = What::Apply(key.clone(), before.clone(), before);
            let trace = tenant_trace(identity, what, &result, false);
            return (result, trace);
        }
        let effect = self.write(object);
        let after = self.sight(key);
        let live = self.live(&self.objects[key]);
        let result = Ok(Answer::Applied(live));
        let what = What::Apply(key.clone(), before, after);
        let trace = tenant_trace(identity, what, &result, effect);
        if let Some(left) = self.fights.get_mut(key) {
            *left -= 1;
            if *left == 0 {
                self.fights.remove(key);
            }
            self.meddle(key);
        }
        (result, trace)
    }

    /// Another manager changes a field of ours.
    pub(super) fn meddle(&mut self, key: &ObjectKey) {
        let version = self.bump();
        if let Some(stored) = self.objects.get_mut(key) {
            stored.version = version;
            stored.digest = None;
            stored.content = "meddled".into();
            stored.entry = stored.entry.map(|entry| entry + 1_000_000);
        }
    }

    /// Writes an object as an apply does; whether that changed anything.
    fn write(&mut self, object: &Desired) -> bool {
        let key = &object.reference.key;
        let content = annotation(object, CONTENT);
        let keep = annotation(object, "stages.metio.wtf/prune") == "disabled";
        if let Some(stored) = self.objects.get(key)
            && stored.digest.as_ref() == Some(&object.digest)
            && stored.owner.as_ref() == Some(&object.owner)
        {
            return false;
        }
        let health = match self.workloads.get(&key.kind) {
            Some(Workload::Hang) => Readiness::Never,
            Some(Workload::Broken) => Readiness::Broken,
            Some(Workload::Slow(seconds)) => self.ready_in(*seconds),
            None if key.kind == "Deployment" => self.ready_in(self.setup.slow),
            None => Readiness::At(self.now),
        };
        let version = self.bump();
        let fresh_uid = format!("u{}", self.uids + 1);
        let created = !self.objects.contains_key(key);
        if created {
            self.uids += 1;
        }
        let stored = self.objects.entry(key.clone()).or_insert_with(|| Stored {
            uid: fresh_uid,
            version,
            owner: None,
            digest: None,
            content: String::new(),
            entry: None,
            keep: false,
            deleting: false,
            held: false,
            health,
        });
        // A new content is a new rollout; putting labels back isn't.
        if created || stored.content != content {
            stored.health = health;
        }
        stored.version = version;
        stored.owner = Some(object.owner.clone());
        stored.digest = Some(object.digest.clone());
        stored.content = content;
        stored.entry = Some(version);
        stored.keep = keep;
        match key.kind.as_str() {
            "CustomResourceDefinition" => {
                self.unserved.remove("Widget");
            }
            "Namespace" => {
                self.namespaces.insert(key.name.clone());
            }
            _ => {}
        }
        true
    }

    fn ready_in(&self, seconds: u64) -> Readiness {
        Readiness::At(self.now.plus(Duration::from_secs(seconds)))
    }

    fn delete(
        &mut self,
        identity: &Identity,
        reference: &Reference,
        uid: &str,
        version: Option<u64>,
    ) -> (Result<Answer, Refusal>, Trace) {
        let key = &reference.key;
        let before = self.sight(key);
        let mut effect = false;
        let result = if let Some(refusal) = self.refused(identity, &["delete"], key) {
            Err(refusal)
        } else if self.deny_deletes {
            Err(Refusal::new(
                403,
                FailureClass::Rejected,
                "admission webhook \"guard\" denied the request: no deletes today",
            ))
        } else {
            let stood = self.objects.get(key).map(|stored| stored.version);
            match &before {
                None => Ok(Answer::Deleted),
                Some(sight) if sight.uid != uid || version.is_some_and(|v| Some(v) != stood) => {
                    Err(Refusal::new(409, FailureClass::Conflict, "precondition"))
                }
                Some(sight) => {
                    effect = !sight.deleting;
                    self.remove(key);
                    Ok(Answer::Deleted)
                }
            }
        };
        let what = What::Delete(key.clone(), before, Some(uid.to_owned()));
        let trace = tenant_trace(identity, what, &result, effect);
        (result, trace)
    }

    /// Deletes an object, or marks it while a foreign finalizer holds it.
    pub(super) fn remove(&mut self, key: &ObjectKey) {
        let version = self.bump();
        match self.objects.get_mut(key) {
            Some(stored) if stored.held => {
                stored.deleting = true;
                stored.version = version;
            }
            Some(_) => self.gone(key),
            None => {}
        }
    }

    fn gone(&mut self, key: &ObjectKey) {
        self.objects.remove(key);
        match key.kind.as_str() {
            "CustomResourceDefinition" => self.remove_kind("Widget"),
            "Namespace" => self.remove_namespace(&key.name),
            _ => {}
        }
    }

    pub(super) fn remove_kind(&mut self, kind: &str) {
        // With a definition go its objects.
        self.objects
            .retain(|key, _| key.kind != kind && key.kind != "CustomResourceDefinition");
        self.unserved.insert(kind.to_owned());
    }

    pub(super) fn remove_namespace(&mut self, name: &str) {
        if name == EXTRA {
            self.objects.retain(|key, _| {
                key.namespace.as_deref() != Some(name)
                    && !(key.kind == "Namespace" && key.name == name)
            });
            self.namespaces.remove(name);
        }
    }

    /// Foreign finalizers go; what waited for them is gone.
    pub(super) fn release(&mut self) {
        let waiting: Vec<ObjectKey> = self
            .objects
            .iter_mut()
            .filter_map(|(key, stored)| {
                stored.held = false;
                stored.deleting.then(|| key.clone())
            })
            .collect();
        for key in waiting {
            self.gone(&key);
        }
    }

    /// The object as a read shows it.
    pub(super) fn live(&self, stored: &Stored) -> Live {
        Live {
            uid: stored.uid.clone(),
            resource_version: stored.version.to_string(),
            generation: 1,
            owner: stored.owner.clone(),
            prune_disabled: stored.keep,
            deleting: stored.deleting,
            deletion_timestamp: stored.deleting.then_some(self.now),
            finalizers: if stored.held {
                vec!["example.org/held".to_owned()]
            } else {
                Vec::new()
            },
            takes_claims_along: false,
            body: None,
            entry: stored.entry.map(|entry| entry.to_string()),
            health: match stored.health {
                _ if stored.deleting => Health::Terminating,
                Readiness::At(at) if self.now >= at => Health::Current,
                Readiness::Broken => Health::Failed("ProgressDeadlineExceeded".into()),
                Readiness::At(_) | Readiness::Never => {
                    Health::InProgress("0 of 1 replicas available".into())
                }
            },
        }
    }

    /// The object as checkers see it.
    pub(super) fn sight(&self, key: &ObjectKey) -> Option<Sight> {
        let stored = self.objects.get(key)?;
        Some(Sight {
            uid: stored.uid.clone(),
            content: stored.content.clone(),
            owner: stored.owner.as_ref().map(ToString::to_string),
            deleting: stored.deleting,
            ready: matches!(stored.health, Readiness::At(at) if self.now >= at),
            keep: stored.keep,
        })
    }
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

fn annotation(object: &Desired, name: &str) -> String {
    object.body["metadata"]["annotations"][name]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn tenant_trace<T>(
    identity: &Identity,
    what: What,
    result: &Result<T, Refusal>,
    effect: bool,
) -> Trace {
    Trace {
        who: identity
            .impersonated_user()
            .map_or(Who::Controller, Who::User),
        what,
        code: result.as_ref().map_or_else(|refusal| refusal.code, |_| 200),
        effect,
        versions: None,
    }
}

/// An object of nobody, which a planted inventory entry names.
pub(super) fn victim_key() -> ObjectKey {
    ObjectKey {
        name: "victim".into(),
        kind: "Secret".into(),
        namespace: Some(NAMESPACE.into()),
        group: String::new(),
    }
}
