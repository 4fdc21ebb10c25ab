//! Whose turn it is: decisions of one candidate, without IO and without a wall clock.

use std::time::Duration;

use serde_json::Value;

use super::Term;
use super::lease::Record;

/// A lease as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What the lease says.
    pub record: Record,
    /// `metadata`, the resourceVersion that a write has to name included.
    pub metadata: Value,
}

/// What a candidate does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// There is no lease: make one.
    Create(Record),
    /// Take the lease over, or renew it, if it still has this metadata.
    Replace(Record, Value),
    /// Somebody else holds it, or has held it since we did.
    Wait {
        /// Who; empty if it was let go.
        holder: String,
    },
}

/// One candidate's view. Points in time are durations since any fixed moment of a clock that never
/// goes backwards.
#[derive(Debug, Clone)]
pub struct Election {
    identity: String,
    term: Term,
    /// The lease when it last changed, and when that was seen.
    observed: Option<(Seen, Duration)>,
    /// Start of the last write that succeeded, while we hold the lease.
    renewed: Option<Duration>,
}

impl Election {
    /// A candidate of this name, which no other may have.
    pub fn new(identity: impl Into<String>, term: Term) -> Self {
        Self {
            identity: identity.into(),
            term,
            observed: None,
            renewed: None,
        }
    }

    /// Decides on what was read just now; `wall` is the time that the record will show to people.
    pub fn decide(&mut self, seen: Option<Seen>, now: Duration, wall: &str) -> Move {
        let Some(seen) = seen else {
            self.observed = None;
            return Move::Create(self.record(wall, wall, 0));
        };
        if self
            .observed
            .as_ref()
            .is_none_or(|(before, _)| *before != seen)
        {
            self.observed = Some((seen.clone(), now));
        }
        let since = self.observed.as_ref().map_or(now, |(_, since)| *since);
        let holder = &seen.record.holder;
        if *holder == self.identity {
            let acquired = seen.record.acquired.clone();
            let record = self.record(&acquired, wall, seen.record.transitions);
            return Move::Replace(record, seen.metadata);
        }
        if self.renewed.is_some() {
            // Whoever held it since may have gone again; what we remember is from before.
            return Move::Wait {
                holder: holder.clone(),
            };
        }
        let lasts = seen.record.lasts.unwrap_or(self.term.lasts);
        if !holder.is_empty() && now < since.saturating_add(lasts) {
            return Move::Wait {
                holder: holder.clone(),
            };
        }
        let record = self.record(wall, wall, seen.record.transitions.saturating_add(1));
        Move::Replace(record, seen.metadata)
    }

    /// Our write, begun at `begun`, succeeded: we hold the lease.
    pub fn succeeded(&mut self, begun: Duration) {
        self.renewed = Some(begun);
    }

    /// We saw that somebody else holds it, or that it is gone.
    pub fn lost(&mut self) {
        self.renewed = None;
    }

    /// Until when we may act; `None` if we don't lead.
    pub fn leads_until(&self) -> Option<Duration> {
        self.renewed
            .map(|renewed| renewed.saturating_add(self.term.renewed_within))
    }

    /// What a holder writes to let the next one in at once.
    pub fn released(&self, held: &Record, wall: &str) -> Record {
        Record {
            holder: String::new(),
            lasts: Some(Duration::from_secs(1)),
            acquired: wall.to_owned(),
            renewed: wall.to_owned(),
            transitions: held.transitions,
        }
    }

    /// The times of the lease.
    pub fn term(&self) -> Term {
        self.term
    }

