//! Metadata-only watches as tenants: news of their objects without polling (K17, K18).
//!
//! One watch for each account, kind and namespace, with the ownership label as selector, so that all
//! StageSets of a tenant share it. Where the tenant may not watch, it is tried again every five
//! minutes and the kind is polled meanwhile; beyond the cap nothing is watched and everything is
//! polled; so are remote clusters. A watch only gives hints: every decision rests on a read as the tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;
use stageset_api::names;
use stageset_cluster::{Connection, Hint, RequestIdentity};
use stageset_core::identity::{Identity, Target};
use stageset_core::judge::live::entry_of_metadata;
use stageset_core::object::{GroupVersionKind, ObjectKey, Reference};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tracing::debug;

use super::backoff::Backoff;
use super::engaged::Signal;
use super::kept::{Kept, Owner, Text};
use super::reflector::{News, Sink, reflect};
use super::resource::{Resource, WatchOn};
use super::store::Coverage;
use crate::metrics::Metrics;
use crate::queue::Key;

/// Pause after a watch was refused; the kind is polled meanwhile.
const REFUSED_PAUSE: Duration = Duration::from_secs(300);

/// News of one object of a tenant's world.
#[derive(Debug)]
pub struct Event {
    /// The StageSets whose labels it carries or carried.
    pub owners: BTreeSet<Key>,
    /// What to tell their sessions.
    pub hint: Hint,
    /// Whether what we own was touched; otherwise only the object's version moved.
    pub touched: bool,
}

/// A watch that had lost its place has begun anew, and found these.
#[derive(Debug)]
pub struct Listing {
    id: Arc<Id>,
    names: Arc<BTreeSet<Box<str>>>,
}

impl Listing {
    /// What to tell the sessions of those who want the watch.
    pub fn hint(&self) -> Hint {
        let Id {
            identity,
            resource,
            namespace,
        } = &*self.id;
        Hint::Listed {
            identity: identity.clone(),
            group: resource.gvk.group.clone(),
            kind: resource.gvk.kind.clone(),
            namespace: namespace.clone(),
            names: Arc::clone(&self.names),
        }
    }
}

/// Which watch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    identity: Identity,
    resource: Resource,
    namespace: Option<String>,
}

impl Id {
    fn of(identity: &Identity, object: &Reference) -> Self {
        Self {
            identity: identity.clone(),
            resource: Resource {
                gvk: object.gvk(),
                plural: object.plural.clone(),
            },
            namespace: object.key.namespace.clone(),
        }
    }

    /// The namespace whose StageSets share the watch. Without a tenant (single-tenant mode) those of every
    /// namespace do.
    fn tenant(&self) -> Option<String> {
        let user = self.identity.impersonated_user()?;
        user.split(':').nth(2).map(str::to_owned)
    }

    fn on(&self) -> WatchOn {
        let label = names::LABEL_NAMESPACE;
        let selector = match self.tenant() {
            Some(namespace) => format!("{label}={namespace}"),
            None => label.to_owned(),
        };
        WatchOn {
            resource: self.resource.clone(),
            namespace: self.namespace.clone(),
            selector: Some(selector),
            metadata_only: true,
            identity: RequestIdentity::As(self.identity.clone()),
        }
    }
}

/// Which watches stand. Asked about every object in every decision, by parts that are there already.
#[derive(Debug, Default)]
pub struct Covered {
    live: RwLock<BTreeMap<Identity, InNamespaces>>,
}

/// Kinds by namespace; cluster-scoped ones stand under the empty name.
type InNamespaces = BTreeMap<String, Vec<GroupVersionKind>>;

impl Covered {
    /// A watch that was ended says nothing more: its task may still be on its way.
    fn set(&self, id: &Id, live: bool, ended: &AtomicBool) {
        let mut all = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let namespaces = all.entry(id.identity.clone()).or_default();
        let namespace = id.namespace.clone().unwrap_or_default();
        let kinds = namespaces.entry(namespace.clone()).or_default();
        kinds.retain(|kind| *kind != id.resource.gvk);
        if live && !ended.load(Ordering::SeqCst) {
            kinds.push(id.resource.gvk.clone());
        }
        if kinds.is_empty() {
            namespaces.remove(&namespace);
            if namespaces.is_empty() {
                all.remove(&id.identity);
            }
        }
    }
}

impl Coverage for Covered {
    fn covers(&self, identity: &Identity, object: &ObjectKey, version: &str) -> bool {
        let all = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let kinds = all.get(identity).and_then(|all| all.get(namespace));
        kinds.into_iter().flatten().any(|kind| {
            kind.kind == object.kind && kind.group == object.group && kind.version == version
        })
    }
}

