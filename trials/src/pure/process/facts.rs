//! What the answers to needs and operations share.

use stageset_core::failure::{Fact, FailureClass};
use stageset_core::few::Few;
use stageset_core::identity::Identity;
use stageset_core::names::ServiceAccountName;
use stageset_core::object::Reference;
use stageset_core::observation::{AccountState, DryRun, Facts, Live, Settled};
use stageset_core::time::Timestamp;

use super::super::server::Shelf;

pub(super) fn unserved(
    facts: &mut Facts,
    identity: &Identity,
    value: &DryRun,
    reference: &Reference,
) {
    if let DryRun::Refused(failure) = value
        && failure.class == FailureClass::UnknownKind
    {
        facts.kinds.remove(identity.target(), &reference.gvk());
    }
}

pub(super) fn settled(digest: &str, live: &Live, at: Timestamp) -> Settled {
    Settled {
        digest: digest.to_owned(),
        uid: live.uid.clone(),
        entry: live.entry.clone(),
        since: at,
    }
}

pub(super) fn observed(
    shelf: &Shelf,
) -> std::collections::BTreeMap<
    stageset_core::names::StageName,
    stageset_core::observation::StageInventory,
> {
    shelf
        .iter()
        .map(|(stage, (_, inventory))| (stage.clone(), inventory.clone()))
        .collect()
}

pub(super) fn in_a_row<T>(before: Option<&Fact<T>>, failed: bool) -> u32 {
    if failed {
        before.map_or(0, |fact| fact.failures).saturating_add(1)
    } else {
        0
    }
}

pub(super) fn fact<T>(value: T, at: Timestamp, before: Option<&Fact<T>>, failed: bool) -> Fact<T> {
    let failures = in_a_row(before, failed);
    Fact {
        value,
        at,
        failures,
    }
}

pub(super) fn put<K: Ord, T>(
    known: &mut Few<K, Fact<T>>,
    key: K,
    value: T,
    at: Timestamp,
    failed: bool,
) {
    let fact = fact(value, at, known.get(&key), failed);
    known.insert(key, fact);
}

/// A recreated account is another one: nothing that the former one saw answers it (A07).
pub(super) fn forget_former_account(
    facts: &mut Facts,
    name: &ServiceAccountName,
    state: &AccountState,
) {
    let before = facts.accounts.get(name).map(|fact| &fact.value);
    let same = match (before, state) {
        (Some(AccountState::Exists { uid: before }), AccountState::Exists { uid: now }) => {
            before == now
        }
        // In between it may have been another one.
        (Some(_), AccountState::Exists { .. }) | (_, AccountState::Absent) => false,
        (None, AccountState::Exists { .. }) | (_, AccountState::Unreadable(_)) => true,
    };
    if !same {
        facts
            .objects
            .retain(|identity, _, _| identity.local_account() != Some(name));
        facts.actions.forget_looks();
        facts
            .variables
            .retain(|(identity, _), _| identity.local_account() != Some(name));
        facts
            .reviews
            .retain(|identity| identity.local_account() != Some(name));
    }
}
