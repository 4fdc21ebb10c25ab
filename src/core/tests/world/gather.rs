//! What the world answers when a plan asks.

use std::sync::Arc;

use serde_json::{Value, json};
use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::object::{GroupVersionKind, ObjectKey};
use stageset_core::observation::{
    AccessState, AccountState, BuildState, DependencyState, DryRun, Health, KindState,
    KubeconfigState, Live, LiveState, NamespaceState, ObjectFacts, RulesState, Settled,
    SourceState, Takeover, Tracking, VariableState,
};
use stageset_core::plan::Need;
use stageset_core::rights::{Right, Rule, Rules};

use super::{Done, NAMESPACE, Stored, World, failures_after};

impl World {
    pub(super) fn gather(&mut self, need: &Need) {
        let at = self.now;
        let fault = self.request();
        match need {
            Need::Ledger | Need::Look { .. } => self.gather_for_actions(need, fault),
            Need::Account(name) => {
                let value = match fault {
                    Some(failure) => AccountState::Unreadable(failure),
                    None if self.accounts.contains(name.as_str()) => {
                        AccountState::Exists { uid: "acc".into() }
                    }
                    None => AccountState::Absent,
                };
                let failures = failures_after(
                    self.facts.accounts.get(name),
                    matches!(value, AccountState::Unreadable(_)),
                );
                self.facts.accounts.insert(
                    name.clone(),
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Need::Namespace => {
                let value = if self.namespace_terminating {
                    NamespaceState::Terminating
                } else {
                    NamespaceState::Active
                };
                self.facts.namespace = Some(Fact::seen(value, at));
            }
            Need::Inventories => {
                let failures = failures_after(self.facts.inventories.as_ref(), fault.is_some());
                let value = fault.map_or_else(|| Ok(self.inventories.clone()), Err);
                self.facts.inventories = Some(Fact {
                    value,
                    at,
                    failures,
                });
            }
            Need::Source(source) => {
                let value = match fault {
                    Some(failure) => SourceState::Unreadable(failure),
                    None => self
                        .sources
                        .get(&source.name)
                        .cloned()
                        .unwrap_or(SourceState::Absent),
                };
                let failures = failures_after(
                    self.facts.sources.get(source),
                    matches!(value, SourceState::Unreadable(_)),
                );
                self.facts.sources.insert(
                    source.clone(),
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Need::Dependency(stage_set) => {
                let known = self.dependencies.get(&stage_set.to_string()).cloned();
                let value = match fault {
                    Some(failure) => DependencyState::Unreadable(failure),
                    None => known.unwrap_or(DependencyState::Absent),
                };
                let failed = matches!(value, DependencyState::Unreadable(_));
                let failures = failures_after(self.facts.dependencies.get(stage_set), failed);
                let fact = Fact {
                    value,
                    at,
                    failures,
                };
                self.facts.dependencies.insert(stage_set.clone(), fact);
            }
            Need::Kubeconfig(reference) => {
                let found = self.kubeconfigs.get(reference.name.as_str()).cloned();
                let value = match fault {
                    Some(failure) => KubeconfigState::Unreadable(failure),
                    None => found.unwrap_or(KubeconfigState::Absent),
                };
                let failures = failures_after(
                    self.facts.kubeconfigs.get(reference),
                    matches!(value, KubeconfigState::Unreadable(_)),
                );
                self.facts.kubeconfigs.insert(
                    reference.clone(),
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Need::Kind { target, gvk } => {
                let value = match fault {
                    Some(failure) => KindState::Unreadable(failure),
                    None => self.kind(gvk),
                };
                let failures = failures_after(
                    self.facts.kinds.get(target, gvk),
                    matches!(value, KindState::Unreadable(_)),
                );
                self.facts.kinds.insert(
                    target,
                    gvk.clone(),
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Need::Rules {
                identity,
                namespace,
            } => {
                let unanswered = || Failure::new(FailureClass::UnknownKind, "no reviews here");
                let failure = fault.or_else(|| (!self.reviews).then(unanswered));
                let value = match failure {
                    Some(failure) => RulesState::Unreadable(failure),
                    None => RulesState::Known(Arc::new(self.rules_of(identity))),
                };
                let fact = Fact::seen(value, at);
                let reviews = &mut self.facts.reviews;
                reviews.insert_rules(identity, namespace.clone(), fact);
            }
            Need::Access { identity, right } => {
                let asked = (
                    identity.impersonated_user().unwrap_or_default(),
                    right.resource.clone(),
                    right.namespace.clone().unwrap_or_default(),
                );
                let value = match fault {
                    Some(failure) => AccessState::Unreadable(failure),
                    None => AccessState::Answered(
                        self.readable.contains(&asked) || self.may(identity, right),
                    ),
                };
                let fact = Fact::seen(value, at);
                let reviews = &mut self.facts.reviews;
                reviews.insert_access(identity, right.clone(), fact);
            }
            Need::Build { key, overlay, .. } => {
                self.overlays.push((**overlay).clone());
                let found = self
                    .artifacts
                    .get(&(key.digest.clone(), key.path.clone()))
                    .cloned();
                let value = match (fault, found) {
                    (Some(failure), _) | (None, Some(Err(failure))) => BuildState::Failed(failure),
                    (None, Some(Ok(objects))) => BuildState::built(objects),
                    (None, None) => BuildState::Failed(Failure::new(
                        FailureClass::Terminal,
                        "no such path in the artifact",
                    )),
                };
                let failures = failures_after(
                    self.facts.builds.get(key),
                    matches!(value, BuildState::Failed(_)),
                );
                self.facts.builds.insert(
                    key.clone(),
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Need::Variables { identity, source } => {
                let user = identity.impersonated_user().unwrap_or_default();
                let kind = source.kind.as_str().to_owned();
                self.done.push(Done {
                    at,
                    what: format!("read {source}"),
                    identity: identity.impersonated_user(),
                });
                let value = if self.denied.contains(&(user, "get".into(), kind)) {
                    VariableState::Unusable(Failure::new(
                        FailureClass::Denied,
                        format!("may not get {source}"),
                    ))
                } else if let Some(failure) = fault {
                    VariableState::Unusable(failure)
                } else {
                    let found = self.variables.get(&source.to_string()).cloned();
                    found.unwrap_or(VariableState::Absent)
                };
                let key = (identity.clone(), source.clone());
                let failures = failures_after(
                    self.facts.variables.get(&key),
                    matches!(value, VariableState::Unusable(_)),
                );
                self.facts.variables.insert(
                    key,
                    Fact {
                        value,
                        at,
                        failures,
                    },
                );
            }
            Need::DryRun { identity, object } => {
                let key = &object.reference.key;
                let exists = self.objects.contains_key(key);
                let refusal = self
                    .refuses(identity, "patch", key)
                    .or_else(|| {
                        (!exists)
                            .then(|| self.refuses(identity, "create", key))
                            .flatten()
                    })
                    .or_else(|| self.missing_namespace(key))
                    .or_else(|| self.unknown(key));
                let value = match fault.or(refusal) {
                    Some(failure) => DryRun::Refused(failure),
                    None => match self.objects.get(key) {
                        None => DryRun::Create,
                        Some(stored) => {
                            let live = self.live(stored);
                            if stored.content == object.digest
                                && stored.owner.as_ref() == Some(&object.owner)
                            {
                                DryRun::Unchanged { live }
                            } else if self.immutable.contains(&key.kind) {
                                let said = "spec: Invalid value: field is immutable";
                                DryRun::Refused(Failure::new(FailureClass::Immutable, said))
                            } else {
                                DryRun::Change {
                                    fields: vec!["spec".into()],
                                    by: self.writer.clone(),
                                    takeover: (!stored.former.is_empty()).then(|| Takeover {
                                        from: stored.former.clone(),
                                        managed_fields: Value::Null.into(),
                                    }),
                                    live,
                                }
                            }
                        }
                    },
                };
                let facts = self.entry(identity, key);
                let failures = failures_after(
                    facts.dry_run.as_deref().map(|(_, fact)| fact),
                    matches!(value, DryRun::Refused(_)),
                );
                match &value {
                    DryRun::Refused(Failure {
                        class: FailureClass::Immutable,
                        ..
                    }) => facts.live = None,
                    DryRun::Unchanged { live } => {
                        facts.live = Some(Fact::seen(LiveState::Present(live.clone()), at));
                        facts.settled = Some(Settled {
                            digest: object.digest.clone(),
                            uid: live.uid.clone(),
                            entry: live.entry.clone(),
                            since: at,
                        });
                    }
                    DryRun::Change { live, .. } => {
                        facts.live = Some(Fact::seen(LiveState::Present(live.clone()), at));
                    }
                    DryRun::Create => facts.live = Some(Fact::seen(LiveState::Absent, at)),
                    DryRun::Refused(_) => {}
                }
                let fact = Fact {
                    value,
                    at,
                    failures,
                };
                facts.dry_run = Some(Box::new((object.digest.clone(), fact)));
            }
            Need::Labelled { identity, search } => {
                let asked = (identity.clone(), search.clone());
                let matches = |key: &ObjectKey, stored: &Stored| {
                    key.kind == search.kind
                        && key.namespace == search.namespace
                        && stored.stage == search.stage.as_str()
                        && stored
                            .owner
                            .as_ref()
                            .is_some_and(|owner| owner.name == "shop")
                };
                let user = identity.impersonated_user().unwrap_or_default();
                let denied = self
                    .denied
                    .contains(&(user, "list".into(), search.kind.clone()));
                let refusal = denied.then(|| Failure::new(FailureClass::Denied, "cannot list"));
                let found = self
                    .objects
                    .iter()
                    .filter(|(key, stored)| matches(key, stored));
                let value = match fault.or(refusal) {
                    Some(failure) => Err(failure),
                    None => Ok(found.map(|(key, o)| (key.clone(), o.uid.clone())).collect()),
                };
                let failures = failures_after(self.facts.labelled.get(&asked), value.is_err());
                let fact = Fact {
                    value,
                    at,
                    failures,
                };
                self.facts.labelled.insert(asked, fact);
            }
            Need::Read {
                identity, object, ..
            } => {
                let refusal = self.refuses(identity, "get", &object.key);
                let value = match fault.or(refusal) {
                    Some(failure) => LiveState::Unreadable(failure),
                    None => match self.objects.get(&object.key) {
                        Some(stored) => LiveState::Present(self.live(stored)),
                        None => LiveState::Absent,
                    },
                };
                let facts = self.entry(identity, &object.key);
                let failures = failures_after(
                    facts.live.as_ref(),
                    matches!(value, LiveState::Unreadable(_)),
                );
                facts.tracking = Tracking::Polled;
                facts.live = Some(Fact {
                    value,
                    at,
                    failures,
                });
            }
        }
    }

    pub(super) fn entry(&mut self, identity: &Identity, key: &ObjectKey) -> &mut ObjectFacts {
        self.facts.objects.entry(identity, key)
    }

    /// Everything but what is denied: RBAC has no denials, so the rest is listed.
    pub(super) fn rules_of(&self, identity: &Identity) -> Rules {
        let user = identity.impersonated_user().unwrap_or_default();
        let mut rules = Vec::new();
        for ((group, kind), (plural, _)) in &self.kinds {
            for verb in ["create", "delete", "get", "patch"] {
                let denied = (user.clone(), verb.to_owned(), kind.clone());
                if !self.denied.contains(&denied) {
                    rules.push(Rule {
                        verbs: vec![verb.into()],
                        groups: vec![group.clone()],
                        resources: vec![plural.clone()],
                        names: Vec::new(),
                    });
                }
            }
        }
        if self.unlisted {
            rules.retain(|rule| rule.resources == ["deployments"]);
        }
        Rules {
            rules,
            complete: !self.unlisted,
        }
    }

    /// What an authorizer that lists no rules says.
    fn may(&self, identity: &Identity, right: &Right) -> bool {
        let user = identity.impersonated_user().unwrap_or_default();
        let kinds = self.kinds.iter();
        let mut kinds = kinds.filter(|(_, (plural, _))| *plural == right.resource);
        let denied = |kind: &String| {
            let asked = (user.clone(), right.verb.as_str().to_owned(), kind.clone());
            self.denied.contains(&asked)
        };
        self.unlisted && kinds.any(|((_, kind), _)| !denied(kind))
    }

    pub(super) fn kind(&self, gvk: &GroupVersionKind) -> KindState {
        let known = self.kinds.get(&(gvk.group.clone(), gvk.kind.clone()));
        match known.filter(|_| !self.retired.contains(&gvk.version)) {
            Some((plural, namespaced)) => KindState::Served {
                plural: plural.clone(),
                namespaced: *namespaced,
            },
            None => KindState::Unknown,
        }
    }

    pub(super) fn unknown(&self, key: &ObjectKey) -> Option<Failure> {
        (!self
            .kinds
            .contains_key(&(key.group.clone(), key.kind.clone())))
        .then(|| Failure::new(FailureClass::UnknownKind, "no such kind"))
    }

    pub(super) fn missing_namespace(&self, key: &ObjectKey) -> Option<Failure> {
        let namespace = key.namespace.as_deref()?;
        (namespace != NAMESPACE && self.object("Namespace", namespace).is_none()).then(|| {
            Failure::new(
                FailureClass::Missing {
                    resource: "namespaces".into(),
                    name: namespace.into(),
                },
                format!("namespaces {namespace:?} not found"),
            )
        })
    }

    pub(super) fn live(&self, stored: &Stored) -> Live {
        Live {
            uid: stored.uid.as_str().into(),
            resource_version: stored.version.to_string().into(),
            generation: 1,
            owner: stored.owner.clone().map(Arc::new),
            prune_disabled: stored.prune_disabled,
            deleting: stored.deleting,
            deletion_timestamp: stored.deleted_at,
            finalizers: stored
                .deleting
                .then(|| "example.org/held".to_owned())
                .into_iter()
                .collect(),
            takes_claims_along: stored.takes_claims_along,
            entry: Some(stored.entry.as_str().into()),
            body: Some(Arc::new(json!({
                "spec": { "content": stored.content }, "status": stored.status,
            }))),
            health: if stored.deleting {
                Health::Terminating
            } else if self.now >= stored.ready_at {
                Health::Current
            } else {
                Health::InProgress(
                    self.chatter
                        .clone()
                        .unwrap_or_else(|| "0 of 1 replicas available".into()),
                )
            },
        }
    }
}