/// All watches as tenants. Dropping it ends them.
#[derive(Debug)]
pub struct Tenants {
    connection: Connection,
    covered: Arc<Covered>,
    signals: mpsc::UnboundedSender<Signal>,
    metrics: Metrics,
    /// Most watches at once.
    cap: usize,
    wanted: BTreeMap<Arc<Id>, Wanted>,
    /// What each StageSet wants, in order.
    of: BTreeMap<Key, Vec<Arc<Id>>>,
    /// Wanted, and beyond the cap.
    waiting: BTreeSet<Arc<Id>>,
    running: usize,
}

/// A watch that somebody wants.
#[derive(Debug, Default)]
struct Wanted {
    /// How many StageSets do.
    by: usize,
    running: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Tenants {
    /// None yet.
    pub fn new(
        connection: Connection,
        covered: Arc<Covered>,
        signals: mpsc::UnboundedSender<Signal>,
        metrics: Metrics,
        cap: usize,
    ) -> Self {
        Self {
            connection,
            covered,
            signals,
            metrics,
            cap,
            wanted: BTreeMap::new(),
            of: BTreeMap::new(),
            waiting: BTreeSet::new(),
            running: 0,
        }
    }

    /// The objects that a StageSet depends on are these now.
    pub fn set(&mut self, key: &Key, objects: &BTreeSet<(Identity, Reference)>) {
        // Remote clusters aren't watched but polled: what a hostile one streams would have to be held
        // in bounds first (A27).
        let ids: BTreeSet<Id> = objects
            .iter()
            .filter(|(identity, _)| *identity.target() == Target::Local)
            .map(|(identity, object)| Id::of(identity, object))
            .collect();
        let before = self.of.get(key).map_or(&[][..], Vec::as_slice);
        if ids.iter().eq(before.iter().map(|id| &**id)) {
            return;
        }
        let before = self.of.remove(key).unwrap_or_default();
        let now: Vec<Arc<Id>> = ids.into_iter().map(|id| self.want(id)).collect();
        for id in before {
            self.release(&id);
        }
        if !now.is_empty() {
            self.of.insert(key.clone(), now);
        }
        self.start();
    }

    fn want(&mut self, id: Id) -> Arc<Id> {
        let known = self.wanted.get_key_value(&id);
        let id = known.map_or_else(|| Arc::new(id), |(id, _)| Arc::clone(id));
        let wanted = self.wanted.entry(Arc::clone(&id)).or_default();
        wanted.by += 1;
        if wanted.running.is_none() {
            self.waiting.insert(Arc::clone(&id));
        }
        id
    }

    /// The StageSets that want a watch.
    pub fn who_want(&self, listing: &Listing) -> Vec<Key> {
        let tenant = listing.id.tenant();
        let first = Key::new(tenant.as_deref().unwrap_or_default(), "");
        let from = self.of.range(first..);
        let all =
            from.take_while(|(key, _)| tenant.as_ref().is_none_or(|own| *own == key.namespace));
        all.filter(|(_, ids)| ids.binary_search(&listing.id).is_ok())
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// A StageSet is gone.
    pub fn forget(&mut self, key: &Key) {
        self.set(key, &BTreeSet::new());
    }

    fn release(&mut self, id: &Arc<Id>) {
        let Some(wanted) = self.wanted.get_mut(id) else {
            return;
        };
        wanted.by -= 1;
        if wanted.by > 0 {
            return;
        }
        self.waiting.remove(id);
        if let Some((ended, task)) = self.wanted.remove(id).and_then(|wanted| wanted.running) {
            self.running -= 1;
            ended.store(true, Ordering::SeqCst);
            task.abort();
            self.covered.set(id, false, &ended);
        }
    }

    fn start(&mut self) {
        while self.running < self.cap
            && let Some(id) = self.waiting.pop_first()
            && let Some(wanted) = self.wanted.get_mut(&id)
        {
            let ended = Arc::new(AtomicBool::new(false));
            let sink = Tenant {
                ended: Arc::clone(&ended),
                id: Arc::clone(&id),
                covered: Arc::clone(&self.covered),
                signals: self.signals.clone(),
                known: BTreeMap::new(),
                began: false,
            };
            let poke = Arc::new(Notify::new());
            let task = tokio::spawn(reflect(self.connection.clone(), id.on(), poke, sink));
            wanted.running = Some((ended, task));
            self.running += 1;
        }
        self.metrics.tenant_watches(self.running);
    }
}

impl Drop for Tenants {
    fn drop(&mut self) {
        for (_, task) in self
            .wanted
            .values()
            .filter_map(|each| each.running.as_ref())
        {
            task.abort();
        }
    }
}

/// What an event or a list shows of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    name: Box<str>,
    kept: Kept,
}

/// Turns news of objects into hints for their owners.
#[derive(Debug)]
struct Tenant {
    id: Arc<Id>,
    covered: Arc<Covered>,
    /// Set when nothing that it says counts any more.
    ended: Arc<AtomicBool>,
    signals: mpsc::UnboundedSender<Signal>,
    /// By name: a watch is on one namespace. Boxed: most watches see few objects, and a node of such a tree
    /// has room for eleven.
    known: BTreeMap<Box<str>, Box<Kept>>,
    /// It has told once what there is: nothing that was read before relies on it.
    began: bool,
}

impl Tenant {
    fn changed(&mut self, seen: &Seen) {
        let now = &seen.kept;
        let before = self.known.insert(seen.name.clone(), Box::new(now.clone()));
        if before
            .as_ref()
            .is_some_and(|before| before.version == now.version)
        {
            return;
        }
        let touched = before
            .as_ref()
            .is_none_or(|before| before.entry != now.entry || before.owner != now.owner);
        let owners = [before.and_then(|before| before.owner), now.owner.clone()];
        self.tell(owners, seen, touched, false);
    }

