//! What is said beside the state of the release is told once, whatever brings it on record first.

use crate::observation::{Observation, Status};
use crate::plan::{EventKind, Operation, Plan, RecordOperation};

use super::super::actions;
use super::super::stage::announce;

/// The plan with an event for each note that the first status which it records says anew.
pub(in crate::decide) fn told(observation: &Observation, mut plan: Plan) -> Plan {
    let steps = plan.steps.iter().map(|step| status_in(step));
    let Some((place, status)) = steps
        .enumerate()
        .find_map(|(place, status)| Some((place, status?)))
    else {
        return plan;
    };
    let says = |status: &Status, note: &str| {
        let ready = status.condition("Ready");
        ready.is_some_and(|ready| ready.message.contains(note))
    };
    let recorded = &observation.stage_set.status;
    let news: Vec<Vec<Operation>> = actions::notes(observation)
        .into_iter()
        .filter(|(_, note)| says(status, note) && !says(recorded, note))
        .map(|(reason, note)| vec![announce(EventKind::Warning, reason, note)])
        .collect();
    // What the status itself is about is told first.
    let follows = matches!(
        plan.steps.get(place + 1).map(Vec::as_slice),
        Some([Operation::Record(RecordOperation::Announce(_))])
    );
    let place = place + 1 + usize::from(follows);
    plan.steps.splice(place..place, news);
    plan
}

fn status_in(step: &[Operation]) -> Option<&Status> {
    step.iter().find_map(|operation| match operation {
        Operation::Record(
            RecordOperation::Status(status) | RecordOperation::Action { status, .. },
        ) => Some(&**status),
        Operation::Record(_) | Operation::Tenant(_) => None,
    })
}
