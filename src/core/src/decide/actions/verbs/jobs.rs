//! `job`: the Jobs of a folder, by the name of this run of the action; and what is left of them.

use std::sync::Arc;

use crate::object::{Desired, Reference};
use crate::observation::{Answer, Progress, Question, Started};
use crate::plan::Deed;
use crate::spec::{Manifests, Verb};

use super::super::super::Stop;
use super::super::attempt::This;
use super::super::look::Looks;
use super::super::manifests;
use super::{Go, JUST_NOW, earlier, transient, unreadable};

pub(super) fn job(this: This<'_>, started: &Started, found: &Manifests) -> Result<Go, Go> {
    let jobs = manifests::jobs(this, found)?;
    let progress = this.progress(started);
    if let Some((Progress::Ended(Err(failure)), at)) = progress {
        return Ok(Go::Failed(failure.clone(), at));
    }
    let created = matches!(progress, Some((Progress::Ended(Ok(())), _)));
    let mut looks = Looks::new(this);
    let mut missing = Vec::new();
    let mut running = Vec::new();
    let mut failed = Vec::new();
    let mut blind = None;
    for job in &jobs {
        let key = &job.reference.key;
        match looks.see(
            &job.reference,
            &Question::Finished,
            started.since,
            started.since,
        ) {
            None | Some(Answer::Yes { .. }) => {}
            Some(Answer::Absent) => missing.push(Arc::clone(job)),
            Some(Answer::No { said, .. }) => running.push(format!("{key} ({said})")),
            Some(Answer::Never { said, .. }) => failed.push(format!("{key}: {said}")),
            Some(Answer::Going) => {
                running.push(format!("an earlier {key}, which is being deleted, to go"));
            }
            Some(Answer::Foreign) => failed.push(format!(
                "{key} exists and isn't this StageSet's: delete or rename it"
            )),
            Some(Answer::Unreadable(failure)) => blind = Some(failure),
        }
    }
    let settled_at = looks.settled_at;
    let next = looks.ask()?;
    if let Some(failure) = blind {
        return Err(unreadable(failure, next, started.since));
    }
    if !failed.is_empty() {
        return Ok(transient(failed.join("; "), settled_at));
    }
    if !missing.is_empty() {
        if created {
            let names = names(&missing);
            return Ok(transient(
                format!("{names} was deleted before it was seen to finish"),
                started.since,
            ));
        }
        return Ok(Go::Act(Box::new(Deed::CreateJobs { jobs: missing })));
    }
    if running.is_empty() {
        return Ok(Go::Done);
    }
    Ok(Go::Wait {
        said: format!("waiting for {}", running.join(", ")),
        until: next,
    })
}

/// What is to be deleted after an action, done or failed: its Jobs, if they are still there.
pub(in super::super) fn leftovers(this: This<'_>) -> Result<Option<Deed>, Stop> {
    let Verb::Job(found) = &this.action.verb else {
        return Ok(None);
    };
    match left(this, found) {
        Ok(jobs) if jobs.is_empty() => Ok(None),
        Ok(jobs) => Ok(Some(Deed::DeleteJobs { jobs })),
        Err(Go::Stop(stop)) => Err(stop),
        // Sources or kinds that can't be had any more: nothing is known that could be deleted.
        Err(_) => Ok(None),
    }
}

fn left(this: This<'_>, found: &Manifests) -> Result<Vec<(Reference, String)>, Go> {
    let jobs = manifests::jobs(this, found)?;
    let since = earlier(this.now(), JUST_NOW);
    let mut looks = Looks::new(this);
    let mut left = Vec::new();
    for job in &jobs {
        // Asked as for its end: only a Job of ours answers with a uid.
        let answer = looks.see(&job.reference, &Question::Finished, since, this.now());
        if let Some(uid) = answer.and_then(Answer::uid) {
            left.push((job.reference.clone(), uid.to_owned()));
        }
    }
    looks.ask()?;
    Ok(left)
}

fn names(objects: &[Arc<Desired>]) -> String {
    let names: Vec<String> = objects
        .iter()
        .map(|object| object.reference.key.to_string())
        .collect();
    names.join(", ")
}
