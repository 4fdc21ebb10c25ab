//! What holds for every kind, and all there is for custom resources: deletion, observed generation
//! and the conditions `Reconciling`, `Stalled` and `Ready`.

use super::Judgement;
use super::fields::{Fields, Malformed};
use crate::observation::Health;

/// What can be said before the kind is looked at; `None` leaves it to the kind's own rule.
pub(super) fn common(object: &Fields<'_>) -> Result<Option<Health>, Malformed> {
    if object
        .text("metadata.deletionTimestamp")?
        .is_some_and(|at| !at.is_empty())
    {
        return Ok(Some(Health::Terminating));
    }
    if let (Some(generation), Some(observed)) = (
        object.count("metadata.generation")?,
        object.count("status.observedGeneration")?,
    ) && generation != observed
    {
        return Ok(Some(Health::InProgress(format!(
            "its controller has seen generation {observed} of {generation}"
        ))));
    }
    for condition in object.conditions()? {
        if condition.is("Reconciling", "True") {
            return Ok(Some(Health::InProgress(condition.to_string())));
        }
        if condition.is("Stalled", "True") {
            return Ok(Some(Health::Failed(condition.to_string())));
        }
    }
    Ok(None)
}

/// The rule for kinds without one: the `Ready` condition, and current if there is none.
///
/// `Ready` that isn't true is *in progress*, never *failed*: the condition can't tell slow from
/// doomed, `Stalled` can.
pub(super) fn ready_condition(object: &Fields<'_>) -> Judgement {
    for condition in object.conditions()? {
        if condition.is("Ready", "True") {
            return Ok(Health::Current);
        }
        if condition.is("Ready", "False") || condition.is("Ready", "Unknown") {
            return Ok(Health::InProgress(condition.to_string()));
        }
    }
    Ok(Health::Current)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::judge::health::judge;
    use crate::observation::Health;

    fn object(generation: &Value, status: &Value) -> Value {
        json!({
            "apiVersion": "example.com/v1", "kind": "Thing",
            "metadata": {"name": "a", "generation": generation},
            "status": status,
        })
    }

    fn in_progress(message: &str) -> Health {
        Health::InProgress(message.into())
    }

    #[test]
    fn custom_resources_go_by_generation_and_conditions() {
        let ready = |status: &str| json!({"conditions": [{"type": "Ready", "status": status, "reason": "Why", "message": "because"}]});
        let both = |first: &str, second: &str| {
            json!({"conditions": [
                {"type": "Ready", "status": "True"},
                {"type": first, "status": "True", "reason": "R", "message": "m"},
                {"type": second, "status": "False"},
            ]})
        };
        for (generation, status, expected) in [
            (json!(2), json!({}), Health::Current),
            (json!(2), json!(null), Health::Current),
            (json!(2), json!({"conditions": null}), Health::Current),
            (json!(2), json!({"conditions": []}), Health::Current),
            (json!(2), json!({"observedGeneration": 2}), Health::Current),
            (
                json!(2),
                json!({"observedGeneration": 1}),
                in_progress("its controller has seen generation 1 of 2"),
            ),
            (
                json!(2),
                json!({"observedGeneration": 3}),
                in_progress("its controller has seen generation 3 of 2"),
            ),
            (
                json!(null),
                json!({"observedGeneration": 3}),
                Health::Current,
            ),
            (json!(2), ready("True"), Health::Current),
            (json!(2), ready("False"), in_progress("Why: because")),
            (json!(2), ready("Unknown"), in_progress("Why: because")),
            (json!(2), ready(""), Health::Current),
            (
                json!(2),
                both("Reconciling", "Stalled"),
                in_progress("R: m"),
            ),
            (
                json!(2),
                both("Stalled", "Reconciling"),
                Health::Failed("R: m".into()),
            ),
            (json!(2), both("Available", "Reconciling"), Health::Current),
            (
                json!(2),
                json!({"conditions": [{"type": "Ready", "status": "False"}]}),
                in_progress("Ready is \"False\""),
            ),
            (
                json!(2),
                json!({"conditions": [{"type": "Ready", "status": "False", "reason": "No"}]}),
                in_progress("No"),
            ),
            // Kinds that write conditions without a status (there are some) say nothing by them.
            (
                json!(2),
                json!({"conditions": [{"type": "Ready"}, {"message": "m"}]}),
                Health::Current,
            ),
        ] {
            assert_eq!(
                judge(&object(&generation, &status)),
                expected,
                "{generation} {status}"
            );
        }
    }

    #[test]
    fn an_unobserved_generation_outweighs_ready() {
        let status = json!({
            "observedGeneration": 1,
            "conditions": [{"type": "Ready", "status": "True"}],
        });
        assert!(matches!(
            judge(&object(&json!(2), &status)),
            Health::InProgress(_)
        ));
    }

    #[test]
    fn deletion_outweighs_everything() {
        let mut doomed = object(&json!(2), &json!({"observedGeneration": 1}));
        doomed["metadata"]["deletionTimestamp"] = json!("2026-11-23T20:41:39Z");
        assert_eq!(judge(&doomed), Health::Terminating);
    }

    #[test]
    fn malformed_status_is_in_progress_and_named() {
        for (status, field) in [
            (json!("Running"), "status is a text"),
            (json!([1]), "status is a list"),
            (
                json!({"observedGeneration": "2"}),
                "status.observedGeneration is a text",
            ),
            (
                json!({"observedGeneration": -2}),
                "status.observedGeneration is a negative number",
            ),
            (json!({"conditions": {}}), "status.conditions is an object"),
            (
                json!({"conditions": ["Ready"]}),
                "status.conditions[0] is a text",
            ),
            (
                json!({"conditions": [{"type": "Ready", "status": true}]}),
                "status.conditions[0].status is a truth value",
            ),
        ] {
            let health = judge(&object(&json!(2), &status));
            let Health::InProgress(message) = &health else {
                panic!("{status}: {health:?}")
            };
            assert!(message.contains(field), "{message}");
        }
    }
}
