//! What becomes of the world when a plan acts.

use serde_json::Value;
use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::object::Owner;
use stageset_core::observation::{Correction, KindState, LiveState, Settled};
use stageset_core::plan::{ApplyReason, Operation, RecordOperation, TenantOperation};

use super::{NAMESPACE, Stored, World, failures_after};

impl World {
    pub(super) fn perform(&mut self, operation: &Operation) -> bool {
        let mut fault = self.request();
        if let Operation::Record(RecordOperation::Status(_) | RecordOperation::Action { .. }) =
            operation
            && self.shown.take().is_some()
        {
            fault = Some(Failure::new(FailureClass::Conflict, "a newer one stands"));
        }
        match operation {
            Operation::Record(operation) => {
                if let RecordOperation::Action { step, .. } = operation {
                    self.facts.actions.recording(step, self.now);
                }
                if let Some(failure) = fault {
                    let failures = failures_after(self.facts.record_failure.as_ref(), true);
                    self.facts.record_failure = Some(Fact {
                        value: failure,
                        at: self.now,
                        failures,
                    });
                    return false;
                }
                self.facts.record_failure = None;
                if !self.record_actions(operation) {
                    self.record(operation);
                }
                true
            }
            Operation::Tenant(operation) => {
                let (TenantOperation::Apply { identity, .. }
                | TenantOperation::TakeOver { identity, .. }
                | TenantOperation::Delete { identity, .. }
                | TenantOperation::Act { identity, .. }) = operation;
                self.at(identity.target(), |world| world.tenant(operation, fault))
            }
        }
    }

    pub(super) fn record(&mut self, operation: &RecordOperation) {
        self.note(operation.to_string(), None);
        match operation {
            RecordOperation::AddFinalizer => self.finalizer = true,
            RecordOperation::RemoveFinalizer => {
                self.finalizer = false;
                self.gone = true;
            }
            RecordOperation::Status(status) => {
                self.status = (**status).clone();
                let stages = self.status.stages.iter();
                let phases: Vec<String> = stages
                    .map(|stage| format!("{} {:?}", stage.name, stage.phase))
                    .collect();
                let phases = phases.join(", ");
                if self.phases.last() != Some(&phases) {
                    self.phases.push(phases);
                }
                self.facts.status_recorded = Some(self.now);
            }
            RecordOperation::Inventory {
                stage, inventory, ..
            } => {
                self.inventories.insert(stage.clone(), inventory.clone());
            }
            RecordOperation::ReleaseInventories => {
                // Whoever asked for their deletion meanwhile has it now.
                if self.namespace_terminating || self.foreground {
                    self.inventories.clear();
                    self.facts.inventories = None;
                }
            }
            RecordOperation::DropInventory { stage } => {
                self.inventories.remove(stage);
            }
            RecordOperation::Action { .. }
            | RecordOperation::CreateLedger
            | RecordOperation::Ledger { .. } => panic!("recorded in world/actions.rs"),
            RecordOperation::Announce(event) | RecordOperation::AnnounceOnLedger(event) => {
                self.events
                    .push((event.reason.clone(), event.message.clone()));
            }
        }
        self.facts.inventories_are(self.inventories.clone());
    }

