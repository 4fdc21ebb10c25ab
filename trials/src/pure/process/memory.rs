//! What a process forgets, as a session of the driver does (`src/cluster/src/session/memory.rs`).

use stageset_core::observation::Facts;
use stageset_core::time::Timestamp;

use super::super::server::StageSetRecord;
use super::{Hint, Process};

impl Process {
    /// What the clock and the StageSet make of what is remembered, before a decision.
    pub(super) fn follow(&mut self, known: &StageSetRecord, now: Timestamp) {
        if now < self.decided {
            // A clock that was set back makes every remembered time wrong.
            self.observation.facts = Facts::default();
            self.refresh_before = now;
        } else if self.decided == Timestamp::default() {
            self.refresh_before = now;
        }
        self.decided = now;
        if known.requested != known.status.last_handled_reconcile_at
            && known.requested != self.requested
        {
            self.refresh_before = now;
        }
        self.requested.clone_from(&known.requested);
        if known.again != self.again && known.again.is_some() {
            self.refresh_before = now;
        }
        self.again.clone_from(&known.again);
        if let Ok(spec) = &known.spec
            && self.accounts.follow(spec)
        {
            self.refresh_before = now;
        }
    }

    /// What a watch tells of isn't as it was.
    pub(super) fn take(&mut self, hint: &Hint) {
        match hint {
            Hint::Source(name) => self
                .observation
                .facts
                .sources
                .retain(|source, _| source.name != *name),
            Hint::Account(name) => {
                for (account, fact) in &mut self.observation.facts.accounts {
                    if account.as_str() == name {
                        fact.at = Timestamp::from_millis(i64::MIN);
                        fact.failures = 0;
                    }
                }
            }
            Hint::Dependency => self.observation.facts.dependencies.clear(),
            Hint::Inventories => self.observation.facts.inventories = None,
            Hint::Ledger => self.observation.facts.ledger = None,
            Hint::StageSet => {}
        }
    }
}
