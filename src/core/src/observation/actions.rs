//! What is known of actions: what the status and the StageLedger record, and what this process
//! remembers of attempts under way.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::failure::Failure;
use crate::names::StageName;
use crate::spec::{ActionPhase, Anchor};
use crate::time::Timestamp;

/// The record of a stage's actions, in `status.stages[]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ActionRecord {
    /// `ledgerRevision`: the revision that `executed` speaks of.
    pub revision: Option<String>,
    /// `executedActions`: Revision-scoped actions that are done.
    pub executed: Vec<String>,
    /// `startedAction` (K22): actions that may have begun and aren't recorded as done.
    pub started: Vec<Started>,
    /// The stage's `lastHandledReconcileAt`: the last `reconcile-stage` token that it fulfilled.
    pub handled: Option<String>,
}

/// An action that may have begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Before, after, or on failure.
    pub phase: ActionPhase,
    /// Its name.
    pub action: String,
    /// What its completion will be recorded for: see [`ledger_key`].
    pub key: String,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// When the first attempt began.
    pub first: Timestamp,
    /// When this attempt began.
    pub since: Timestamp,
    /// The object that it is about, where the verb needs to know it again.
    pub uid: Option<String>,
}

/// What a completion is recorded for: the revision, shortened, or the lifetime of the StageSet.
pub fn ledger_key(revision: Option<&str>) -> String {
    match revision {
        Some(revision) => {
            let digest = crate::object::sha256_hex(revision.as_bytes());
            digest.get(..8).unwrap_or(&digest).to_owned()
        }
        None => "lifetime".to_owned(),
    }
}

/// With milliseconds: bounds may be as short as a second.
fn precise(time: Timestamp) -> String {
    let whole = time.to_string();
    let millis = time.as_millis().rem_euclid(1000);
    format!("{}.{millis:03}Z", whole.trim_end_matches('Z'))
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "attempt={} first={} since={} key={}",
            self.attempt,
            precise(self.first),
            precise(self.since),
            self.key
        )?;
        if let Some(uid) = &self.uid {
            write!(f, " uid={uid}")?;
        }
        // Last, since a name may hold spaces.
        write!(f, " {}/{}", self.phase, self.action)
    }
}

impl Started {
    /// The inverse of its text; `None` for anything else.
    pub fn parse(line: &str) -> Option<Self> {
        fn field<'l>(rest: &mut &'l str, name: &str) -> Option<&'l str> {
            let after = rest.strip_prefix(name)?.strip_prefix('=')?;
            let (value, left) = after.split_once(' ')?;
            *rest = left;
            Some(value)
        }
        let mut rest = line;
        let attempt = field(&mut rest, "attempt")?.parse().ok()?;
        let first = Timestamp::parse(field(&mut rest, "first")?)?;
        let since = Timestamp::parse(field(&mut rest, "since")?)?;
        let key = field(&mut rest, "key")?.to_owned();
        let uid = field(&mut rest, "uid").map(str::to_owned);
        let (phase, action) = rest.split_once('/')?;
        Some(Self {
            phase: ActionPhase::parse(phase)?,
            action: action.to_owned(),
            key,
            attempt,
            first,
            since,
            uid,
        })
    }

    /// All that a `startedAction` says, one a line.
    pub fn parse_all(text: &str) -> Vec<Self> {
        text.lines().filter_map(Self::parse).collect()
    }
}

impl Serialize for Started {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The StageLedger, as far as decisions rest on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Ledger {
    /// `spec.baseline`: stage and action that people say are done.
    pub baseline: Vec<(String, String)>,
    /// `status.completedActions`.
    pub completed: Vec<Completed>,
    /// `BaselineValid`, if the condition stands.
    pub baseline_valid: Option<BaselineValid>,
}

impl Ledger {
    /// The completion of an action.
    pub fn completion(&self, stage: &str, action: &str) -> Option<&Completed> {
        self.completed
            .iter()
            .find(|completed| completed.stage == stage && completed.action == action)
    }
}

/// The `BaselineValid` condition of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BaselineValid {
    /// Whether every entry names a Lifetime action.
    pub valid: bool,
    /// For people.
    pub message: String,
    /// When `valid` last changed.
    pub last_transition: Timestamp,
}

/// A recorded completion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completed {
    /// The stage.
    pub stage: String,
    /// The action.
    pub action: String,
    /// It ran, as against: somebody said so.
    pub executed: bool,
    /// The witness then.
    pub witness: Option<Witness>,
    /// When.
    pub at: Timestamp,
}