    pub(super) fn tenant(&mut self, operation: &TenantOperation, fault: Option<Failure>) -> bool {
        let at = self.now;
        match operation {
            TenantOperation::Act {
                identity,
                attempt,
                deed,
            } => self.act(identity, attempt, deed, fault),
            TenantOperation::Apply {
                identity,
                object,
                uid,
                why,
            } => {
                let key = &object.reference.key;
                let recorded = self
                    .inventories
                    .values()
                    .any(|i| i.entries.contains_key(key));
                assert!(
                    recorded,
                    "D1: {key} is written before any inventory holds it"
                );
                let exists = self.objects.contains_key(key);
                let moved = uid.as_ref().is_some_and(|uid| {
                    self.objects
                        .get(key)
                        .is_none_or(|stored| stored.uid != *uid)
                });
                let refusal = self
                    .refuses(identity, "patch", key)
                    .or_else(|| {
                        (!exists)
                            .then(|| self.refuses(identity, "create", key))
                            .flatten()
                    })
                    .or_else(|| self.missing_namespace(key))
                    .or_else(|| {
                        moved.then(|| Failure::new(FailureClass::Conflict, "uid mismatch"))
                    });
                if let Some(failure) = fault.or(refusal) {
                    let facts = self.entry(identity, key);
                    let failures =
                        failures_after(facts.write_failure.as_deref().map(|(_, fact)| fact), true);
                    facts.write_failure = Some(Box::new((
                        object.digest.clone(),
                        Fact {
                            value: failure,
                            at,
                            failures,
                        },
                    )));
                    facts.dry_run = None;
                    facts.live = None;
                    return false;
                }
                self.note(operation.to_string(), Some(identity));
                self.uids += 1;
                let slow = self.slow.get(&key.kind).copied().unwrap_or_default();
                let prune_disabled = object
                    .body
                    .value()
                    .pointer("/metadata/annotations/stages.metio.wtf~1prune")
                    .is_some();
                let uids = self.uids;
                let ready_at = at.plus(slow);
                let fresh = || Stored {
                    prune_disabled,
                    ..Stored::foreign(&format!("uid-{uids}"), ready_at)
                };
                let stored = self.objects.entry(key.clone()).or_insert_with(fresh);
                stored.version += 1;
                stored.owner = Some(object.owner.clone());
                stored.stage = object.stage.to_string();
                stored.content.clone_from(&object.digest);
                stored.entry = format!("entry-{uids}");
                stored.ready_at = ready_at;
                if let Some(kind) = defined(&object.body.value()) {
                    self.kinds.insert(kind.0, kind.1);
                }
                let live = self.live(&self.objects[key]);
                let facts = self.entry(identity, key);
                facts.settled = Some(Settled {
                    digest: object.digest.clone(),
                    uid: live.uid.clone(),
                    entry: live.entry.clone(),
                    since: at,
                });
                facts.live = Some(Fact::seen(LiveState::Present(live), at));
                facts.write_failure = None;
                if let ApplyReason::Drift { fields, .. } = why {
                    let fields = fields.clone();
                    facts.corrected(Correction { at, fields });
                }
                let (target, gvk) = (identity.target(), object.reference.gvk());
                let known = self.facts.kinds.get(target, &gvk);
                if known.is_some_and(|fact| fact.value == KindState::Unknown) {
                    self.facts.kinds.remove(target, &gvk);
                }
                true
            }
            TenantOperation::TakeOver {
                identity, object, ..
            } => {
                let key = &object.reference.key;
                if let Some(failure) = fault.or(self.refuses(identity, "patch", key)) {
                    let failed = Fact {
                        value: failure,
                        at,
                        failures: 1,
                    };
                    let facts = self.entry(identity, key);
                    facts.write_failure = Some(Box::new((object.digest.clone(), failed)));
                    return false;
                }
                self.note(operation.to_string(), Some(identity));
                if let Some(stored) = self.objects.get_mut(key) {
                    stored.former.clear();
                }
                let facts = self.entry(identity, key);
                facts.live = None;
                facts.dry_run = None;
                true
            }
            TenantOperation::Delete {
                identity,
                object,
                uid,
                version,
                ..
            } => {
                let moved = self
                    .objects
                    .get(&object.key)
                    .is_some_and(|stored| stored.version.to_string() != *version);
                let refusal = self.refuses(identity, "delete", &object.key).or_else(|| {
                    moved.then(|| Failure::new(FailureClass::Conflict, "version mismatch"))
                });
                if let Some(failure) = fault.or(refusal) {
                    let facts = self.entry(identity, &object.key);
                    if failure.class == FailureClass::Conflict {
                        facts.live = None;
                    }
                    let failures =
                        failures_after(facts.write_failure.as_deref().map(|(_, fact)| fact), true);
                    facts.write_failure = Some(Box::new((
                        String::new(),
                        Fact {
                            value: failure,
                            at,
                            failures,
                        },
                    )));
                    return false;
                }
                self.note(operation.to_string(), Some(identity));
                if let Some(stored) = self.objects.get_mut(&object.key) {
                    let owner = Owner {
                        namespace: NAMESPACE.into(),
                        name: "shop".into(),
                    };
                    assert_eq!(stored.owner, Some(owner), "I8: {} isn't ours", object.key);
                    if stored.uid == *uid {
                        if self.sticky.contains(&object.key.name) {
                            stored.deleting = true;
                            stored.deleted_at = Some(at);
                        } else {
                            self.objects.remove(&object.key);
                        }
                    }
                }
                let facts = self.entry(identity, &object.key);
                facts.live = None;
                facts.dry_run = None;
                facts.settled = None;
                facts.write_failure = None;
                true
            }
        }
    }
}

/// The kind that a definition brings.
fn defined(body: &Value) -> Option<((String, String), (String, bool))> {
    if body["kind"] != "CustomResourceDefinition" {
        return None;
    }
    let text = |pointer: &str| body.pointer(pointer)?.as_str().map(str::to_owned);
    Some((
        (text("/spec/group")?, text("/spec/names/kind")?),
        (
            text("/spec/names/plural")?,
            text("/spec/scope")? == "Namespaced",
        ),
    ))
}
