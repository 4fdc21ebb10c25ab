//! Kinds that run to an end: Pod and Job.

use super::Judgement;
use super::fields::{Fields, Malformed, quoted};
use crate::observation::Health;

/// A Pod that ended is current, however it ended; a running one once it is ready.
///
/// A crash loop is a failure. Unschedulable is *in progress*, with the scheduler's words: kstatus
/// calls it a failure after 15 s, for which the core has no clock.
pub(super) fn pod(object: &Fields<'_>) -> Judgement {
    let conditions = object.conditions()?;
    let phase = object.text("status.phase")?.unwrap_or_default();
    match phase {
        "Succeeded" | "Failed" => Ok(Health::Current),
        "Running" => {
            if conditions
                .iter()
                .any(|condition| condition.is("Ready", "True"))
            {
                return Ok(Health::Current);
            }
            let waiting = waiting(object, "status.containerStatuses")?;
            let looping: Vec<_> = waiting
                .iter()
                .filter(|(_, why)| *why == "CrashLoopBackOff")
                .collect();
            if !looping.is_empty() {
                return Ok(Health::Failed(format!(
                    "{} container(s) in a crash loop: {}",
                    looping.len(),
                    looping
                        .iter()
                        .map(|(name, _)| *name)
                        .collect::<Vec<_>>()
                        .join(", ")
                )));
            }
            Ok(Health::InProgress(containers(
                "it runs but isn't ready",
                &waiting,
            )))
        }
        "Pending" => {
            let unschedulable = conditions.iter().find(|condition| {
                condition.is("PodScheduled", "False") && condition.reason == "Unschedulable"
            });
            if let Some(condition) = unschedulable {
                return Ok(Health::InProgress(format!("no node takes it: {condition}")));
            }
            let mut waiting = waiting(object, "status.initContainerStatuses")?;
            waiting.extend(self::waiting(object, "status.containerStatuses")?);
            Ok(Health::InProgress(containers("it is pending", &waiting)))
        }
        "" => Ok(Health::InProgress("status.phase isn't there yet".into())),
        other => Ok(Health::InProgress(format!(
            "its phase is {:?}",
            quoted(other)
        ))),
    }
}

/// Containers that wait, and for what, as far as a reason is given.
fn waiting<'a>(object: &Fields<'a>, list: &str) -> Result<Vec<(&'a str, &'a str)>, Malformed> {
    let mut waiting = Vec::new();
    for container in object.list(list)? {
        if let Some(reason) = container.text("state.waiting.reason")? {
            waiting.push((container.text("name")?.unwrap_or("(unnamed)"), reason));
        }
    }
    Ok(waiting)
}

fn containers(what: &str, waiting: &[(&str, &str)]) -> String {
    if waiting.is_empty() {
        return what.to_owned();
    }
    let list: Vec<_> = waiting
        .iter()
        .map(|(name, reason)| format!("{name} {reason}"))
        .collect();
    format!("{what}: {}", quoted(&list.join(", ")))
}

/// Current once complete (or suspended, when nothing is to be awaited), failed once failed.
///
/// This is Flux's own reader for Jobs; plain kstatus takes a Job for current as soon as it starts,
/// which would let the next stage begin before a migration is through.
pub(super) fn job(object: &Fields<'_>) -> Judgement {
    let parallelism = object.count("spec.parallelism")?.unwrap_or(1);
    let wanted = object.count("spec.completions")?.unwrap_or(parallelism);
    let active = object.count_or_zero("status.active")?;
    let succeeded = object.count_or_zero("status.succeeded")?;
    let failed = object.count_or_zero("status.failed")?;
    for condition in object.conditions()? {
        if condition.is("Complete", "True") {
            return Ok(Health::Current);
        }
        if condition.is("Failed", "True") {
            return Ok(Health::Failed(format!(
                "{condition} ({failed} pod(s) failed)"
            )));
        }
    }
    if object.flag("spec.suspend")? == Some(true) {
        return Ok(Health::Current);
    }
    if object
        .text("status.startTime")?
        .unwrap_or_default()
        .is_empty()
    {
        return Ok(Health::InProgress("it has not started".into()));
    }
    Ok(Health::InProgress(format!(
        "{succeeded} of {wanted} pod(s) succeeded, {active} active, {failed} failed"
    )))
}

#[cfg(test)]
#[path = "pod_tests.rs"]
mod tests;