    fn deleted(&mut self, seen: &Seen) {
        let before = self.known.remove(&seen.name);
        let owners = [
            before.and_then(|before| before.owner),
            seen.kept.owner.clone(),
        ];
        self.tell(owners, seen, true, true);
    }

    fn tell(&self, owners: [Option<Owner>; 2], seen: &Seen, touched: bool, deleted: bool) {
        let watched = self.id.namespace.as_deref();
        let owners = owners.iter().flatten();
        let owners: BTreeSet<Key> = owners.map(|owner| owner.key(watched)).collect();
        if owners.is_empty() {
            return;
        }
        let hint = Hint::Object {
            identity: Some(self.id.identity.clone()),
            key: ObjectKey {
                group: self.id.resource.gvk.group.clone(),
                kind: self.id.resource.gvk.kind.clone(),
                namespace: self.id.namespace.clone(),
                name: seen.name.to_string(),
            },
            entry: seen.kept.entry.as_ref().map(Text::text),
            resource_version: seen.kept.version.text(),
            deleted,
        };
        // Nobody listens any more only when the process ends.
        let _ = self.signals.send(Signal::Tenant(Event {
            owners,
            hint,
            touched,
        }));
    }
}

impl Sink for Tenant {
    type Item = Seen;

    fn reduce(&self, object: Value) -> Option<Self::Item> {
        let metadata = object.get("metadata")?;
        let text = |key: &str| metadata.get(key).and_then(Value::as_str);
        let label = |key: &str| metadata.get("labels")?.get(key)?.as_str();
        let owner = label(names::LABEL_NAMESPACE)
            .zip(label(names::LABEL_NAME))
            .map(|(namespace, name)| Owner::of(self.id.namespace.as_deref(), namespace, name));
        Some(Seen {
            name: text("name")?.into(),
            kept: Kept {
                version: Text::of(text("resourceVersion").unwrap_or_default()),
                entry: entry_of_metadata(metadata, names::FIELD_MANAGER)
                    .map(|entry| Text::of(&entry)),
                owner,
            },
        })
    }

    fn take(&mut self, news: News<Self::Item>) {
        match news {
            News::Listed(objects) => {
                let listed: BTreeSet<&str> = objects.iter().map(|seen| &*seen.name).collect();
                let gone: Vec<Seen> = self
                    .known
                    .iter()
                    .filter(|(name, _)| !listed.contains(&***name))
                    .map(|(name, kept)| Seen {
                        name: name.clone(),
                        kept: (**kept).clone(),
                    })
                    .collect();
                for seen in &gone {
                    self.deleted(seen);
                }
                for seen in &objects {
                    self.changed(seen);
                }
                // What came and went since its last word isn't known here: only who relies on it knows
                // what it misses.
                if std::mem::replace(&mut self.began, true) {
                    let _ = self.signals.send(Signal::Listed(Listing {
                        id: Arc::clone(&self.id),
                        names: Arc::new(objects.into_iter().map(|seen| seen.name).collect()),
                    }));
                }
            }
            News::Changed(seen) => self.changed(&seen),
            News::Deleted(seen) => self.deleted(&seen),
            News::Live => self.covered.set(&self.id, true, &self.ended),
            News::Broken { error, pause } => {
                self.covered.set(&self.id, false, &self.ended);
                debug!(watch = %self.id.on(), %error, retry_in_seconds = pause.as_secs(),
                       "not watched as the tenant; polled meanwhile");
            }
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(Duration::from_secs(2), REFUSED_PAUSE)
    }
}

#[cfg(test)]
mod tests;
