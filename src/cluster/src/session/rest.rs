//! What is put away while nothing happens. Ten thousand StageSets that wait are ten thousand of these.

use stageset_core::failure::Fact;
use stageset_core::identity::Target;

use super::Session;
use crate::stored::Stored;

impl Session {
    /// The watch shows what is known already: one copy of it is enough.
    pub fn share(&mut self, object: &Stored) {
        if let Some(known) = &mut self.known
            && object.is_same_state(&known.object)
        {
            known.object = object.clone();
        }
    }

    /// A pass has ended: puts away what the next one makes anew without a request.
    pub fn rest(&mut self) {
        self.read = None;
        for build in self.facts.builds.values_mut() {
            build.value.rest();
        }
        self.facts.objects.share_owners();
        if let Some(known) = &mut self.known {
            known.inventories.shrink();
        }
        if let (Some(known), Some(fact)) = (&self.known, &self.facts.inventories)
            && let Ok(inventories) = &fact.value
            // They are what the shards hold, or they stay.
            && known.inventories.observed() == *inventories
        {
            self.inventories_seen = Some(fact.at);
            self.facts.inventories = None;
        }
    }

    /// Nothing has happened for a while: makes what is kept small, at the price of a moment's work
    /// when something does, and of no request. What was parsed is parsed again; what the local API
    /// server serves stands in the discovery that all share.
    pub fn put_away(&mut self) {
        self.parsed = None;
        self.facts.kinds.forget_served(&Target::Local);
        if let Some(known) = &self.known {
            known.object.put_away();
        }
        self.away.take(&mut self.facts, &mut self.references);
    }

    /// Whether it is put away.
    pub fn is_put_away(&self) -> bool {
        self.away.is_any()
    }

    /// The next one begins.
    pub(super) fn rouse(&mut self) {
        self.away.give_back(&mut self.facts, &mut self.references);
        if let (Some(known), Some(at)) = (&self.known, self.inventories_seen.take()) {
            let inventories = Ok(known.inventories.observed());
            self.facts.inventories = Some(Fact::seen(inventories, at));
        }
    }
}
