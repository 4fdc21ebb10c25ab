//! What every pass needs first, asked for together: accounts, sources, inventories.

use std::collections::BTreeMap;

use stageset_api::reason::Reason;

use crate::failure::Failure;
use crate::identity::Identity;
use crate::names::{ServiceAccountName, StageName};
use crate::observation::{AccountState, Observation, StageInventory};
use crate::plan::Need;
use crate::spec::Spec;

use super::Stop;
use super::freshness::{Use, judge};
use super::inventories;
use super::report::{Report, Wait};
use super::sources::{self, Pins};

/// The ground that a pass stands on.
pub(super) struct Base<'a> {
    /// The pinned artifact of each stage's source (K07).
    pub pins: Pins,
    /// What each stage is answerable for, as recorded.
    pub inventories: &'a BTreeMap<StageName, StageInventory>,
}

/// Gathers accounts, sources and inventories; missing ones are asked for in one go.
pub(super) fn gather<'a>(
    observation: &'a Observation,
    spec: &Spec,
    identities: &[Identity],
) -> Result<Base<'a>, Stop> {
    let mut needs = Vec::new();
    let accounts = accounts(observation, identities, &mut needs);
    let pins = sources::pin(observation, spec, &mut needs);
    let inventories = inventories::read(observation, &mut needs);
    // A refusal that is already certain isn't held up by facts that are still missing.
    accounts?;
    if !needs.is_empty() {
        return Err(Stop::Ask(needs));
    }
    let pins = pins?;
    let inventories = inventories?;
    Ok(Base { pins, inventories })
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
