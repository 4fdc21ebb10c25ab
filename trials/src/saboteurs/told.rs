//! Bugs in what the core is told.

use std::sync::Arc;
use std::time::Duration;

use stageset_core::failure::Fact;
use stageset_core::identity::Tenancy;
use stageset_core::object::Owner;
use stageset_core::observation::{
    AccountState, Attempt, DryRun, Health, Live, LiveState, ObjectFacts, Observation,
};
use stageset_core::plan::ActionStep;
use stageset_core::spec::{Actions, ConflictAnswer, Spec};
use stageset_core::time::Timestamp;

use super::Saboteur;
use crate::setup::{NAME, NAMESPACE};

impl Saboteur {
    /// What the core would not see, or see wrongly.
    pub(super) fn bend_facts(self, observation: &mut Observation) {
        let config = |change: fn(&mut stageset_core::observation::Config),
                      observation: &mut Observation| {
            let mut config = (*observation.config).clone();
            change(&mut config);
            observation.config = Arc::new(config);
        };
        match self {
            Self::NoAccountMeansController => {
                config(|config| config.tenancy = Tenancy::Single, observation);
            }
            Self::RefuseSingleTenant => {
                config(|config| config.tenancy = Tenancy::Multi, observation);
            }
            Self::IgnoreAgain => observation.stage_set.reconcile_stage = None,
            Self::AlwaysAgain => {
                for stage in &mut observation.stage_set.status.stages {
                    stage.actions.handled = None;
                }
            }
            Self::IgnoreShard => config(|config| config.watch_namespaces.clear(), observation),
            Self::HurryTeardown => {
                config(
                    |config| config.max_teardown_wait = Duration::ZERO,
                    observation,
                );
            }
            Self::EndlessTeardown => config(
                |config| config.max_teardown_wait = Duration::from_secs(1 << 30),
                observation,
            ),
            Self::IgnoreDeletion => observation.stage_set.deletion_timestamp = None,
            Self::ForgetFinalizer => observation.stage_set.has_finalizer = true,
            Self::NeverRefresh => {
                observation.refresh_before = Timestamp::from_millis(i64::MIN / 2);
            }
            Self::RefreshAlways => observation.refresh_before = observation.now,
            Self::UnreadableAccountIsFine | Self::AbsentAccountIsFine => {
                for fact in observation.facts.accounts.values_mut() {
                    let bent = match &fact.value {
                        AccountState::Unreadable(_) => self == Self::UnreadableAccountIsFine,
                        AccountState::Absent => self == Self::AbsentAccountIsFine,
                        AccountState::Exists { .. } => false,
                    };
                    if bent {
                        fact.value = AccountState::Exists { uid: "any".into() };
                    }
                }
            }
            Self::UnreadableInventoriesAreEmpty => {
                if let Some(fact) = &mut observation.facts.inventories
                    && fact.value.is_err()
                {
                    fact.value = Ok(std::collections::BTreeMap::new());
                }
            }
            Self::NoWait => {
                bend_spec(observation, |spec| {
                    for stage in &mut spec.stages {
                        stage.disable_wait = true;
                    }
                });
            }
            Self::ForgetDone => {
                for stage in &mut observation.stage_set.status.stages {
                    stage.actions.executed.clear();
                }
            }
            Self::ForgetLedger => {
                if let Some(fact) = &mut observation.facts.ledger
                    && let Ok(Some(ledger)) = &mut fact.value
                {
                    ledger.completed.clear();
                }
            }
            Self::SendAgain => {
                for stage in &observation.stage_set.status.stages {
                    for started in &stage.actions.started {
                        let attempt = Attempt {
                            stage: stage.name.clone(),
                            phase: started.phase,
                            action: started.action.clone(),
                            key: started.key.clone(),
                            number: started.attempt,
                        };
                        let actions = &mut observation.facts.actions;
                        if actions.progress(&attempt).is_none() {
                            let since = started.since;
                            let takes_over = ActionStep::Resumes { attempt, since };
                            actions.recorded(&takes_over, 0, observation.now);
                        }
                    }
                }
            }
            Self::IgnoreNamedAccounts => {
                if observation.config.tenancy == Tenancy::Single {
                    bend_spec(observation, |spec| {
                        spec.service_account = None;
                        for stage in &mut spec.stages {
                            stage.service_account = None;
                        }
                    });
                }
            }
            Self::RecordedAccount => {
                let recorded = observation.facts.inventories.clone();
                let Some(Ok(recorded)) = recorded.map(|fact| fact.value) else {
                    return;
                };
                bend_spec(observation, |spec| {
                    for stage in &mut spec.stages {
                        let before = recorded.get(&stage.name);
                        if let Some(account) = before.and_then(|it| it.service_account.as_ref()) {
                            stage.service_account = Some(account.clone());
                        }
                    }
                });
            }
            Self::WriteKept => bend_spec(observation, |spec| {
                for stage in &mut spec.stages {
                    let rules = &mut stage.conflicts.rules;
                    rules.retain(|rule| rule.answer != ConflictAnswer::KeepExisting);
                }
            }),
            Self::IgnoreDependency => bend_spec(observation, |spec| spec.depends_on.clear()),
            Self::SkipActions | Self::SkipChecks | Self::SkipExpressions => {
                bend_spec(observation, |spec| {
                    for stage in &mut spec.stages {
                        match self {
                            Self::SkipActions => stage.actions = Actions::default(),
                            Self::SkipChecks => stage.checks.clear(),
                            _ => stage.expressions.clear(),
                        }
                    }
                });
            }
            _ => {
                let mut objects = std::mem::take(&mut observation.facts.objects);
                for (_, _, facts) in objects.iter_mut() {
                    self.bend_object(facts);
                }
                observation.facts.objects = objects;
            }
        }
    }

