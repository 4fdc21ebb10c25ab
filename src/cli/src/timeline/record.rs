//! What can stand in a timeline, as data. Text and JSON are two views of these.

use std::time::Duration;

use serde::{Serialize, Serializer};
use stageset_core::object::ObjectKey;

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// Virtual time since the start, in seconds.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub at: Duration,
    /// `namespace/name` of the StageSet; `None` for what the scenario itself does.
    #[serde(rename = "stageSet", skip_serializing_if = "Option::is_none")]
    pub stage_set: Option<String>,
    /// The stage, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

fn seconds<S: Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(at.as_secs_f64())
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn optional_seconds<S: Serializer>(
    at: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    at.map(|at| at.as_secs_f64()).serialize(serializer)
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum What {
    /// A step of the scenario: the world moves, whatever the controller does.
    World {
        /// In words.
        text: String,
    },
    /// A run begins: these revisions are pinned.
    Pinned {
        /// Source (`namespace/name`) and revision.
        revisions: Vec<(String, String)>,
    },
    /// An object was written.
    Wrote {
        /// How.
        verb: Verb,
        /// The object.
        object: ObjectKey,
        /// The user that the API server saw.
        #[serde(rename = "as")]
        identity: String,
        /// Why, if the verb doesn't say it.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// An action of a stage did something.
    Acted {
        /// What.
        deed: String,
        /// Which action.
        action: String,
        /// The user that the API server saw.
        #[serde(rename = "as")]
        identity: String,
    },
    /// The API server refused.
    Refused {
        /// What was tried, e.g. `create`.
        verb: String,
        /// The object.
        object: ObjectKey,
        /// The user that the API server saw.
        #[serde(rename = "as")]
        identity: String,
        /// The API server's words.
        message: String,
        /// What would have allowed it.
        #[serde(skip_serializing_if = "Option::is_none")]
        cure: Option<Cure>,
    },
    /// Something failed that isn't a matter of rights.
    Failed {
        /// What was tried.
        attempt: String,
        /// What went wrong.
        message: String,
    },
    /// A stage waits for something.
    Waits {
        /// For what.
        text: String,
    },
    /// Every object of a stage is ready.
    StageReady,
    /// The Ready condition changed.
    Condition {
        /// `True`, `False` or `Unknown`.
        status: String,
        /// CamelCase reason.
        reason: String,
        /// For people; empty while the stages say it.
        message: String,
        /// Whether only a change of the StageSet helps: condition `Stalled` is True.
        stalled: bool,
    },
    /// The StageSet is gone.
    Gone,
}

/// How an object was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// It didn't exist.
    Create,
    /// It existed and differed from the release.
    Change,
    /// Somebody had changed or deleted it.
    Correct,
    /// Another manager's fields of it became ours.
    TakeOver,
    /// It was deleted.
    Delete,
}

/// A rule that would have allowed what was refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cure {
    /// The Role's namespace; `None` asks for a ClusterRole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// API group; empty for the core group.
    pub api_group: String,
    /// Resource.
    pub resource: String,
    /// The verbs that are missing.
    pub verbs: Vec<String>,
}

/// How the simulation ended for one StageSet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// `namespace/name`.
    pub stage_set: String,
    /// Whether it is Ready, or was deleted and is gone.
    pub good: bool,
    /// `Ready`, `NotReady` or `Gone`.
    pub state: &'static str,
    /// Reason of its Ready condition.
    pub reason: String,
    /// Message of its Ready condition.
    pub message: String,
    /// When it last became Ready, or was gone, in seconds.
    #[serde(rename = "readySeconds", serialize_with = "optional_seconds")]
    pub ready_after: Option<Duration>,
    /// Writes to the target, by user.
    pub writes: Vec<(String, usize)>,
}

/// How many requests one user sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// Reads and lists.
    pub reads: usize,
    /// Watches that were opened.
    pub watches: usize,
    /// Server-side dry runs.
    pub dry_runs: usize,
    /// Writes.
    pub writes: usize,
    /// Requests that the API server refused.
    pub refused: usize,
}
