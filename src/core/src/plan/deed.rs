//! What an action does to the world, as data. Nothing in it is a Secret's value, and nothing of it
//! but names is printed: values are read, as the tenant, when it is carried out (A21).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::object::{Desired, Reference};
use crate::observation::Attempt;
use crate::spec::{Cascade, Http, PatchFormat, Selected};
use crate::time::Timestamp;

/// One side effect of an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Patch one object, or all that a selector picks; none is success.
    Patch {
        /// Kind and namespace, with the name if there is one.
        of: Reference,
        /// Which of them.
        objects: Selected,
        /// Kind of the patch.
        format: PatchFormat,
        /// YAML or JSON.
        body: String,
    },
    /// Send an HTTP request.
    Http {
        /// The request.
        request: Arc<Http>,
        /// Tells the receiver which requests are one: sent as `Idempotency-Key`.
        key: String,
        /// Bound of the whole exchange.
        timeout: Duration,
    },
    /// Delete the object with this uid.
    Delete {
        /// Which.
        object: Reference,
        /// The uid that was seen.
        uid: String,
        /// What becomes of its dependents.
        cascade: Cascade,
    },
    /// Apply objects, one after the other, with the owner's labels.
    Apply {
        /// In this order.
        objects: Vec<Arc<Desired>>,
    },
    /// Create Jobs; one that exists is left as it is.
    CreateJobs {
        /// In this order.
        jobs: Vec<Arc<Desired>>,
    },
    /// Delete Jobs that have had their say, in the background.
    DeleteJobs {
        /// With the uids that were seen.
        jobs: Vec<(Reference, String)>,
    },
}

impl Deed {
    /// Whether it only tidies up after an action: its failure isn't the action's.
    pub const fn tidies(&self) -> bool {
        matches!(self, Self::DeleteJobs { .. })
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Patch { of, objects, .. } => match objects {
                Selected::Named(_) => write!(f, "patch {}", of.key),
                Selected::Labelled(labels) => {
                    write!(f, "patch every {}", of.key.kind)?;
                    if let Some(namespace) = &of.key.namespace {
                        write!(f, " of namespace {namespace}")?;
                    }
                    write!(f, " with {labels}")
                }
            },
            Self::Http { request, .. } => {
                write!(
                    f,
                    "{} {}",
                    request.method.as_str(),
                    for_people(&request.url)
                )
            }
            Self::Delete { object, .. } => write!(f, "delete {}", object.key),
            Self::Apply { objects } => write!(f, "apply {}", list(objects.iter())),
            Self::CreateJobs { jobs } => write!(f, "create {}", list(jobs.iter())),
            Self::DeleteJobs { jobs } => {
                let names: Vec<String> = jobs.iter().map(|(job, _)| job.key.to_string()).collect();
                write!(f, "delete {}", names.join(", "))
            }
        }
    }
}

fn list<'a>(objects: impl Iterator<Item = &'a Arc<Desired>>) -> String {
    let names: Vec<String> = objects
        .map(|object| object.reference.key.to_string())
        .collect();
    names.join(", ")
}

/// A URL's scheme and host: paths and queries of hooks are often keys.
pub fn for_people(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |end| host + end);
    &url[..end]
}

impl Serialize for Deed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A step of an action's life that is recorded in the status.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum ActionStep {
    /// An attempt is about to begin.
    Starts {
        /// Which.
        attempt: Attempt,
        /// The action's scope.
        scope: &'static str,
        /// What is recorded as its beginning: it tells this start from another process's.
        since: Timestamp,
    },
    /// One that a lost process began is about to be carried on: the record is written once more, as
    /// it stands, so that a view that lags behind it is found out before anything is done.
    Resumes {
        /// Which.
        attempt: Attempt,
        /// What is recorded as its beginning.
        since: Timestamp,
    },
    /// It is done.
    Done {
        /// By which attempt.
        attempt: Attempt,
        /// The action's scope.
        scope: &'static str,
    },
    /// Its attempts are used up.
    Failed {
        /// The last one.
        attempt: Attempt,
        /// The action's scope.
        scope: &'static str,
        /// Why.
        failure: crate::failure::Failure,
    },
    /// What a stage had done at this revision is to be done again.
    Cleared {
        /// The stage.
        stage: crate::names::StageName,
    },
}

impl fmt::Display for ActionStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starts { attempt, .. } => write!(f, "record that {attempt} starts"),
            Self::Resumes { attempt, .. } => write!(f, "record that {attempt} goes on"),
            Self::Done { attempt, .. } => write!(f, "record that {attempt} is done"),
            Self::Failed {
                attempt, failure, ..
            } => {
                write!(f, "record that {attempt} failed: {failure}")
            }
            Self::Cleared { stage } => {
                write!(
                    f,
                    "record that the actions of stage {stage} are to run again"
                )
            }
        }
    }
}
