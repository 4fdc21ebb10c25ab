//! What each verb does next.
//!
//! | Verb | An attempt that may have been carried out (the process is gone) |
//! |---|---|
//! | `wait` | nothing was done: it goes on waiting, from when it began |
//! | `job` | the Job has the name of this run: it is found, or created if it isn't there |
//! | `delete` | the uid is on record: gone or another one is done, the same one is deleted |
//! | `apply`, `patch` of type merge | doing it again changes nothing: it is done again |
//! | `patch` of type json6902 | again if it only sets fields, else lost |
//! | `http` | GET, HEAD, PUT, DELETE again; POST and PATCH lost |
//!
//! What is lost counts as a failed attempt; when none is left, a person decides.

use std::sync::Arc;
use std::time::Duration;

use crate::failure::{Failure, FailureClass};
use crate::object::{Reference, sha256_hex};
use crate::observation::{Answer, Progress, Question, Started};
use crate::plan::{Deed, for_people};
use crate::spec::{Delete, Http, Patch, Selected, Until, Verb};
use crate::time::Timestamp;

use super::super::Stop;
use super::super::verify::in_words as span_in_words;
use super::attempt::This;
use super::look;
use super::{manifests, target};

mod applied;
mod jobs;

pub(super) use jobs::leftovers;

/// Bound of one HTTP exchange when the action sets none.
const HTTP: Duration = Duration::from_secs(30);

/// A look before a deed may be this old.
const JUST_NOW: Duration = Duration::from_secs(5);

/// What an action does next.
pub(super) enum Go {
    /// Facts are missing.
    Stop(Stop),
    /// Do this.
    Act(Box<Deed>),
    /// Not yet.
    Wait { said: String, until: Timestamp },
    /// It is done.
    Done,
    /// It may be done, and must not be done twice.
    Lost,
    /// This attempt failed, then.
    Failed(Failure, Timestamp),
}

/// What is known before an attempt begins.
pub(super) enum Prepared {
    /// It can begin.
    Ready {
        /// The object that it is about.
        uid: Option<String>,
    },
    /// Things are as it would leave them.
    NothingToDo,
}

/// Bound of one attempt when the action sets none.
pub(super) fn default_bound(verb: &Verb) -> Option<Duration> {
    match verb {
        Verb::Until(until) => Some(until.timeout),
        Verb::Job(_) => Some(Duration::from_secs(600)),
        Verb::Apply { wait: true, .. } => Some(Duration::from_secs(300)),
        Verb::Patch(_) | Verb::Http(_) | Verb::Pause(_) | Verb::Delete(_) | Verb::Apply { .. } => {
            None
        }
    }
}

/// Whether nothing has to be tidied up after it.
pub(super) fn leaves_nothing(verb: &Verb) -> bool {
    !matches!(verb, Verb::Job(_))
}

/// `POST https://hooks.example.org`.
pub(super) fn in_words(verb: &Verb) -> String {
    match verb {
        Verb::Http(http) => format!("{} {}", http.method.as_str(), for_people(&http.url)),
        Verb::Patch(patch) => format!("the patch of {}", patch.kind),
        other => format!("the {}", other.as_str()),
    }
}

/// Finds out what has to be known before anything is begun: sources, kinds, the object.
pub(super) fn prepare(this: This<'_>) -> Result<Prepared, Go> {
    let ready = Prepared::Ready { uid: None };
    match &this.action.verb {
        Verb::Pause(_) | Verb::Http(_) => Ok(ready),
        Verb::Patch(patch) => patched(this, patch).map(|_| ready),
        Verb::Until(until) => target::object(this, &until.target).map(|_| ready),
        Verb::Job(found) => manifests::jobs(this, found).map(|_| ready),
        Verb::Apply {
            manifests: found, ..
        } => manifests::objects(this, found).map(|_| ready),
        Verb::Delete(delete) => {
            let object = target::object(this, &delete.target)?;
            let since = earlier(this.now(), JUST_NOW);
            match look::one(this, &object, &Question::Exists, since, this.now())? {
                (Answer::Unreadable(failure), until) => Err(unreadable(failure, until, this.now())),
                (answer, _) => Ok(match answer.uid() {
                    Some(uid) => Prepared::Ready {
                        uid: Some(uid.to_owned()),
                    },
                    // It is going already, or gone.
                    None => Prepared::NothingToDo,
                }),
            }
        }
    }
}

/// What an attempt does next.
pub(super) fn go(this: This<'_>, started: &Started) -> Go {
    let went = match &this.action.verb {
        Verb::Pause(span) => return pause(this, started, *span),
        Verb::Until(until) => self::until(this, started, until),
        Verb::Patch(patch) => self::patch(this, started, patch),
        Verb::Http(request) => Ok(http(this, started, request)),
        Verb::Delete(delete) => self::delete(this, started, delete),
        Verb::Job(found) => jobs::job(this, started, found),
        Verb::Apply {
            manifests: found,
            wait,
        } => applied::apply(this, started, found, *wait),
    };
    went.unwrap_or_else(|go| go)
}

