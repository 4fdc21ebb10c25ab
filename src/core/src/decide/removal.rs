//! The end of one recorded object: may it be deleted, is it gone, or is it no longer ours?

use std::borrow::Cow;
use std::time::Duration;

use crate::failure::{Failure, FailureClass};
use crate::identity::Identity;
use crate::names::StageName;
use crate::object::{GroupVersionKind, ObjectKey, Owner, Reference};
use crate::observation::{
    InventoryEntry, KindState, Live, LiveState, ObjectFacts, Observation, Tracking,
};
use crate::plan::{DeleteReason, Need, Operation, Purpose, TenantOperation};
use crate::time::Timestamp;

use super::freshness::{poll_at, retry_at};

/// A deletion is decided on nothing older than this.
const LOOK: Duration = Duration::from_secs(10);
/// So often in a row a deletion that met a changed object is tried again at once.
const HURRIES: u32 = 3;

/// What becomes of a recorded object.
pub(super) enum Fate<'a> {
    /// It is gone: seen to be absent.
    Gone,
    /// It is no longer ours to delete; its entry goes, the object stays.
    Left(Left),
    /// Something must be seen first.
    Ask(Need),
    /// Delete it.
    Delete(Box<(Operation, Reference)>),
    /// Its deletion was accepted; look again then.
    Going(Timestamp),
    /// Not possible now.
    Blocked(Cow<'a, Failure>, Timestamp),
}

/// Why a recorded object stays in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Its labels name another owner, or none.
    Released,
    /// `stages.metio.wtf/prune: disabled`.
    Kept,
    /// The recorded object is gone; another one has its name (K23).
    Replaced,
}

/// Whose deletion, of what, and why.
pub(super) struct Removal<'a> {
    pub observation: &'a Observation,
    pub identity: &'a Identity,
    pub stage: &'a StageName,
    pub key: &'a ObjectKey,
    pub entry: &'a InventoryEntry,
    pub why: DeleteReason,
}

impl<'a> Removal<'a> {
    /// Decides. Deleting takes all of: recorded in our inventory, our ownership labels on the live
    /// object, the recorded uid, no annotation that forbids it, and the tenant's own right (I8, A13).
    pub(super) fn fate(&self) -> Fate<'a> {
        if !self
            .observation
            .config
            .works_in(self.identity.target(), self.key.namespace.as_deref())
        {
            return self.out_of_bounds();
        }
        let reference = match reference_of(self.observation, self.identity, self.key, self.entry) {
            Ok(reference) => reference,
            Err(fate) => return fate,
        };
        let facts = self.observation.facts.objects.get(self.identity, self.key);
        let Some((facts, seen)) = facts.and_then(|facts| Some((facts, facts.live.as_ref()?)))
        else {
            return self.read(reference);
        };
        let now = self.observation.now;
        match &seen.value {
            LiveState::Unreadable(failure) => {
                let until = retry_at(seen.at, failure, seen.failures);
                if now >= until {
                    self.read(reference)
                } else {
                    Fate::Blocked(Cow::Borrowed(failure), until)
                }
            }
            LiveState::Present(live) if live.deleting => {
                // Somebody's finalizer may hold it for long.
                let due = poll_at(seen.at, live.deletion_timestamp.unwrap_or(seen.at));
                match facts.tracking {
                    Tracking::Moved => self.read(reference),
                    Tracking::Polled if now >= due => self.read(reference),
                    Tracking::Polled => Fate::Going(due),
                    Tracking::Watched => Fate::Going(now.plus(Duration::from_secs(60))),
                }
            }
            LiveState::Absent | LiveState::Present(_)
                if now.since(seen.at) > LOOK || recorded_since(self.observation, seen.at) =>
            {
                self.after_failure(facts)
                    .unwrap_or_else(|| self.read(reference))
            }
            LiveState::Absent => Fate::Gone,
            LiveState::Present(live) => self.present(facts, live, reference),
        }
    }

    /// Neither touched nor forgotten: the list of namespaces was shortened under it (A14).
    fn out_of_bounds(&self) -> Fate<'a> {
        let failure = Failure::new(
            FailureClass::Denied,
            "it is outside of the namespaces that this controller works in (--watch-namespaces): \
             add its namespace to the list, or delete the object and its entry in the inventory",
        );
        Fate::Blocked(
            Cow::Owned(failure),
            self.observation.now.plus(Duration::from_secs(60)),
        )
    }

    fn present(&self, facts: &'a ObjectFacts, live: &Live, reference: Reference) -> Fate<'a> {
        let stage_set = &self.observation.stage_set;
        let ours = live
            .owner
            .as_deref()
            .is_some_and(|Owner { namespace, name }| {
                namespace == stage_set.namespace.as_str() && *name == stage_set.name
            });
        if !ours {
            return Fate::Left(Left::Released);
        }
        if live.prune_disabled {
            return Fate::Left(Left::Kept);
        }
        if self
            .entry
            .uid
            .as_ref()
            .is_some_and(|uid| **uid != *live.uid)
        {
            return Fate::Left(Left::Replaced);
        }
        if let Some(blocked) = self.after_failure(facts) {
            return blocked;
        }
        let delete = Operation::Tenant(TenantOperation::Delete {
            identity: self.identity.clone(),
            object: reference.clone(),
            uid: live.uid.to_string(),
            version: live.resource_version.to_string(),
            stage: self.stage.clone(),
            why: self.why,
        });
        Fate::Delete(Box::new((delete, reference)))
    }

    fn after_failure(&self, facts: &'a ObjectFacts) -> Option<Fate<'a>> {
        let (failure, until) = waits_to_delete(facts, self.observation.now)?;
        Some(Fate::Blocked(Cow::Borrowed(failure), until))
    }

    fn read(&self, object: Reference) -> Fate<'a> {
        Fate::Ask(Need::Read {
            identity: self.identity.clone(),
            object,
            purpose: if self.why == DeleteReason::Teardown {
                Purpose::Gone
            } else {
                Purpose::Prune
            },
        })
    }
}

