//! `readyChecks.exprs`: what an applied object has to say in its own words, besides its kstatus.

use crate::object::ObjectKey;
use crate::observation::Live;
use crate::spec::{ReadyExpressions, Stage};

/// What the expressions say of an object.
pub(super) enum Said {
    /// No expression is about it, or all hold.
    Ready,
    /// Not yet.
    Slow(String),
    /// `failed` holds.
    Failed(String),
    /// Its body isn't known: it has to be read.
    Unread,
}

/// The expressions about objects of this kind.
pub(super) fn about<'a>(
    stage: &'a Stage,
    key: &'a ObjectKey,
) -> impl Iterator<Item = &'a ReadyExpressions> {
    let all = stage.expressions.iter();
    all.filter(move |each| each.group == key.group && each.kind == key.kind)
}

/// Asks every expression about the object. Its status has to speak of the generation that it is at:
/// what it said of an older one opens nothing.
pub(super) fn ask(stage: &Stage, key: &ObjectKey, live: &Live) -> Said {
    let mut slow = None;
    for expressions in about(stage, key) {
        let Some(body) = &live.body else {
            return Said::Unread;
        };
        let observed = body
            .pointer("/status/observedGeneration")
            .and_then(serde_json::Value::as_i64);
        if let Some(observed) = observed.filter(|observed| *observed < live.generation) {
            return Said::Slow(format!(
                "its status is about generation {observed} of {}",
                live.generation
            ));
        }
        if let Some(failed) = &expressions.failed {
            match failed.evaluate(body) {
                Ok(true) => return Said::Failed(format!("expression \"{failed}\" holds")),
                Ok(false) => {}
                Err(error) => {
                    slow.get_or_insert(format!("expression \"{failed}\": {error}"));
                }
            }
        }
        if let Some(in_progress) = &expressions.in_progress
            && in_progress.evaluate(body) == Ok(true)
        {
            slow.get_or_insert(format!("expression \"{in_progress}\" holds"));
        }
        if let Some(current) = &expressions.current {
            match current.evaluate(body) {
                Ok(true) => {}
                Ok(false) => {
                    slow.get_or_insert(format!("expression \"{current}\" doesn't hold yet"));
                }
                Err(error) => {
                    slow.get_or_insert(format!("expression \"{current}\": {error}"));
                }
            }
        }
    }
    slow.map_or(Said::Ready, Said::Slow)
}
