//! What the watches' stores tell between turns, at no request: a newer StageSet, news of its
//! sources, and which objects are still watched.

use stageset_api::field::field;
use stageset_api::names::{API_VERSION, KIND_STAGE_SET};
use stageset_core::failure::Fact;
use stageset_core::object::GroupVersionKind;
use stageset_core::observation::Tracking;

use super::Session;
use crate::gather::{watched_dependency, watched_source};
use crate::perform::{Known, Told};
use crate::ports::{Ports, Watched};
use crate::records::inventory::Inventories;
use crate::records::stage_set;
use crate::stored::Stored;

const DELETION: &str = "/metadata/deletionTimestamp";
/// What asks for another decision. Our own status writes don't.
const DECIDES: [&str; 3] = ["/metadata/generation", DELETION, "/metadata/annotations"];

#[derive(PartialEq, Eq)]
pub(super) enum Look {
    Same,
    /// What decisions rest on has changed.
    News,
    /// The StageSet is gone.
    Gone,
}

impl Session {
    /// Takes over a StageSet object if it is newer than the one known.
    pub(super) fn adopt(&mut self, object: Stored) -> bool {
        match &mut self.known {
            None => {
                self.known = Some(Known {
                    object,
                    inventories: Inventories::default(),
                    ledger: None,
                    told: Told::default(),
                });
            }
            Some(known) if stage_set::supersedes(&object, &known.object) => known.object = object,
            Some(_) => return false,
        }
        self.read = None;
        true
    }

    /// Looks into the watches' stores, which costs no request.
    pub(super) fn look(&mut self, ports: &Ports) -> Look {
        let mut news = false;
        let kind = GroupVersionKind::from_manifest(API_VERSION, KIND_STAGE_SET);
        match ports
            .watched
            .get(&kind, &self.key.namespace, &self.key.name)
        {
            Watched::Synced(None) => return Look::Gone,
            Watched::Synced(Some(object)) => {
                let known = self.known.as_ref().map(|known| &known.object);
                if known.is_some_and(|known| known.uid() != object.uid()) {
                    // Another StageSet of the same name: nothing that was seen for the first holds.
                    *self = Self::new(self.key.clone());
                    self.adopt(object);
                    return Look::News;
                }
                // A watch that is behind what was read or written tells nothing; going by it, every look
                // would find the same news.
                if known.is_none_or(|known| stage_set::supersedes(&object, known)) {
                    news |= known.is_none_or(|known| differs(known, &object, &DECIDES));
                    self.adopt(object);
                }
            }
            Watched::NotWatched => {}
        }
        if let Some(known) = &self.known
            && self.facts.inventories.is_some()
            && let Some(watched) = ports.watched.inventories(&self.key)
            && known.inventories.misses(&watched)
        {
            self.facts.inventories = None;
            news = true;
        }
        let now = ports.clock.now();
        for (source, fact) in &mut self.facts.sources {
            // Foreign sources are told of only by the function that hides their faults.
            if source.namespace.as_str() != self.key.namespace {
                continue;
            }
            if let Some(state) = watched_source(ports, source)
                && state != fact.value
            {
                *fact = Fact::seen(state, now);
                news = true;
            }
        }
        for (stage_set, fact) in &mut self.facts.dependencies {
            if let Some(state) = watched_dependency(ports, stage_set)
                && state != fact.value
            {
                *fact = Fact::seen(state, now);
                news = true;
            }
        }
        if news { Look::News } else { Look::Same }
    }

    /// Whether watches cover objects can change at any time; that one is stale never does harm, but
    /// a watch that has ended must not vouch for anything.
    pub(super) fn renew_tracking(&mut self, ports: &Ports) {
        let references = &self.references;
        for (identity, key, facts) in self.facts.objects.iter_mut() {
            let version = references.version(identity, key);
            let covered =
                version.is_some_and(|version| ports.watched.covers(identity, key, version));
            if !covered {
                facts.tracking = Tracking::Polled;
            }
        }
    }
}

/// Whether the two differ in one of these fields.
fn differs(known: &Stored, object: &Stored, fields: &[&str]) -> bool {
    let (known, object) = (known.value(), object.value());
    let mut fields = fields.iter();
    fields.any(|path| field(&known, path) != field(&object, path))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shown(version: &str, change: impl FnOnce(&mut Value)) -> Stored {
        let mut object = json!({
            "metadata": { "uid": "u", "resourceVersion": version, "generation": 1,
                          "annotations": { "a": "1" } },
            "status": { "observedGeneration": 1 },
        });
        change(&mut object);
        object.into()
    }

    type Change = fn(&mut Value);

    #[test]
    fn spec_deletion_and_annotations_ask_for_a_decision_and_a_status_does_not() {
        let known = shown("9", |_| {});
        let changes: [(Change, (bool, bool)); 4] = [
            (
                |object| object["metadata"]["generation"] = json!(2),
                (true, false),
            ),
            (
                |object| object["metadata"]["deletionTimestamp"] = json!("now"),
                (true, true),
            ),
            (
                |object| object["metadata"]["annotations"]["a"] = json!("2"),
                (true, false),
            ),
            (|object| object["status"] = json!({}), (false, false)),
        ];
        for (change, (decision, deletion)) in changes {
            let shown = shown("10", change);
            let found = (
                differs(&known, &shown, &DECIDES),
                differs(&known, &shown, &[DELETION]),
            );
            assert_eq!(found, (decision, deletion));
        }
    }
}
