//! The simulated cluster of a wire run: what stands in it ([`events`]: what happens to it; [`scene`]:
//! how checkers see it; [`prototype`]: what stands in every one; [`sources`]: what releases come from;
//! [`neighbour`]: another tenant).

mod events;
mod features;
mod neighbour;
mod prototype;
mod scene;
mod sources;

pub(super) use features::KUBECTL;
pub(super) use sources::Artifacts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use stageset_core::object::ObjectKey;
use stageset_sim::{HelperError, Recording, Request, SimulatedCluster, User};

use crate::event::{Event, Nearby, Offer, Standing, Way, Workload};
use crate::scene::Scene as _;
use crate::setup::{EXTRA, Feature, Flavour, KINDS, NAME, NAMESPACE, Setup, Variant, api_version};
use crate::table::Table;

const START: &str = "2026-11-23T21:00:00Z";
pub(super) const OURS: &str = "stages.metio.wtf/v1";
pub(super) const SOURCES: &str = "source.toolkit.fluxcd.io/v1";
const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// The cluster, and what only the run knows of it.
pub(super) struct World {
    pub(super) setup: Setup,
    pub(super) table: Arc<Table>,
    pub(super) variant: Variant,
    pub(super) cluster: SimulatedCluster,
    pub(super) artifacts: Artifacts,
    pub(super) offers: BTreeMap<String, Offer>,
    pub(super) revisions: BTreeMap<String, u8>,
    pub(super) revoked: BTreeSet<(String, String, String)>,
    pub(super) deny_deletes: bool,
    pub(super) rejected: BTreeSet<String>,
    pub(super) fights: BTreeMap<ObjectKey, u64>,
    /// The remote cluster, if the release goes there.
    pub(super) remote: Option<SimulatedCluster>,
    pub(super) way: Way,
    pub(super) workloads: BTreeMap<String, Workload>,
    /// So many more requests of http actions are refused.
    pub(super) deaf: u64,
    /// The value of the variable, if its ConfigMap is there.
    pub(super) level: Option<u8>,
    pub(super) tokens: u64,
    /// Another tenant, if there is one.
    neighbour: Option<neighbour::Neighbour>,
}