    fn bend_object(self, facts: &mut ObjectFacts) {
        match self {
            Self::HotRetry => {
                let long_ago = Timestamp::from_millis(0);
                if let Some((_, fact)) = facts.dry_run.as_deref_mut()
                    && matches!(fact.value, DryRun::Refused(_))
                {
                    fact.at = long_ago;
                }
                if let Some((_, fact)) = facts.write_failure.as_deref_mut() {
                    fact.at = long_ago;
                }
            }
            Self::UnreadableIsAbsent => {
                if let Some(fact) = &mut facts.live
                    && matches!(fact.value, LiveState::Unreadable(_))
                {
                    fact.value = LiveState::Absent;
                    fact.failures = 0;
                }
            }
            Self::IgnoreDrift => {
                let (Some(settled), Some(live)) = (&mut facts.settled, live(&mut facts.live))
                else {
                    return;
                };
                settled.entry.clone_from(&live.entry);
            }
            Self::WriteEveryTime => facts.settled = None,
            Self::SkipTakeover => {
                if let Some((_, fact)) = facts.dry_run.as_deref_mut()
                    && let DryRun::Change { takeover, .. } = &mut fact.value
                {
                    *takeover = None;
                }
            }
            _ => {
                if let Some(live) = live(&mut facts.live) {
                    self.bend_live(live);
                }
                if let Some((_, fact)) = facts.dry_run.as_deref_mut()
                    && let DryRun::Unchanged { live } | DryRun::Change { live, .. } =
                        &mut fact.value
                {
                    self.bend_live(live);
                }
            }
        }
    }

    fn bend_live(self, live: &mut Live) {
        match self {
            Self::StaleReadiness if matches!(live.health, Health::InProgress(_)) => {
                live.health = Health::Current;
            }
            Self::DeleteUnlabelled => {
                live.owner = Some(Arc::new(Owner {
                    namespace: NAMESPACE.into(),
                    name: NAME.into(),
                }));
            }
            Self::DeleteKept => live.prune_disabled = false,
            _ => {}
        }
    }
}

/// Another spec than the one that the user wrote.
fn bend_spec(observation: &mut Observation, bend: impl FnOnce(&mut Spec)) {
    if let Ok(spec) = &observation.stage_set.spec {
        let mut spec = (**spec).clone();
        bend(&mut spec);
        observation.stage_set.spec = Ok(Arc::new(spec));
    }
}

fn live(fact: &mut Option<Fact<LiveState>>) -> Option<&mut Live> {
    match &mut fact.as_mut()?.value {
        LiveState::Present(live) => Some(live),
        LiveState::Absent | LiveState::Unreadable(_) => None,
    }
}
