//! What is known of one object of the target.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::failure::{Fact, Failure};
use crate::names::StageName;
use crate::object::Owner;

/// Readiness by the kstatus rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Health {
    /// As its spec wants it.
    Current,
    /// On its way; says what is missing, with numbers.
    InProgress(String),
    /// It says itself that it won't get there.
    Failed(String),
    /// It is being deleted.
    Terminating,
}

/// An object as it stands in the target, reduced to what decisions rest on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `metadata.resourceVersion`.
    pub resource_version: Box<str>,
    /// `metadata.generation`; 0 for kinds without.
    pub generation: i64,
    /// The StageSet that its labels name.
    pub owner: Option<Arc<Owner>>,
    /// `stages.metio.wtf/prune: disabled`.
    pub prune_disabled: bool,
    /// A deletion was asked for.
    pub deleting: bool,
    /// When it was.
    pub deletion_timestamp: Option<crate::time::Timestamp>,
    /// Finalizers, which hold a deleted object.
    pub finalizers: Vec<String>,
    /// Deleting it deletes the volumes of its pods too (a `StatefulSet` that says so).
    pub takes_claims_along: bool,
    /// Fingerprint of our own apply entry in `metadata.managedFields` (fields and time): as long as
    /// it stays, nobody changed a value that we own (K18). `None` if we have no entry.
    pub entry: Option<Arc<str>>,
    /// Its readiness.
    pub health: Health,
    /// The object itself, without managed fields: kept only for kinds that expressions judge.
    pub body: Option<Arc<Value>>,
}

/// What a read found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveState {
    /// The object.
    Present(Live),
    /// 404 for the object.
    Absent,
    /// The read failed.
    Unreadable(Failure),
}

/// What a dry-run apply says would happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DryRun {
    /// The object doesn't exist; it would be created.
    Create,
    /// It exists and would change.
    Change {
        /// The paths that would change, in order, shortened to the first few.
        fields: Vec<String>,
        /// The field managers that own these fields besides us, in words, as far as it is known.
        by: Option<String>,
        /// Whose fields have to become ours first (K14).
        takeover: Option<Takeover>,
        /// The object as it stands.
        live: Live,
    },
    /// It exists and is as desired.
    Unchanged {
        /// The object as it stands.
        live: Live,
    },
    /// The server refuses.
    Refused(Failure),
}

/// Fields of `kubectl apply` or Helm that become ours before the first apply (K14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takeover {
    /// The managers, in order.
    pub from: Vec<String>,
    /// What `metadata.managedFields` has to become.
    pub managed_fields: Arc<Value>,
}

/// A search for the objects that carry the labels of a stage (a lost inventory).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Labelled {
    /// The stage that the labels name, besides the StageSet.
    pub stage: StageName,
    /// API group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Resource name in URLs.
    pub plural: String,
    /// Namespace; `None` for a cluster-scoped kind.
    pub namespace: Option<String>,
}

impl fmt::Display for Labelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plural)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " of namespace {namespace}"),
            None => Ok(()),
        }
    }
}

/// A correction of drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// When.
    pub at: crate::time::Timestamp,
    /// Which fields were put right.
    pub fields: Vec<String>,
}

/// The last time that the object was known to be as desired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Digest of the [`Desired`](crate::object::Desired) that it agreed with.
    pub digest: String,
    /// uid then.
    pub uid: Arc<str>,
    /// Our managed-fields entry then.
    pub entry: Option<Arc<str>>,
    /// Since when, in this process's memory.
    pub since: crate::time::Timestamp,
}

/// How news of an object reach us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Tracking {
    /// Nobody watches; a fact ages.
    #[default]
    Polled,
    /// A watch covers it and has said nothing since the last read.
    Watched,
    /// A watch covers it and the object has moved since the last read, without touching what we own.
    Moved,
}

/// Everything known of one object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectFacts {
    /// The last read, dry run or apply response.
    pub live: Option<Fact<LiveState>>,
    /// The last dry run and the digest that it tried.
    pub dry_run: Option<Box<(String, Fact<DryRun>)>>,
    /// When it last agreed with what is desired.
    pub settled: Option<Settled>,
    /// The last failure of a write, and the digest that it tried (empty for a delete).
    pub write_failure: Option<Box<(String, Fact<Failure>)>>,
    /// The last corrections of drift, oldest first: many of one field are a fight.
    pub corrections: Vec<Correction>,
    /// How news of it reach us.
    pub tracking: Tracking,
}

/// Most corrections that are remembered of one object.
const CORRECTIONS: usize = 8;

impl ObjectFacts {
    /// Drops a dry run that no decision asks for any more: after it the object agreed with what is desired,
    /// and whatever comes next begins with a read. One that was tried later (somebody changes the object
    /// back, or the server refuses now) is waited on.
    pub fn settle(&mut self) {
        let settled = self.settled.as_ref();
        self.dry_run.take_if(|tried| {
            let (digest, fact) = &**tried;
            // What is refused in the very moment was refused after it.
            let refused = matches!(fact.value, DryRun::Refused(_));
            settled.is_some_and(|settled| {
                settled.digest == *digest
                    && (fact.at < settled.since || (fact.at == settled.since && !refused))
            })
        });
    }

    /// Remembers a correction of drift.
    pub fn corrected(&mut self, correction: Correction) {
        if self.corrections.len() >= CORRECTIONS {
            self.corrections.remove(0);
        }
        self.corrections.push(correction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureClass;
    use crate::time::Timestamp;

    #[test]
    fn only_a_dry_run_from_before_the_object_agreed_is_dropped() {
        let tried = |digest: &str, at: i64| {
            let failure = Failure::new(FailureClass::Denied, "no");
            let fact = Fact::seen(DryRun::Refused(failure), Timestamp::from_millis(at));
            Some(Box::new((digest.to_owned(), fact)))
        };
        let kept = |dry_run, settled: Option<i64>| {
            let settled = settled.map(|since| Settled {
                digest: "d".into(),
                uid: "u".into(),
                entry: None,
                since: Timestamp::from_millis(since),
            });
            let mut facts = ObjectFacts {
                dry_run,
                settled,
                ..ObjectFacts::default()
            };
            facts.settle();
            facts.dry_run.is_some()
        };
        let agreed = Fact::seen(DryRun::Create, Timestamp::from_millis(5));
        assert!(!kept(Some(Box::new(("d".into(), agreed))), Some(5)));
        assert!(!kept(tried("d", 4), Some(5)));
        assert!(kept(tried("d", 5), Some(5)), "refused in that moment");
        assert!(kept(tried("d", 6), Some(5)), "tried since");
        assert!(kept(tried("other", 4), Some(5)), "of other content");
        assert!(kept(tried("d", 4), None), "it never agreed");
    }
}
