//! The answers to needs, put among the facts as the driver's `gather` puts them.

use std::sync::Arc;

use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::observation::{
    AccessState, AccountState, BuildState, DependencyState, DryRun, KindState, LiveState,
    NamespaceState, RulesState, SourceState, VariableState,
};
use stageset_core::plan::Need;
use stageset_core::time::Timestamp;

use super::super::call::Answer;
use super::Process;
use super::facts::{fact, in_a_row, observed, put, settled, unserved};

impl Process {
    pub(super) fn gathered(&mut self, need: &Need, answer: Result<Answer, Failure>, at: Timestamp) {
        let failed = answer.is_err();
        let facts = &mut self.observation.facts;
        match need {
            Need::Account(name) => {
                let value = match answer {
                    Ok(Answer::Account(Some(uid))) => AccountState::Exists { uid },
                    Ok(_) => AccountState::Absent,
                    Err(failure) => AccountState::Unreadable(failure),
                };
                facts.forget_former(name, &value);
                put(&mut facts.accounts, name.clone(), value, at, failed);
            }
            Need::Namespace => {
                let value = match answer {
                    Ok(Answer::Namespace(true)) => NamespaceState::Terminating,
                    Ok(_) => NamespaceState::Active,
                    Err(failure) => NamespaceState::Unreadable(failure),
                };
                facts.namespace = Some(fact(value, at, facts.namespace.as_ref(), failed));
            }
            Need::Inventories => {
                let value = match answer {
                    Ok(Answer::Inventories(shelf)) => {
                        self.shelf = shelf;
                        Ok(observed(&self.shelf))
                    }
                    Ok(_) => Ok(std::collections::BTreeMap::new()),
                    Err(failure) => Err(failure),
                };
                facts.inventories = Some(fact(value, at, facts.inventories.as_ref(), failed));
            }
            Need::Source(source) => {
                let value = match answer {
                    Ok(Answer::Source(state)) => state,
                    Ok(_) => SourceState::Absent,
                    Err(failure) => SourceState::Unreadable(failure),
                };
                put(&mut facts.sources, source.clone(), value, at, failed);
            }
            Need::Kind { target, gvk } => {
                let value = match answer {
                    Ok(Answer::Kind(state)) => state,
                    Ok(_) => KindState::Unknown,
                    Err(failure) => KindState::Unreadable(failure),
                };
                let known = fact(value, at, facts.kinds.get(target, gvk), failed);
                facts.kinds.insert(target, gvk.clone(), known);
            }
            // `next_call` has said so.
            Need::Kubeconfig(_) => {}
            Need::Dependency(stage_set) => {
                let value = match answer {
                    Ok(Answer::Dependency(state)) => state,
                    Ok(_) => DependencyState::Absent,
                    Err(failure) => DependencyState::Unreadable(failure),
                };
                put(
                    &mut facts.dependencies,
                    stage_set.clone(),
                    value,
                    at,
                    failed,
                );
            }
            Need::Variables { identity, source } => {
                let value = match answer {
                    Ok(Answer::Variables(state)) => state,
                    Ok(_) => VariableState::Absent,
                    Err(failure) => VariableState::Unusable(failure),
                };
                let place = (identity.clone(), source.clone());
                put(&mut facts.variables, place, value, at, failed);
            }
            Need::Ledger => {
                let value = match answer {
                    Ok(Answer::Ledger(stored)) => {
                        self.ledger = stored.as_ref().map(|(version, _)| *version);
                        Ok(stored.map(|(_, ledger)| ledger))
                    }
                    Ok(_) => Ok(None),
                    Err(failure) => Err(failure),
                };
                facts.ledger = Some(fact(value, at, facts.ledger.as_ref(), failed));
            }
            Need::Rules {
                identity,
                namespace,
            } => {
                let value = match answer {
                    Ok(Answer::Rules(rules)) => RulesState::Known(Arc::new(rules)),
                    Ok(_) => return,
                    Err(failure) => RulesState::Unreadable(failure),
                };
                let known = fact(value, at, facts.reviews.rules(identity, namespace), failed);
                facts
                    .reviews
                    .insert_rules(identity, namespace.clone(), known);
            }
            Need::Access { identity, right } => {
                let value = match answer {
                    Ok(Answer::Access(allowed)) => AccessState::Answered(allowed),
                    Ok(_) => return,
                    Err(failure) => AccessState::Unreadable(failure),
                };
                let known = fact(value, at, facts.reviews.access(identity, right), failed);
                facts.reviews.insert_access(identity, right.clone(), known);
            }
            Need::Look {
                identity,
                object,
                question,
            } => {
                let value = match answer {
                    Ok(Answer::Looked(seen)) => seen,
                    Ok(_) => return,
                    Err(failure) => stageset_core::observation::Answer::Unreadable(failure),
                };
                let actions = &mut facts.actions;
                actions.looked(identity, &object.key, question, value, at);
            }
            Need::Labelled { identity, search } => {
                let value = match answer {
                    Ok(Answer::Labelled(list)) => Ok(list),
                    Ok(_) => return,
                    Err(failure) => Err(failure),
                };
                let place = (identity.clone(), search.clone());
                put(&mut facts.labelled, place, value, at, failed);
            }
            Need::Build { key, .. } => {
                let value = match answer {
                    Ok(Answer::Built(state)) => state,
                    Ok(_) => return,
                    Err(failure) => BuildState::Failed(failure),
                };
                let failed = matches!(value, BuildState::Failed(_));
                put(&mut facts.builds, key.clone(), value, at, failed);
            }
            Need::DryRun { identity, object } => {
                let value = match answer {
                    Ok(Answer::DryRun(state)) => state,
                    Ok(_) => return,
                    Err(failure) => DryRun::Refused(failure),
                };
                unserved(facts, identity, &value, &object.reference);
                let object_facts = facts.objects.entry(identity, &object.reference.key);
                let before = object_facts.dry_run.as_deref().map(|(_, fact)| fact);
                let failures = in_a_row(before, failed);
                match &value {
                    DryRun::Create => object_facts.live = Some(Fact::seen(LiveState::Absent, at)),
                    DryRun::Change { live, .. } | DryRun::Unchanged { live } => {
                        object_facts.live = Some(Fact::seen(LiveState::Present(live.clone()), at));
                    }
                    DryRun::Refused(_) => {}
                }
                if let DryRun::Unchanged { live } = &value {
                    object_facts.settled = Some(settled(&object.digest, live, at));
                }
                let fact = Fact {
                    value,
                    at,
                    failures,
                };
                object_facts.dry_run = Some(Box::new((object.digest.clone(), fact)));
                facts.objects.seen(identity, &object.reference.key);
            }
            Need::Read {
                identity, object, ..
            } => {
                let value = match answer {
                    Ok(Answer::Live(Some(live))) => LiveState::Present(live),
                    Ok(_) => LiveState::Absent,
                    Err(failure) => {
                        if failure.class == FailureClass::UnknownKind {
                            facts.kinds.remove(identity.target(), &object.gvk());
                        }
                        LiveState::Unreadable(failure)
                    }
                };
                let object_facts = facts.objects.entry(identity, &object.key);
                let live = fact(value, at, object_facts.live.as_ref(), failed);
                object_facts.live = Some(live);
                facts.objects.seen(identity, &object.key);
            }
        }
    }
}
