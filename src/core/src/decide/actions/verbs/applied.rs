//! `apply`: manifests that are in no inventory, written once and perhaps waited for.

use crate::observation::{Answer, Progress, Question, Started};
use crate::plan::Deed;
use crate::spec::Manifests;

use super::super::attempt::This;
use super::super::look::Looks;
use super::super::manifests;
use super::{Go, once, transient, unreadable};

pub(super) fn apply(
    this: This<'_>,
    started: &Started,
    found: &Manifests,
    wait: bool,
) -> Result<Go, Go> {
    let objects = manifests::objects(this, found)?;
    let ended = match this.progress(started) {
        Some((Progress::Ended(Ok(())), at)) if wait => at,
        _ => return Ok(once(this, started, || Deed::Apply { objects })),
    };
    let mut looks = Looks::new(this);
    let mut unready = Vec::new();
    let mut blind = None;
    let mut failed = Vec::new();
    for object in &objects {
        let key = &object.reference.key;
        match looks.see(&object.reference, &Question::Ready, started.since, ended) {
            None | Some(Answer::Yes { .. }) => {}
            Some(Answer::Never { said, .. }) => failed.push(format!("{key} ({said})")),
            Some(Answer::No { said, .. }) => unready.push(format!("{key} ({said})")),
            Some(Answer::Unreadable(failure)) => blind = Some(failure),
            Some(Answer::Absent | Answer::Going | Answer::Foreign) => {
                unready.push(format!("{key} (it is gone)"));
            }
        }
    }
    let settled_at = looks.settled_at;
    let next = looks.ask()?;
    if let Some(failure) = blind {
        return Err(unreadable(failure, next, started.since));
    }
    if !failed.is_empty() {
        return Ok(transient(
            format!("failed: {}", failed.join(", ")),
            settled_at,
        ));
    }
    if unready.is_empty() {
        return Ok(Go::Done);
    }
    Ok(Go::Wait {
        said: format!("waiting for {}", unready.join(", ")),
        until: next,
    })
}
