//! What every pass needs first, asked for together: accounts, dependencies, sources, inventories.

use std::collections::BTreeMap;

use stageset_api::reason::Reason;

use crate::failure::Failure;
use crate::identity::{Identity, Target};
use crate::names::{ServiceAccountName, StageName};
use crate::observation::{AccountState, Observation, StageInventory};
use crate::plan::Need;
use crate::spec::Spec;

use super::Stop;
use super::dependencies;
use super::freshness::{Use, judge};
use super::inventories;
use super::release::run_of;
use super::report::{Report, Wait};
use super::sources::{self, Pins};

/// The ground that a pass stands on.
pub(super) struct Base<'a> {
    /// The pinned artifact of each stage's source (K07).
    pub pins: Pins<'a>,
    /// What each stage is answerable for, as recorded.
    pub inventories: &'a BTreeMap<StageName, StageInventory>,
}

/// Gathers all of it; what is missing is asked for in one go. Beside it comes what keeps new content
/// back, if anything: dependencies that aren't ready.
pub(super) fn gather<'a>(
    observation: &'a Observation,
    spec: &'a Spec,
    target: &Target,
    identities: &[Identity],
) -> Result<(Base<'a>, Option<Box<Report>>), Stop> {
    let mut needs = Vec::new();
    let accounts = accounts(observation, identities, &mut needs);
    let circle = dependencies::no_circle(observation, spec, &mut needs);
    let pins = sources::pin(observation, spec, &mut needs);
    let inventories = inventories::read(observation, &mut needs);
    // A refusal that is already certain isn't held up by facts that are still missing.
    accounts?;
    circle?;
    if !needs.is_empty() {
        return Err(Stop::Ask(needs));
    }
    let gate = dependencies::unmet(observation, spec, pins.as_ref().ok())?;
    let begun = |pins: &Pins<'_>| {
        let run = run_of(spec, target, pins);
        let stages = &observation.stage_set.status.stages;
        // A run with patches or variables has a longer name.
        let began = |recorded: &String| recorded.starts_with(&run);
        stages
            .iter()
            .any(|stage| stage.run.as_ref().is_some_and(began))
    };
    let gate = match gate {
        // Nothing stands yet that would have to be looked after.
        Some(report) if !pins.as_ref().is_ok_and(begun) => return Err(Stop::Report(report)),
        gate => gate,
    };
    let pins = pins?;
    let inventories = inventories?;
    Ok((Base { pins, inventories }, gate))
}

/// The accounts must exist, as far as they are local: the API server would impersonate an absent one
/// too (K02).
pub(super) fn accounts(
    observation: &Observation,
    identities: &[Identity],
    needs: &mut Vec<Need>,
) -> Result<(), Stop> {
    for account in identities.iter().filter_map(Identity::local_account) {
        match judge(
            observation,
            observation.facts.accounts.get(account),
            unreadable,
        ) {
            Use::Ask => needs.push(Need::Account(account.clone())),
            Use::Rely(AccountState::Absent) => {
                let fact_at = observation.facts.accounts.get(account).map(|fact| fact.at);
                let retry =
                    fact_at.map_or(observation.now, |at| at.plus(super::report::DENIED_RETRY));
                if observation.now >= retry {
                    needs.push(Need::Account(account.clone()));
                } else {
                    return Err(absent(observation, account, retry).into());
                }
            }
            Use::Rely(_) => {}
            Use::Wait(failure, until) => {
                return Err(Report::failed(
                    observation,
                    Reason::RBACDenied,
                    format!("ServiceAccount {account} can't be read: {failure}"),
                    Wait::Until(until),
                )
                .into());
            }
        }
    }
    Ok(())
}

fn unreadable(state: &AccountState) -> Option<&Failure> {
    match state {
        AccountState::Unreadable(failure) => Some(failure),
        AccountState::Exists { .. } | AccountState::Absent => None,
    }
}

fn absent(
    observation: &Observation,
    account: &ServiceAccountName,
    until: crate::time::Timestamp,
) -> Report {
    let namespace = &observation.stage_set.namespace;
    Report::failed(
        observation,
        Reason::RBACDenied,
        format!(
            "ServiceAccount {namespace}/{account} doesn't exist: create it (and bind it to what \
             the release needs), or name another in serviceAccountName"
        ),
        Wait::Until(until),
    )
}