/// A delete that failed is tried again only after its pause: what failed, and until when.
pub(super) fn waits_to_delete(
    facts: &ObjectFacts,
    now: Timestamp,
) -> Option<(&Failure, Timestamp)> {
    let (digest, fact) = facts.write_failure.as_deref()?;
    let until = retry_at(fact.at, &fact.value, fact.failures);
    // A conflict means that the object isn't as we saw it: look again rather than wait, unless it
    // changes faster than we can look.
    let hurry = fact.value.class == FailureClass::Conflict && fact.failures <= HURRIES;
    let waits = digest.is_empty() && !hurry && now < until;
    waits.then_some((&fact.value, until))
}

/// Whether the inventories are known as they were after this was seen: another replica may have made
/// the object anew and recorded that in between, so that what was seen speaks of the one before.
pub(super) fn recorded_since(observation: &Observation, seen: Timestamp) -> bool {
    let inventories = observation.facts.inventories.as_ref();
    inventories.is_some_and(|fact| fact.at > seen)
}

/// How a recorded object is reached at the identity's cluster; or what has to be known first, or that
/// no object of its kind is there.
#[expect(
    clippy::result_large_err,
    reason = "the error is the answer, moved once"
)]
pub(super) fn reference_of<'a>(
    observation: &'a Observation,
    identity: &Identity,
    key: &ObjectKey,
    entry: &InventoryEntry,
) -> Result<Reference, Fate<'a>> {
    let target = identity.target();
    let gvk = GroupVersionKind {
        group: key.group.clone(),
        version: entry.version.clone(),
        kind: key.kind.clone(),
    };
    let ask = |gvk| {
        Err(Fate::Ask(Need::Kind {
            target: target.clone(),
            gvk,
        }))
    };
    let Some(fact) = observation.facts.kinds.get(target, &gvk) else {
        return ask(gvk);
    };
    let (version, plural) = match &fact.value {
        KindState::Served { plural, .. } => (gvk.version, plural),
        KindState::OtherVersion {
            version, plural, ..
        } => (version.clone(), plural),
        // Without its kind no object of it exists.
        KindState::Unknown
            if fact.at >= observation.refresh_before && !recorded_since(observation, fact.at) =>
        {
            return Err(Fate::Gone);
        }
        KindState::Unknown => return ask(gvk),
        KindState::Unreadable(failure) => {
            let until = retry_at(fact.at, failure, fact.failures);
            return if observation.now >= until {
                ask(gvk)
            } else {
                Err(Fate::Blocked(Cow::Borrowed(failure), until))
            };
        }
    };
    Ok(Reference {
        key: key.clone(),
        version,
        plural: plural.clone(),
    })
}
