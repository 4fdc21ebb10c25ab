//! What the answers to needs and operations share.

use stageset_core::failure::{Fact, FailureClass};
use stageset_core::few::Few;
use stageset_core::identity::Identity;
use stageset_core::object::Reference;
use stageset_core::observation::{DryRun, Facts, Live, Settled};
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
