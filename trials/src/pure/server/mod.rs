//! The pure server: what of an API server decisions rest on, in maps, without a wire. One function
//! answers every request; what it did is told as an entry of the log.
//!
//! - [`reads`] what the controller reads as itself, and what may be had as a tenant beside objects;
//! - [`objects`] objects of the tenant's world;
//! - [`actions`] what actions look at and do.

mod actions;
mod objects;
mod reads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stageset_core::failure::FailureClass;
use stageset_core::identity::Identity;
use stageset_core::names::StageName;
use stageset_core::object::{ObjectKey, Owner};
use stageset_core::observation::{Ledger, ReconcileStage, StageInventory, Status};
use stageset_core::spec::{Problem, Spec};
use stageset_core::time::Timestamp;

use super::call::{Answer, Call, Refusal};
use super::release;
use crate::event::{Offer, Standing, Workload};
use crate::log::{What, Who};
use crate::setup::{ANCHOR, Feature, LEFTOVER, NAMESPACE, Setup, Variant, own};
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
    /// An expression that it should be ready by doesn't hold.
    pub(super) closed: bool,
    /// Since when it is being deleted.
    pub(super) deleting: Option<Timestamp>,
    /// A foreign finalizer.
    pub(super) held: bool,
    /// Fields of `kubectl apply` that aren't ours yet.
    pub(super) legacy: bool,
    /// The content of an immutable object when it was made: nobody changes that.
    pub(super) fixed: Option<String>,
    pub(super) health: Readiness,
}

impl Stored {
    /// An object of nobody's release.
    pub(super) fn foreign(uid: String, version: u64, content: &str, now: Timestamp) -> Self {
        Self {
            uid,
            version,
            owner: None,
            digest: None,
            content: content.to_owned(),
            entry: None,
            keep: false,
            closed: false,
            deleting: None,
            held: false,
            legacy: false,
            fixed: None,
            health: Readiness::At(now),
        }
    }
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
    /// The stage whose actions are asked for once more.
    pub(super) again: Option<ReconcileStage>,
    pub(super) spec: Result<Arc<Spec>, Vec<Problem>>,
    pub(super) suspended: bool,
    pub(super) status: Status,
}

impl StageSetRecord {
    /// As the user has just made it.
    pub(super) fn new(spec: Result<Arc<Spec>, Vec<Problem>>) -> Self {
        Self {
            version: 100,
            generation: 1,
            deletion: None,
            finalizer: false,
            requested: None,
            again: None,
            spec,
            suspended: false,
            status: Status::default(),
        }
    }
}

impl StageSetRecord {
    /// The stage whose actions were asked for once more, unless its status says that this is done.
    pub(super) fn unanswered(&self) -> Option<String> {
        let Some(ReconcileStage::Asked { stage, token }) = &self.again else {
            return None;
        };
        let mut stages = self.status.stages.iter();
        let handled = stages
            .find(|known| known.name == *stage)
            .and_then(|known| known.actions.handled.as_ref());
        (handled != Some(token)).then(|| stage.to_string())
    }
}

/// The StageLedger with its version.
pub(super) type StoredLedger = (u64, Ledger);

/// All inventories with their versions.
pub(super) type Shelf = BTreeMap<StageName, (u64, StageInventory)>;

/// The state of the cluster.
pub(super) struct Server {
    pub(super) setup: Setup,
    pub(super) table: Arc<Table>,
    pub(super) variant: Variant,
    pub(super) now: Timestamp,
    pub(super) version: u64,
    pub(super) stage_set: Option<Arc<StageSetRecord>>,
    /// Earlier states of the StageSet, for views that lag.
    pub(super) stage_set_before: Option<Arc<StageSetRecord>>,
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
    pub(super) dependency: Standing,
    /// The value of the variable, if its ConfigMap is there; and which state of it that is.
    pub(super) level: Option<u8>,
    pub(super) level_version: u64,
    pub(super) ledger: Option<StoredLedger>,
    /// So many more requests are refused by who gets those of http actions.
    pub(super) deaf: u64,
    pub(super) uids: u64,
    /// The reasons of all events that were told.
    pub(super) told: Vec<String>,
    /// The StageSet went when its teardown had had all its time (D1 allows for clocks that run ahead).
    pub(super) overdue: bool,
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
            dependency: Standing::Ready,
            level: Some(0),
            level_version: 100,
            ledger: None,
            deaf: 0,
            uids: 0,
            told: Vec::new(),
            overdue: false,
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
        let spec = release::spec(setup, &Variant::default());
        server.stage_set = Some(Arc::new(StageSetRecord::new(spec)));
        server.plant(victim_key(), "victim");
        if setup.has(Feature::Actions) {
            server.plant(config_map(ANCHOR), "anchor");
            for stage in 1..setup.stages {
                server.plant(config_map(&own(LEFTOVER, stage)), "leftover");
            }
        }
        if setup.has(Feature::Gates) {
            (0..setup.stages).for_each(|stage| server.gate(stage, true));
        }
        if setup.has(Feature::Takeover) {
            for stage in 0..setup.stages {
                let first = setup.items(stage, 1).into_iter().next();
                // What needs others to be there comes with the release.
                if let Some(item) = first.filter(|item| item.kind == "ConfigMap") {
                    server.plant(item.key(), "kubectl's");
                    if let Some(stored) = server.objects.get_mut(&item.key()) {
                        stored.legacy = true;
                    }
                }
            }
        }
        server
    }

    /// Puts an object of nobody's release there.
    pub(super) fn plant(&mut self, key: ObjectKey, content: &str) {
        let stored = Stored::foreign(self.uid(), self.version, content, self.now);
        self.objects.insert(key, stored);
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
            Call::TakeOver(identity, object, uid, version) => {
                self.take_over(identity, object, uid, *version)
            }
            Call::Rules(identity, namespace) => self.rules(identity, namespace),
            Call::Access(identity, right) => self.access(identity, right),
            Call::Variables(identity) => self.variables(identity),
            Call::Look(identity, object, question) => self.look(identity, object, question),
            Call::Act(identity, attempt, deed) => self.act(identity, attempt, deed),
            Call::CreateLedger
            | Call::WriteLedger(..)
            | Call::Finalizer(..)
            | Call::Status(..)
            | Call::Inventory(..)
            | Call::DropInventory(..)
            | Call::ReleaseInventories(_)
            | Call::Announce(..) => self.record(call),
            _ => self.read(call, stale),
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

/// A ConfigMap of the StageSet's namespace.
pub(super) fn config_map(name: &str) -> ObjectKey {
    ObjectKey {
        name: name.into(),
        kind: "ConfigMap".into(),
        namespace: Some(NAMESPACE.into()),
        group: String::new(),
    }
}