    /// Our name.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    fn record(&self, acquired: &str, renewed: &str, transitions: i32) -> Record {
        Record {
            holder: self.identity.clone(),
            lasts: Some(self.term.lasts),
            acquired: acquired.to_owned(),
            renewed: renewed.to_owned(),
            transitions,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WALL: &str = "2026-11-23T21:00:00.000000Z";

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn held_by(holder: &str, resource_version: &str) -> Seen {
        let mut other = Election::new(holder, Term::STANDARD);
        match other.decide(None, at(0), WALL) {
            Move::Create(record) => Seen {
                record,
                metadata: json!({ "resourceVersion": resource_version }),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_lease_one_is_made() {
        let mut us = Election::new("us", Term::STANDARD);
        assert!(matches!(us.decide(None, at(0), WALL), Move::Create(r) if r.holder == "us"));
        assert_eq!(us.leads_until(), None, "asking is not having");
        us.succeeded(at(1));
        assert_eq!(us.leads_until(), Some(at(11)));
    }

    #[test]
    fn a_lease_is_held_until_it_has_not_changed_for_its_length() {
        let mut us = Election::new("us", Term::STANDARD);
        let wait = Move::Wait {
            holder: "them".to_owned(),
        };
        assert_eq!(us.decide(Some(held_by("them", "1")), at(100), WALL), wait);
        assert_eq!(us.decide(Some(held_by("them", "1")), at(114), WALL), wait);
        assert_eq!(
            us.decide(Some(held_by("them", "2")), at(114), WALL),
            wait,
            "renewed"
        );
        assert_eq!(us.decide(Some(held_by("them", "2")), at(128), WALL), wait);
        match us.decide(Some(held_by("them", "2")), at(129), WALL) {
            Move::Replace(record, version) => {
                assert_eq!((record.holder.as_str(), record.transitions), ("us", 1));
                assert_eq!(version["resourceVersion"], "2");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_clock_of_the_holder_is_not_trusted() {
        let mut us = Election::new("us", Term::STANDARD);
        let mut seen = held_by("them", "1");
        seen.record.renewed = "1999-01-01T00:00:00.000000Z".to_owned();
        assert!(matches!(
            us.decide(Some(seen), at(0), WALL),
            Move::Wait { .. }
        ));
    }

    #[test]
    fn a_released_lease_is_taken_at_once_and_the_holder_renews_its_own() {
        let mut us = Election::new("us", Term::STANDARD);
        let mut seen = held_by("them", "1");
        seen.record = Election::new("them", Term::STANDARD).released(&seen.record, WALL);
        assert!(matches!(
            us.decide(Some(seen), at(0), WALL),
            Move::Replace(..)
        ));
        let mine = held_by("us", "7");
        match us.decide(Some(mine.clone()), at(3), "later") {
            Move::Replace(record, version) => {
                assert_eq!(record.acquired, mine.record.acquired);
                assert_eq!(record.renewed, "later");
                assert_eq!(version["resourceVersion"], "7");
                assert_eq!(record.transitions, mine.record.transitions);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_holder_whose_lease_was_let_go_by_another_has_lost_it() {
        // It stood still, with its clock; another one led meanwhile, and went.
        let mut us = Election::new("us", Term::STANDARD);
        us.succeeded(at(0));
        let mut seen = held_by("them", "2");
        let them = Election::new("them", Term::STANDARD);
        seen.record = them.released(&seen.record, WALL);
        let lost = Move::Wait {
            holder: String::new(),
        };
        assert_eq!(us.decide(Some(seen.clone()), at(2), WALL), lost);
        us.lost();
        assert!(matches!(
            us.decide(Some(seen), at(4), WALL),
            Move::Replace(..)
        ));
    }

    #[test]
    fn a_holder_stops_before_anybody_else_may_begin() {
        // The last renewal was sent at 0 and could be seen by others from 0 on.
        let mut holder = Election::new("holder", Term::STANDARD);
        holder.succeeded(at(0));
        let mut other = Election::new("other", Term::STANDARD);
        assert!(matches!(
            other.decide(Some(held_by("holder", "1")), at(0), WALL),
            Move::Wait { .. }
        ));
        let stops = holder.leads_until().unwrap();
        assert!(matches!(
            other.decide(Some(held_by("holder", "1")), stops, WALL),
            Move::Wait { .. }
        ));
    }
}
