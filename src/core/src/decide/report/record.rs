//! What a report leaves in the status: conditions, stage statuses, pins.

use stageset_api::reason::Reason;

use crate::names::StageName;
use crate::observation::{
    ActionRecord, Condition, ConditionStatus, Observation, Phase, StageStatus, Status,
};
use crate::spec::Spec;
use crate::time::Timestamp;

use super::super::actions;
use super::super::release::{Release, StageView};
use super::{Progress, Report};

/// Longest message of a condition, and of all that is said beside it; the API convention allows 32 KiB for both,
/// people read less.
const MESSAGE_MAX: usize = 8 * 1024;

impl Report {
    /// The status with this report in it.
    pub(in super::super) fn status(&self, observation: &Observation) -> Status {
        let stage_set = &observation.stage_set;
        let recorded = &stage_set.status;
        let mut status = Status {
            observed_generation: recorded.observed_generation,
            last_handled_reconcile_at: recorded.last_handled_reconcile_at.clone(),
            conditions: self.conditions(observation),
            last_attempted_revisions: self
                .attempted
                .as_ref()
                .unwrap_or(&recorded.last_attempted_revisions)
                .clone(),
            last_applied_revisions: self
                .applied
                .as_ref()
                .unwrap_or(&recorded.last_applied_revisions)
                .clone(),
            stages: match &stage_set.spec {
                Ok(spec) => self.stages_of(observation, spec),
                Err(_) => recorded.stages.clone(),
            },
            action_failures: recorded.action_failures,
            // Whoever reports handles it (K24).
            handled_by: observation
                .config
                .release
                .as_ref()
                .or(recorded.handled_by.as_ref())
                .cloned(),
        };
        if self.reason != Reason::Suspended {
            status.observed_generation = stage_set.generation;
            if stage_set.requested_at.is_some() {
                status
                    .last_handled_reconcile_at
                    .clone_from(&stage_set.requested_at);
            }
        }
        if self.applied.is_some() {
            status.action_failures = 0;
        }
        if self.reason != Reason::Suspended {
            actions::forgive(observation, &mut status);
        }
        status
    }

    /// The stages of the spec, in its order: reported ones as reported, others as recorded.
    fn stages_of(&self, observation: &Observation, spec: &Spec) -> Vec<StageStatus> {
        spec.stages
            .iter()
            .filter_map(|stage| {
                let recorded = observation.stage_set.status.stage(&stage.name);
                match (self.stages.get(&stage.name), recorded) {
                    (Some(reported), Some(recorded)) => Some(over(recorded, reported)),
                    (Some(reported), None) => Some(reported.clone()),
                    (None, recorded) => recorded.cloned(),
                }
            })
            .collect()
    }

    fn conditions(&self, observation: &Observation) -> Vec<Condition> {
        let mut message = cut(&self.message);
        let notes = actions::notes(observation);
        if !notes.is_empty() {
            // However long the message is, what is said beside it is said, too.
            let notes: Vec<String> = notes.into_iter().map(|(_, note)| note).collect();
            message = format!("{message}; {}", cut(&notes.join("; ")));
        }
        let mut conditions = vec![condition(
            observation,
            "Ready",
            self.ready,
            self.reason.as_str(),
            &self.reason.with_runbook(&message),
        )];
        if let Some(reason) = self.progress.reconciling() {
            let status = ConditionStatus::True;
            conditions.push(condition(
                observation,
                "Reconciling",
                status,
                reason,
                &message,
            ));
        }
        if self.progress == Progress::Stalled {
            let (status, reason) = (ConditionStatus::True, self.reason.as_str());
            conditions.push(condition(observation, "Stalled", status, reason, &message));
        }
        conditions
    }
}

pub(super) fn blank(stage: &StageName) -> StageStatus {
    StageStatus {
        name: stage.clone(),
        phase: Phase::Pending,
        applied_revision: None,
        entries_count: 0,
        message: None,
        run: None,
        verifying_since: None,
        actions: ActionRecord::default(),
    }
}

pub(super) fn applied(
    release: &Release<'_>,
    stage: &StageView<'_>,
    verifying_since: Option<Timestamp>,
) -> StageStatus {
    StageStatus {
        name: stage.spec.name.clone(),
        phase: Phase::Verifying,
        applied_revision: Some(stage.revision.to_owned()),
        entries_count: stage.objects.len(),
        message: None,
        run: Some(release.run.clone()),
        verifying_since,
        actions: stage
            .recorded
            .map(|recorded| recorded.actions.clone())
            .unwrap_or_default(),
    }
}

/// Written, ready, and nothing of it under way.
pub(super) fn ready(release: &Release<'_>, stage: &StageView<'_>) -> StageStatus {
    let written = applied(release, stage, None);
    StageStatus {
        phase: Phase::Ready,
        actions: actions::settled(release.observation, stage.spec, written.actions),
        ..written
    }
}

/// A failure before anything was applied says nothing of what stands: revision, count and run stay.
fn over(recorded: &StageStatus, reported: &StageStatus) -> StageStatus {
    if reported.run.is_some() {
        return reported.clone();
    }
    // From its first write on, what stands isn't what the recorded run left: a revision that comes back
    // begins anew, in order (L4).
    let stands = reported.phase != Phase::Applying;
    StageStatus {
        phase: reported.phase,
        message: reported.message.clone(),
        run: recorded.run.clone().filter(|_| stands),
        ..recorded.clone()
    }
}

fn condition(
    observation: &Observation,
    kind: &'static str,
    status: ConditionStatus,
    reason: &str,
    message: &str,
) -> Condition {
    let last_transition = observation
        .stage_set
        .status
        .condition(kind)
        .filter(|recorded| recorded.status == status)
        .map_or(observation.now, |recorded| recorded.last_transition);
    Condition {
        kind,
        status,
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: observation.stage_set.generation,
        last_transition,
    }
}

pub(super) fn cut(message: &str) -> String {
    if message.len() <= MESSAGE_MAX {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MESSAGE_MAX);
    format!("{}…", &message[..end])
}

/// Whether two statuses differ in nothing but messages.
pub(super) fn same_but_for_words(a: &Status, b: &Status) -> bool {
    fn wordless(status: &Status) -> Status {
        let mut status = status.clone();
        for condition in &mut status.conditions {
            condition.message.clear();
        }
        for stage in &mut status.stages {
            stage.message = None;
        }
        status
    }
    wordless(a) == wordless(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_messages_and_nothing_else() {
        let name = StageName::new("app").unwrap();
        let status = Status {
            conditions: vec![Condition {
                kind: "Ready",
                status: ConditionStatus::False,
                reason: "StageProgressing".into(),
                message: "one".into(),
                observed_generation: 1,
                last_transition: Timestamp::default(),
            }],
            stages: vec![StageStatus {
                message: Some("one".into()),
                ..blank(&name)
            }],
            ..Status::default()
        };
        let mut words = status.clone();
        words.conditions[0].message = "other".into();
        words.stages[0].message = None;
        assert!(same_but_for_words(&status, &words));
        let changes: [fn(&mut Status); 5] = [
            |status| status.conditions[0].reason = "StageFailed".into(),
            |status| status.conditions[0].status = ConditionStatus::True,
            |status| status.stages[0].phase = Phase::Failed,
            |status| status.observed_generation = 7,
            |status| status.stages.clear(),
        ];
        for change in changes {
            let mut changed = words.clone();
            change(&mut changed);
            assert!(!same_but_for_words(&status, &changed), "{changed:?}");
        }
    }
}