/// A witness as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// Which object.
    pub anchor: Anchor,
    /// Its uid.
    pub uid: String,
}

/// The annotation `stages.metio.wtf/reconcile-stage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ReconcileStage {
    /// This stage is to be done anew, once for each token.
    Asked {
        /// The stage.
        stage: StageName,
        /// The token.
        token: String,
    },
    /// A value that isn't `<stage>@<token>`.
    Malformed(String),
}

impl ReconcileStage {
    /// Reads the annotation's value.
    pub fn parse(value: &str) -> Self {
        match value.split_once('@') {
            Some((stage, token)) if !token.is_empty() => match StageName::new(stage) {
                Ok(stage) => Self::Asked {
                    stage,
                    token: token.to_owned(),
                },
                Err(_) => Self::Malformed(value.to_owned()),
            },
            _ => Self::Malformed(value.to_owned()),
        }
    }
}

/// What is asked of an object of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Question {
    /// Does it exist?
    Exists,
    /// Has this Job finished? Only a Job of this StageSet answers.
    Finished,
    /// Is it ready, by the kstatus rules?
    Ready,
    /// Does the expression hold?
    Holds(crate::judge::cel::Expression),
}

impl Question {
    /// Tells questions apart in the facts.
    pub fn text(&self) -> &str {
        match self {
            Self::Exists => "does it exist?",
            Self::Finished => "has it finished?",
            Self::Ready => "is it ready?",
            Self::Holds(expression) => expression.source(),
        }
    }
}

/// What was seen. Texts say nothing of the object's content but what its conditions say (A21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// There is no such object.
    Absent,
    /// Yes.
    Yes {
        /// Of this object.
        uid: String,
    },
    /// Not yet.
    No {
        /// Of this object.
        uid: String,
        /// What is missing.
        said: String,
    },
    /// It will never be.
    Never {
        /// Of this object.
        uid: String,
        /// Why.
        said: String,
    },
    /// It is being deleted.
    Going,
    /// It stands there and isn't this StageSet's.
    Foreign,
    /// It couldn't be read.
    Unreadable(Failure),
}

impl Answer {
    /// The uid of what was seen.
    pub fn uid(&self) -> Option<&str> {
        match self {
            Self::Yes { uid } | Self::No { uid, .. } | Self::Never { uid, .. } => Some(uid),
            Self::Absent | Self::Going | Self::Foreign | Self::Unreadable(_) => None,
        }
    }
}

/// One attempt at an action, by what tells it from every other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Attempt {
    /// The stage.
    pub stage: StageName,
    /// Before, after, or on failure.
    pub phase: ActionPhase,
    /// The action.
    pub action: String,
    /// What its completion will be recorded for.
    pub key: String,
    /// Number, from 1.
    pub number: u32,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} action {:?} of stage {}",
            self.phase, self.action, self.stage
        )?;
        if self.number > 1 {
            write!(f, ", attempt {}", self.number)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_started_reads_back() {
        let at = Timestamp::parse("2026-11-25T16:00:00Z").unwrap();
        let mut started = Started {
            phase: ActionPhase::OnFailure,
            action: "tell key=x on/call".into(),
            key: ledger_key(Some("main@sha1:abc")),
            attempt: 3,
            first: at,
            since: at.plus(std::time::Duration::from_millis(7_042)),
            uid: None,
        };
        assert_eq!(Started::parse(&started.to_string()), Some(started.clone()));
        started.uid = Some("u-1".into());
        let text = format!("{started}\ngarbage\n{started}");
        assert_eq!(Started::parse_all(&text), [started.clone(), started]);
        for bad in [
            "",
            "attempt=1",
            "attempt=x first=a since=b key=c pre/d",
            "pre/migrate",
        ] {
            assert_eq!(Started::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_annotation_is_a_stage_and_a_token() {
        let stage = StageName::new("app").unwrap();
        let asked = |token: &str| ReconcileStage::Asked {
            stage: stage.clone(),
            token: token.into(),
        };
        assert_eq!(ReconcileStage::parse("app@1"), asked("1"));
        assert_eq!(ReconcileStage::parse("app@a@b"), asked("a@b"));
        for bad in [
            "",
            "app",
            "app@",
            "@1",
            "App@1",
            "a/b@1",
            "2026-11-25T16:00:00Z",
        ] {
            assert_eq!(
                ReconcileStage::parse(bad),
                ReconcileStage::Malformed(bad.into())
            );
        }
    }
}
