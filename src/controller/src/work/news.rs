//! What watches tell, and whom it concerns.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use stageset_cluster::gather::dependency_state;
use stageset_cluster::records::stage_set;
use stageset_cluster::{Hint, Stored, Wake};
use stageset_core::judge::health::can_regress;
use stageset_core::names::ServiceAccountName;
use tokio::time::Instant;
use tracing::debug;

use super::{Entry, Work};
use crate::change::Changed;
use crate::queue::Key;
use crate::watch::engaged::Signal;
use crate::watch::resource::Resource;
use crate::watch::store::Change;
use crate::watch::tenant::{Event, Listing};

/// News of a tenant's objects come in bursts; those of this span cost one pass.
const BURST: Duration = Duration::from_millis(100);
/// After a status that somebody else wrote: soon, but never a race of two writers.
const DISPUTED: Duration = Duration::from_secs(10);
/// Most hints kept for one StageSet; beyond, everything is looked at again.
const HINTS: usize = 1_000;

impl Work {
    /// Something has changed.
    pub(crate) fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Changed(change) if change.gvk == Resource::stage_sets().gvk => {
                self.stage_set_changed(change);
            }
            Signal::Changed(change) if change.gvk == Resource::service_accounts().gvk => {
                self.account_changed(&change);
            }
            Signal::Changed(change) => self.source_changed(&change),
            Signal::Inventory(key) => self.hint(&key, Hint::Inventories),
            Signal::Ledger(key, resource_version) => {
                self.hint(&key, Hint::Ledger { resource_version });
            }
            Signal::Ledgers { namespace, there } => {
                self.ledgers_listed(namespace.as_deref(), &there);
            }
            Signal::HeldInventory(held) => self.abandoned.notice(held),
            Signal::Definition(name) => self.engaged.definition_changed(&name),
            Signal::Tenant(event) => self.tenant_object_changed(event),
            Signal::Listed(listing) => self.tenant_objects_listed(&listing),
        }
    }

    fn stage_set_changed(&mut self, change: Change) {
        let key = Key::new(change.namespace.clone(), change.name.clone());
        // The one that all others share.
        let known = self.entries.get_key_value(&key);
        let key = known.map_or(key, |(known, _)| known.clone());
        self.wake_dependents(&key, &change);
        let Some(object) = change.new else {
            debug!(namespace = key.namespace, name = key.name, "gone");
            self.entries.remove(&key);
            self.queue.forget(&key);
            self.report.forget(&key);
            self.tenants.forget(&key);
            let kinds = self.index.forget(&key);
            self.engage(&kinds);
            return;
        };
        let shown = object.value();
        self.assign(&key, &shown);
        match self.entries.get_mut(&key) {
            Some(entry) if entry.gone && !stage_set::supersedes(&object, &entry.object) => {}
            Some(entry) if entry.object.uid() == object.uid() => {
                entry.gone = false;
                let before = entry.object.value();
                let claim =
                    |object: &Value| stage_set::handled_elsewhere(object, &self.ports.config);
                let let_go = claim(&before).is_some() && claim(&shown).is_none();
                let news = Changed::between(&before, &shown);
                entry.object = object;
                if let Some(session) = &mut entry.session {
                    session.share(&entry.object);
                }
                match news {
                    Changed::Wish { requested } => {
                        entry.wake.refresh |= requested;
                        self.queue.wake(&key);
                    }
                    Changed::Record if let_go => self.queue.wake(&key),
                    Changed::Record => {
                        if !self.queue.is_running(&key) && self.report.disagrees(&key, &shown) {
                            self.queue.wake_by(&key, Instant::now() + DISPUTED);
                        }
                    }
                }
            }
            _ => {
                self.report.forget(&key);
                self.report.seen(&key, &shown);
                let wake = Wake {
                    refresh: true,
                    hints: Vec::new(),
                };
                let entry = Entry {
                    object,
                    gone: false,
                    session: None,
                    wake,
                    refresh_at: None,
                    quiet_at: None,
                };
                self.entries.insert(key.clone(), entry);
                self.queue.wake(&key);
            }
        }
    }

    /// Those that wait for a StageSet hear at once of a change that counts for them.
    fn wake_dependents(&mut self, key: &Key, change: &Change) {
        let dependents = self.index.of_dependency(key);
        if dependents.is_empty() {
            return;
        }
        let state = |object: &Option<Stored>| {
            let object = object.as_ref();
            object.map(|object| dependency_state(&object.value()))
        };
        if state(&change.old) == state(&change.new) {
            return;
        }
        for (stage_set, dependent) in dependents {
            self.hint(&dependent, Hint::Dependency(stage_set));
        }
    }

    fn account_changed(&mut self, change: &Change) {
        let identity = |object: &Option<Stored>| {
            let object = object.as_ref();
            object.map(|object| object.uid().map(str::to_owned))
        };
        if identity(&change.old) == identity(&change.new) {
            return;
        }
        let Ok(account) = ServiceAccountName::new(change.name.as_str()) else {
            return;
        };
        for key in self.index.of_account(&change.namespace, &account) {
            self.hint(&key, Hint::Account(account.clone()));
        }
    }

    fn source_changed(&mut self, change: &Change) {
        let values = |object: &Option<Stored>| object.as_ref().map(Stored::value);
        if let (Some(old), Some(new)) = (values(&change.old), values(&change.new))
            && ["/spec", "/status", "/metadata/generation", "/metadata/uid"]
                .iter()
                .all(|pointer| old.pointer(pointer) == new.pointer(pointer))
        {
            return;
        }
        for (source, key) in self.index.of_source(change) {
            self.hint(&key, Hint::Source(source));
        }
    }

    fn tenant_object_changed(&mut self, event: Event) {
        let Event {
            owners,
            hint,
            touched,
        } = event;
        // Metadata doesn't tell whether an object that moved is still ready: one read does, if its kind
        // is ready by more than its content.
        let may_be_unready = match &hint {
            Hint::Object { key, .. } => can_regress(key),
            _ => true,
        };
        for key in owners {
            if !self.entries.contains_key(&key) {
                continue;
            }
            self.remember(&key, hint.clone());
            if touched || may_be_unready || !self.report.is_ready(&key) {
                self.queue.wake_by(&key, Instant::now() + BURST);
            }
        }
    }

    /// A watch begins anew when it has lost its place. Who rests finds out with the next tick what it misses:
    /// after a restart of the API server all watches begin anew at once.
    fn tenant_objects_listed(&mut self, listing: &Listing) {
        for key in self.tenants.who_want(listing) {
            self.remember(&key, listing.hint());
            if !self.report.is_ready(&key) {
                self.queue.wake_by(&key, Instant::now() + BURST);
            }
        }
    }

    /// The same of ledgers. Nobody is woken for one that isn't there: most never had one.
    fn ledgers_listed(&mut self, namespace: Option<&str>, there: &BTreeSet<Key>) {
        let keys = self.entries.keys();
        let keys = keys.filter(|key| namespace.is_none_or(|scope| key.namespace == scope));
        let without: Vec<Key> = keys.filter(|key| !there.contains(*key)).cloned().collect();
        for key in without {
            let resource_version = None;
            self.remember(&key, Hint::Ledger { resource_version });
        }
    }

    /// Tells a StageSet something, at once.
    fn hint(&mut self, key: &Key, hint: Hint) {
        if self.entries.contains_key(key) {
            self.remember(key, hint);
            self.queue.wake(key);
        }
    }

    /// Keeps a hint for the next pass.
    fn remember(&mut self, key: &Key, hint: Hint) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        entry.wake.add(hint);
        if entry.wake.hints.len() > HINTS {
            entry.wake.hints.clear();
            entry.wake.refresh = true;
            entry.session = None;
        }
    }
}
