//! What news from watches drop from memory. A hint never decides: it makes the core ask again.

use serde_json::Value;
use stageset_api::field::field;
use stageset_core::failure::{Fact, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::object::ObjectKey;
use stageset_core::observation::{LiveState, ObjectFacts, Tracking};

use super::{Hint, Session};
use crate::stored::is_newer;

impl Session {
    pub(super) fn take(&mut self, hint: Hint) {
        match hint {
            Hint::Object {
                identity,
                key,
                entry,
                resource_version,
                deleted,
            } => {
                let seen = Seen {
                    entry,
                    resource_version,
                    deleted,
                };
                self.object_moved(identity.as_ref(), &key, &seen);
            }
            Hint::Listed {
                identity,
                group,
                kind,
                namespace,
                names,
            } => {
                for (known, key, facts) in self.facts.objects.iter_mut() {
                    let watched = *known == identity
                        && key.kind == kind
                        && key.group == group
                        && key.namespace == namespace;
                    if watched && !names.contains(key.name.as_str()) {
                        not_listed(facts);
                    }
                }
            }
            Hint::Source(source) => {
                self.facts.sources.remove(&source);
            }
            Hint::Dependency(stage_set) => {
                self.facts.dependencies.remove(&stage_set);
            }
            Hint::Account(name) => {
                // Made old rather than dropped: the former uid tells a recreated account (A07).
                if let Some(fact) = self.facts.accounts.get_mut(&name) {
                    fact.at = stageset_core::time::Timestamp::from_millis(i64::MIN);
                    fact.failures = 0;
                }
            }
            Hint::Inventories => self.facts.inventories = None,
            Hint::Ledger { resource_version } => {
                let known = self.known.as_ref().and_then(|known| known.ledger.as_ref());
                let known = known.and_then(|ledger| field(ledger, "/metadata/resourceVersion"));
                let stands = match (resource_version.as_deref(), known.and_then(Value::as_str)) {
                    (Some(seen), Some(known)) => !is_newer(seen, known),
                    _ => false,
                };
                if !stands {
                    self.facts.ledger = None;
                }
            }
        }
    }

    fn object_moved(&mut self, identity: Option<&Identity>, key: &ObjectKey, seen: &Seen) {
        match identity {
            Some(identity) => {
                if let Some(facts) = self.facts.objects.get_mut(identity, key) {
                    seen.apply_to(facts);
                }
            }
            None => {
                for (_, known, facts) in self.facts.objects.iter_mut() {
                    if known == key {
                        seen.apply_to(facts);
                    }
                }
            }
        }
    }
}

/// A watch that lost its place doesn't find an object. What it vouched for until then may have gone since, or
/// may be another's, and it would never tell: one read decides. What is polled is looked at anyway.
fn not_listed(facts: &mut ObjectFacts) {
    let there = |fact: &Fact<LiveState>| matches!(fact.value, LiveState::Present(_));
    if facts.tracking != Tracking::Polled && facts.live.as_ref().is_some_and(there) {
        facts.live = None;
    }
}

/// What an event showed.
struct Seen {
    entry: Option<String>,
    resource_version: String,
    deleted: bool,
}

impl Seen {
    fn apply_to(&self, facts: &mut ObjectFacts) {
        let Some(fact) = &facts.live else { return };
        // What is absent and moves is there; what a read didn't tell it may tell now. But no watch tells
        // that somebody may read what was denied to them: that is tried again in its own time.
        let LiveState::Present(live) = &fact.value else {
            let stands = match &fact.value {
                LiveState::Unreadable(failure) => failure.class == FailureClass::Denied,
                _ => self.deleted,
            };
            if !stands {
                facts.live = None;
            }
            return;
        };
        if !self.deleted && !is_newer(&self.resource_version, &live.resource_version) {
            // The watch stands where the read stood, or before: from here on it vouches.
            if facts.tracking == Tracking::Polled {
                facts.tracking = Tracking::Watched;
            }
            return;
        }
        if self.deleted || self.entry.as_deref() != live.entry.as_deref() {
            // Gone, or somebody changed what we own: one read decides (K18).
            facts.live = None;
        } else {
            facts.tracking = Tracking::Moved;
        }
    }
}

#[cfg(test)]
mod tests;
