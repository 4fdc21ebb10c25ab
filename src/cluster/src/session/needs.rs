//! What a plan asks for is gathered, and becomes facts.

use stageset_core::identity::Identity;
use stageset_core::object::Reference;
use stageset_core::plan::Need;

use super::Session;
use super::served::forget_if_unknown;
use crate::gather::{Found, Gather};
use crate::ports::Ports;

impl Session {
    /// Asks for everything that a plan needs.
    pub(super) async fn gather(&mut self, ports: &Ports, needs: &[Need]) {
        if needs.is_empty() {
            return;
        }
        let (key, uid) = (self.key.clone(), self.uid());
        let bodies = self.bodies();
        let gather = Gather {
            ports,
            key: &key,
            uid: &uid,
            bodies: &bodies,
            deleting: self.is_deleting(),
            unrecorded: self.is_unrecorded(),
        };
        for (need, at, found) in gather.all(needs).await {
            // A clock that is set back between two decisions is noticed by what was seen meanwhile.
            self.decided = self.decided.max(at);
            let outcome = found.outcome();
            ports
                .observer
                .need(ports.clock.now(), &self.key, need, &outcome);
            match need {
                Need::DryRun { identity, object } => {
                    forget_if_unknown(
                        &outcome,
                        &mut self.facts,
                        ports,
                        identity,
                        &object.reference,
                    );
                }
                Need::Read {
                    identity, object, ..
                } => {
                    forget_if_unknown(&outcome, &mut self.facts, ports, identity, object);
                }
                _ => {}
            }
            if let (Found::Ledger(Ok(ledger)), Some(known)) = (&found, &mut self.known) {
                known.ledger.clone_from(ledger);
            }
            if let Some((inventories, skipped)) = found.record(&mut self.facts, at) {
                for (stage, count) in skipped {
                    let stage = stage.as_str();
                    ports.observer.skipped_entries(at, &self.key, stage, count);
                }
                if let Some(known) = &mut self.known {
                    known.inventories = inventories;
                }
            }
            // Now the facts have the object's key, which is shared.
            if let Some((identity, reference)) = looked_at(need) {
                self.references
                    .insert(identity, reference, &self.facts.objects);
            }
        }
    }
}

/// The object that a need of the release is about.
fn looked_at(need: &Need) -> Option<(&Identity, &Reference)> {
    match need {
        Need::DryRun { identity, object } => Some((identity, &object.reference)),
        Need::Read {
            identity, object, ..
        } => Some((identity, object)),
        _ => None,
    }
}