impl World {
    /// What both clusters live through is written to the recording, if there is one.
    pub(super) fn new(
        setup: &Setup,
        seed: u64,
        recording: Option<&Recording>,
    ) -> Result<Self, HelperError> {
        let mut world = Self {
            table: Table::of(setup),
            variant: Variant::default(),
            cluster: prototype::home(seed, recording)?,
            artifacts: Artifacts::default(),
            offers: BTreeMap::new(),
            revisions: BTreeMap::new(),
            revoked: BTreeSet::new(),
            deny_deletes: false,
            rejected: BTreeSet::new(),
            fights: BTreeMap::new(),
            remote: None,
            way: Way::Present,
            workloads: BTreeMap::new(),
            deaf: 0,
            level: Some(0),
            tokens: 0,
            neighbour: None,
            setup: setup.clone(),
        };
        if setup.has(Feature::Remote) {
            world.remote = Some(prototype::abroad(seed ^ 0xab, recording)?);
            world.way(Way::Present)?;
        }
        for account in setup.account_names() {
            world.account(account)?;
            let binding = json!({
                "apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": { "name": account },
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": account,
                },
                "subjects": [{
                    "kind": "ServiceAccount", "name": account, "namespace": NAMESPACE,
                }],
            });
            world.put_there(&binding)?;
            if setup.has(Feature::Remote) {
                // Variables are read at home, wherever the objects go.
                world.put(&binding)?;
            }
        }
        world.rights()?;
        world.put_there(&json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "victim", "namespace": NAMESPACE },
        }))?;
        for source in setup.sources() {
            world.offer(source, Offer::Revision(1))?;
        }
        world.bring_features()?;
        world.put(&world.stage_set_object())?;
        Ok(world)
    }

    /// The cluster that the release goes to.
    pub(super) fn target(&self) -> &SimulatedCluster {
        self.remote.as_ref().unwrap_or(&self.cluster)
    }

    /// Puts an object into the cluster that the release goes to.
    pub(super) fn put_there(&self, object: &Value) -> Result<(), HelperError> {
        self.target().apply_yaml_value(object).map(drop)
    }

    pub(super) fn put(&self, object: &Value) -> Result<(), HelperError> {
        self.cluster.apply_yaml_value(object).map(drop)
    }

    pub(super) fn account(&self, name: &str) -> Result<(), HelperError> {
        self.put(&json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": name, "namespace": NAMESPACE },
        }))
    }

    /// What each account may do, anew.
    pub(super) fn rights(&self) -> Result<(), HelperError> {
        for account in self.setup.account_names() {
            let rules: Vec<Value> = KINDS
                .iter()
                .map(|(kind, plural, _)| {
                    let may = |verb: &&str| {
                        !self.revoked.contains(&(
                            account.to_owned(),
                            (*verb).to_owned(),
                            (*kind).to_owned(),
                        ))
                    };
                    let verbs: Vec<&str> = ["get", "list", "watch", "create", "patch", "delete"]
                        .into_iter()
                        .filter(may)
                        .collect();
                    json!({
                        "apiGroups": [crate::setup::group(kind)],
                        "resources": [plural], "verbs": verbs,
                    })
                })
                .collect();
            let role = json!({
                "apiVersion": RBAC, "kind": "ClusterRole", "metadata": { "name": account },
                "rules": rules,
            });
            self.put_there(&role)?;
            if self.remote.is_some() {
                // Variables are read at home, wherever the objects go.
                self.put(&role)?;
            }
        }
        Ok(())
    }

    fn stage_set_object(&self) -> Value {
        json!({
            "apiVersion": OURS, "kind": "StageSet",
            "metadata": { "name": NAME, "namespace": NAMESPACE },
            "spec": self.setup.spec(&self.variant),
        })
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<Value> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        self.target()
            .get(api_version(&key.kind), &key.kind, namespace, &key.name)
    }

    pub(super) fn patch(&self, key: &ObjectKey, patch: &Value) -> Result<(), HelperError> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let version = api_version(&key.kind);
        self.target()
            .patch(version, &key.kind, namespace, &key.name, patch)
            .map(drop)
    }

    /// Whoever broke something mends it.
    pub(super) fn heal(&mut self) -> Result<(), HelperError> {
        for event in [
            Event::Grant,
            Event::AllowDeletes,
            Event::Accept,
            Event::Release,
            Event::MendWorkloads,
            Event::Deaf(0),
            Event::Dependency(Standing::Ready),
            Event::Abroad(Way::Present),
        ] {
            self.happen(&event)?;
        }
        for stage in 0..self.setup.stages {
            self.happen(&Event::Gate(stage, true))?;
        }
        if self.setup.has(Feature::Expressions) {
            for (_, item) in self.setup.all_items() {
                if item.kind == "ConfigMap" {
                    self.happen(&Event::Close(item.to_string(), false))?;
                }
            }
        }
        if self.level.is_none() {
            self.happen(&Event::Variable(Some(0)))?;
        }
        self.fights.clear();
        if self.neighbour.is_some() {
            self.happen_nearby(Nearby::Granted)?;
        }
        for account in self.setup.account_names() {
            let found = self.cluster.get("v1", "ServiceAccount", NAMESPACE, account);
            if found.is_none() {
                self.account(account)?;
            }
        }
        let last = self.revisions.values().max().copied().unwrap_or(1);
        for source in self.setup.sources() {
            let own = self.revisions.get(source).copied().unwrap_or(1);
            let revision = if self.setup.flavour == Flavour::Platform {
                last
            } else {
                own
            };
            if self.offers.get(source) != Some(&Offer::Revision(revision)) {
                self.offer(source, Offer::Revision(revision))?;
            }
        }
        let mended = Variant {
            suspended: false,
            invalid: false,
            ..if self.setup.flavour == Flavour::Platform {
                Variant {
                    unpruned: self.variant.unpruned,
                    ..Variant::default()
                }
            } else {
                self.variant.clone()
            }
        };
        if mended != self.variant && self.stage_set().is_some() {
            self.variant = mended;
            self.respec()?;
        }
        Ok(())
    }

    /// Asks for all that the trials' namespaces hold, as the administrator: a replay compares that last.
    pub(super) fn look_around(&self) {
        let own = ["stagesets", "stageinventories", "stageledgers"];
        let own = own.map(|plural| (format!("/apis/{OURS}"), plural));
        let sources = [(format!("/apis/{SOURCES}"), "externalartifacts")];
        let at_home = own.into_iter().chain(sources);
        for (root, plural) in at_home.chain([
            ("/api/v1".to_owned(), "serviceaccounts"),
            ("/apis/events.k8s.io/v1".to_owned(), "events"),
        ]) {
            ask_for(
                &self.cluster,
                &format!("{root}/namespaces/{NAMESPACE}/{plural}"),
            );
        }
        for (kind, plural, namespaced) in KINDS {
            let version = api_version(kind);
            let root = if version == "v1" {
                "/api/v1".to_owned()
            } else {
                format!("/apis/{version}")
            };
            for namespace in [NAMESPACE, EXTRA] {
                if namespaced {
                    let path = format!("{root}/namespaces/{namespace}/{plural}");
                    ask_for(self.target(), &path);
                }
            }
        }
    }
}

/// A read by the administrator whose answer nobody needs but who records it.
fn ask_for(cluster: &SimulatedCluster, path: &str) {
    let request = Request {
        method: Method::GET,
        uri: path.parse().unwrap_or_default(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        user: User::admin(),
    };
    cluster.handle(&request);
}