/// How a single deed stands: by what this process knows of it, or by the verb's rule.
fn once(this: This<'_>, started: &Started, deed: impl FnOnce() -> Deed) -> Go {
    match this.progress(started) {
        Some((Progress::Ended(Ok(())), _)) => Go::Done,
        Some((Progress::Ended(Err(failure)), at)) => Go::Failed(failure.clone(), at),
        Some((Progress::Intended, _)) => Go::Act(Box::new(deed())),
        Some((Progress::Sent, _)) | None if this.action.verb.is_repeatable() => {
            Go::Act(Box::new(deed()))
        }
        Some((Progress::Sent, _)) | None => Go::Lost,
    }
}

fn pause(this: This<'_>, started: &Started, span: Duration) -> Go {
    let until = started.since.plus(span);
    if this.now() >= until {
        return Go::Done;
    }
    Go::Wait {
        said: format!("pausing for {}", span_in_words(span)),
        until,
    }
}

fn until(this: This<'_>, started: &Started, until: &Until) -> Result<Go, Go> {
    let object = target::object(this, &until.target)?;
    let question = Question::Holds(until.expression.clone());
    let (answer, next) = look::one(this, &object, &question, started.since, started.since)?;
    let said = match answer {
        Answer::Yes { .. } => return Ok(Go::Done),
        Answer::Unreadable(failure) => return Err(unreadable(failure, next, started.since)),
        Answer::Absent => format!("{} doesn't exist yet", object.key),
        Answer::No { said, .. } | Answer::Never { said, .. } => format!("{}: {said}", object.key),
        Answer::Going | Answer::Foreign => format!("{} is being deleted", object.key),
    };
    Ok(Go::Wait {
        said: format!("waiting for {said}"),
        until: next,
    })
}

fn patched(this: This<'_>, patch: &Patch) -> Result<Reference, Go> {
    let name = match &patch.objects {
        Selected::Named(name) => name.as_str(),
        Selected::Labelled(_) => "",
    };
    let of = (patch.api_version.as_str(), patch.kind.as_str());
    target::reference(this, of, &patch.namespace, name)
}

fn patch(this: This<'_>, started: &Started, patch: &Patch) -> Result<Go, Go> {
    let of = patched(this, patch)?;
    Ok(once(this, started, || Deed::Patch {
        of,
        objects: patch.objects.clone(),
        format: patch.format,
        body: patch.body.clone(),
    }))
}

fn http(this: This<'_>, started: &Started, request: &Http) -> Go {
    let left = this
        .action
        .timeout
        .map_or(HTTP, |bound| started.first.plus(bound).since(this.now()));
    once(this, started, || {
        let stage_set = &this.run.release.observation.stage_set;
        let of = format!(
            "{}\n{}\n{}\n{}\n{}",
            stage_set.uid,
            this.run.stage.spec.name,
            this.run.phase,
            this.action.name,
            this.key()
        );
        Deed::Http {
            request: Arc::new(request.clone()),
            key: sha256_hex(of.as_bytes()),
            timeout: left,
        }
    })
}

fn delete(this: This<'_>, started: &Started, delete: &Delete) -> Result<Go, Go> {
    let object = target::object(this, &delete.target)?;
    let Some(uid) = &started.uid else {
        return Err(Go::Failed(
            Failure::new(
                FailureClass::Transient { retry_after: None },
                "its uid isn't on record",
            ),
            started.since,
        ));
    };
    let progress = this.progress(started);
    if !matches!(progress, Some((Progress::Intended | Progress::Ended(_), _))) {
        // Somebody else may have carried it out.
        let (answer, next) =
            look::one(this, &object, &Question::Exists, started.since, this.now())?;
        match answer {
            Answer::Unreadable(failure) => return Err(unreadable(failure, next, started.since)),
            answer if answer.uid() != Some(uid.as_str()) => return Ok(Go::Done),
            _ => {}
        }
    }
    Ok(once(this, started, || Deed::Delete {
        object,
        uid: uid.clone(),
        cascade: delete.cascade,
    }))
}

/// What can't be read: a refusal ends the attempt, everything else passes.
fn unreadable(failure: &Failure, until: Timestamp, at: Timestamp) -> Go {
    match failure.class {
        FailureClass::Transient { .. } | FailureClass::Conflict => Go::Wait {
            said: format!("what it works on can't be read: {failure}"),
            until,
        },
        _ => Go::Failed(failure.clone(), at),
    }
}

fn transient(message: String, at: Timestamp) -> Go {
    Go::Failed(
        Failure::new(FailureClass::Transient { retry_after: None }, message),
        at,
    )
}

fn earlier(now: Timestamp, span: Duration) -> Timestamp {
    let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_sub(span))
}
