//! Objects of the tenant's world: tried, read, written, deleted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stageset_core::failure::FailureClass;
use stageset_core::identity::Identity;
use stageset_core::object::{Desired, ObjectKey, Reference};
use stageset_core::observation::{DryRun, Health, Live, Takeover};

use super::super::call::{Answer, Refusal};
use super::{Readiness, Server, Stored, Trace, tenant_trace};
use crate::event::Workload;
use crate::log::{Sight, What};
use crate::setup::{CLOSED, CONTENT, EXTRA, Feature};

impl Server {
    pub(super) fn dry_run(
        &mut self,
        identity: &Identity,
        object: &Arc<Desired>,
    ) -> (Result<Answer, Refusal>, Trace) {
        let key = &object.reference.key;
        let tried = self.try_apply(identity, object, None);
        let result = tried.and_then(|()| self.compared(identity, key)).map(|()| {
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
                            takeover: stored.legacy.then(|| Takeover {
                                from: vec!["kubectl apply".to_owned()],
                                managed_fields: Arc::default(),
                            }),
                        }
                    }
                }
            })
        });
        let what = What::DryRun(key.clone(), self.sight(key));
        let trace = tenant_trace(identity, what, &result, false);
        (result, trace)
    }

    /// What a dry run would leave is set beside what stands, and so the driver reads that too.
    fn compared(&self, identity: &Identity, key: &ObjectKey) -> Result<(), Refusal> {
        let stands = self.objects.contains_key(key);
        let refusal = stands.then(|| self.refused(identity, &["get"], key));
        refusal.flatten().map_or(Ok(()), Err)
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
        if let Some(fixed) = stored.and_then(|stored| stored.fixed.as_ref())
            && *fixed != said(object).0
        {
            return Err(Refusal::new(
                422,
                FailureClass::Immutable,
                "data: Forbidden: field is immutable when `immutable` is set",
            ));
        }
        if let Some(uid) = uid
            && stored.is_none_or(|stored| stored.uid != uid)
        {
            return Err(Refusal::new(409, FailureClass::Conflict, "uid mismatch"));
        }
        Ok(())
    }

    pub(super) fn get(
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

    pub(super) fn apply(
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

    /// The fields of a former manager become ours.
    pub(super) fn take_over(
        &mut self,
        identity: &Identity,
        object: &Desired,
        uid: &str,
        version: Option<u64>,
    ) -> (Result<Answer, Refusal>, Trace) {
        let key = &object.reference.key;
        let before = self.sight(key);
        let next = self.version + 1;
        let result = match self.refused(identity, &["patch"], key) {
            Some(refusal) => Err(refusal),
            None => match self.objects.get_mut(key) {
                None => Err(Refusal::new(
                    404,
                    FailureClass::Missing {
                        resource: object.reference.plural.clone(),
                        name: key.name.clone(),
                    },
                    "not found",
                )),
                Some(stored) if stored.uid != uid || version != Some(stored.version) => {
                    Err(Refusal::new(409, FailureClass::Conflict, "precondition"))
                }
                Some(stored) => {
                    stored.legacy = false;
                    stored.version = next;
                    Ok(Answer::Done)
                }
            },
        };
        let effect = result.is_ok();
        if effect {
            self.version = next;
        }
        let what = What::TakeOver(key.clone(), before, self.sight(key));
        let trace = tenant_trace(identity, what, &result, effect);
        (result, trace)
    }

    /// Another manager changes a field of ours.
    pub(in super::super) fn meddle(&mut self, key: &ObjectKey) {
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
        let (content, keep) = said(object);
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
        let immutable = key.kind == "Secret" && self.setup.has(Feature::Recreate);
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
            closed: false,
            deleting: None,
            held: false,
            legacy: false,
            fixed: immutable.then(|| content.clone()),
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

    pub(super) fn ready_in(&self, seconds: u64) -> Readiness {
        Readiness::At(self.now.plus(Duration::from_secs(seconds)))
    }

    pub(super) fn delete(
        &mut self,
        identity: &Identity,
        reference: &Reference,
        uid: &str,
        version: Option<u64>,
    ) -> (Result<Answer, Refusal>, Trace) {
        let key = &reference.key;
        let before = self.sight(key);
        let stood = self.objects.get(key).map(|stored| stored.version);
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
        let mut trace = tenant_trace(identity, what, &result, effect);
        trace.versions = stood.map(|stood| (version, stood));
        (result, trace)
    }

    /// Deletes an object, or marks it while a foreign finalizer holds it.
    pub(in super::super) fn remove(&mut self, key: &ObjectKey) {
        let (version, now) = (self.bump(), self.now);
        match self.objects.get_mut(key) {
            Some(stored) if stored.held => {
                stored.deleting.get_or_insert(now);
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

    pub(in super::super) fn remove_kind(&mut self, kind: &str) {
        // With a definition go its objects.
        self.objects
            .retain(|key, _| key.kind != kind && key.kind != "CustomResourceDefinition");
        self.unserved.insert(kind.to_owned());
    }

    pub(in super::super) fn remove_namespace(&mut self, name: &str) {
        if name == EXTRA {
            self.objects.retain(|key, _| {
                key.namespace.as_deref() != Some(name)
                    && !(key.kind == "Namespace" && key.name == name)
            });
            self.namespaces.remove(name);
        }
    }

    /// Foreign finalizers go; what waited for them is gone.
    pub(in super::super) fn release(&mut self) {
        let waiting: Vec<ObjectKey> = self
            .objects
            .iter_mut()
            .filter_map(|(key, stored)| {
                stored.held = false;
                stored.deleting.map(|_| key.clone())
            })
            .collect();
        for key in waiting {
            self.gone(&key);
        }
    }

    /// The object as a read shows it.
    pub(super) fn live(&self, stored: &Stored) -> Live {
        Live {
            uid: stored.uid.as_str().into(),
            resource_version: stored.version.to_string().into(),
            generation: 1,
            owner: stored.owner.clone().map(Arc::new),
            prune_disabled: stored.keep,
            deleting: stored.deleting.is_some(),
            deletion_timestamp: stored.deleting,
            finalizers: if stored.held {
                vec!["example.org/held".to_owned()]
            } else {
                Vec::new()
            },
            takes_claims_along: false,
            body: self.body(stored),
            entry: stored.entry.map(|entry| entry.to_string().into()),
            health: match stored.health {
                _ if stored.deleting.is_some() => Health::Terminating,
                Readiness::At(at) if self.now >= at => Health::Current,
                Readiness::Broken => Health::Failed("ProgressDeadlineExceeded".into()),
                Readiness::At(_) | Readiness::Never => {
                    Health::InProgress("0 of 1 replicas available".into())
                }
            },
        }
    }

    /// What expressions are asked about: as much of an object as those of the trials look at.
    fn body(&self, stored: &Stored) -> Option<Arc<Value>> {
        if !self.setup.has(Feature::Expressions) {
            return None;
        }
        let ready = matches!(stored.health, Readiness::At(at) if self.now >= at);
        let status = if ready {
            json!({ "availableReplicas": 1 })
        } else {
            json!({})
        };
        let mut annotations = json!({});
        if stored.closed {
            annotations[CLOSED] = "yes".into();
        }
        Some(Arc::new(json!({
            "metadata": { "annotations": annotations },
            "spec": { "replicas": 1 }, "status": status,
        })))
    }

    /// The object as checkers see it.
    pub(in super::super) fn sight(&self, key: &ObjectKey) -> Option<Sight> {
        let stored = self.objects.get(key)?;
        Some(Sight {
            uid: stored.uid.clone(),
            content: stored.content.clone(),
            owner: stored
                .owner
                .as_ref()
                .map(|owner| [&*owner.namespace, "/", &*owner.name].concat()),
            deleting: stored.deleting.is_some(),
            ready: !stored.closed && matches!(stored.health, Readiness::At(at) if self.now >= at),
            keep: stored.keep,
            legacy: stored.legacy,
        })
    }
}

thread_local! {
    /// By digest: taking a manifest apart takes longer than all the rest of a write.
    static SAID: RefCell<BTreeMap<String, (String, bool)>> = const { RefCell::new(BTreeMap::new()) };
}

/// What the annotations of an object say: its content, and whether it is to be kept.
fn said(object: &Desired) -> (String, bool) {
    SAID.with_borrow_mut(|known| {
        if let Some(said) = known.get(&object.digest) {
            return said.clone();
        }
        let manifest = object.body.value();
        let annotation = |name: &str| manifest["metadata"]["annotations"][name].as_str();
        let content = annotation(CONTENT).unwrap_or_default().to_owned();
        let said = (
            content,
            annotation("stages.metio.wtf/prune") == Some("disabled"),
        );
        known.insert(object.digest.clone(), said.clone());
        said
    })
}
