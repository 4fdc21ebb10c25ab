//! Promotion gates.

use serde_json::{Value, json};

use super::{check, row};
use crate::spec::tests::stage_with;

#[test]
fn promotions() {
    let source = json!({"prometheus": {"address": "http://p", "query": "q"}});
    let promotion = |value: Value| stage_with(json!({ "promotion": value }));
    let fast = |soak: &str, track: Value| promotion(json!({"soak": soak, "fastTrack": track}));
    let restarts = |check: Value| promotion(json!({"restartGate": {"checks": [check]}}));
    let events = |check: Value| promotion(json!({"eventGate": {"checks": [check]}}));
    let analysis = |check: Value| promotion(json!({"analysis": {"checks": [check]}}));
    let pods = json!({"matchLabels": {"app": "web"}});
    let restart = json!({"name": "c", "selector": pods});
    let measured = json!({"name": "c", "source": source, "threshold": {"max": "1"}});
    let selecting = |selector: Value| restarts(json!({"name": "c", "selector": selector}));
    let expression = |key: &str, operator: &str, values: Value| {
        selecting(
            json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}),
        )
    };
    let at = "spec.stages[0].promotion";
    let selector = "spec.stages[0].promotion.restartGate.checks[0].selector";
    assert!(selector.starts_with(at));
    check(vec![
        row(
            "V28",
            promotion(json!({"fastTrack": {"source": source, "max": "1"}})),
            "spec.stages[0].promotion.fastTrack",
            ["\"app\"", "soak"],
        ),
        row(
            "V28",
            fast("0s", json!({"source": source, "max": "1"})),
            "spec.stages[0].promotion.fastTrack",
            ["soak"],
        ),
        row(
            "V28",
            fast("1h", json!({"source": {}, "max": "1"})),
            "spec.stages[0].promotion.fastTrack.source",
            ["\"app\""],
        ),
        row(
            "V28",
            fast("1h", json!({"source": source, "max": "few"})),
            "spec.stages[0].promotion.fastTrack.max",
            ["\"app\"", "\"few\""],
        ),
        row(
            "G6",
            fast("1h", json!({"source": source, "max": "inf"})),
            "spec.stages[0].promotion.fastTrack.max",
            ["\"inf\""],
        ),
        row(
            "V28",
            promotion(json!({"restartGate": {"checks": []}})),
            "spec.stages[0].promotion.restartGate.checks",
            ["\"app\"", "restartGate"],
        ),
        row(
            "V28",
            restarts(json!({"name": "", "selector": pods})),
            "spec.stages[0].promotion.restartGate.checks[0].name",
            ["\"app\""],
        ),
        row(
            "V28",
            promotion(json!({"restartGate": {"checks": [restart, restart]}})),
            "spec.stages[0].promotion.restartGate.checks[1].name",
            ["\"c\""],
        ),
        row(
            "V28",
            selecting(json!({})),
            selector,
            ["\"app\"", "\"c\"", "empty"],
        ),
        row(
            "V28",
            selecting(json!({"matchLabels": {"a b": "c"}})),
            selector,
            ["\"a b\""],
        ),
        row(
            "V28",
            selecting(json!({"matchLabels": {"a": "b c"}})),
            selector,
            ["\"b c\""],
        ),
        row(
            "V28",
            expression("a", "Near", json!([])),
            selector,
            ["\"Near\""],
        ),
        row(
            "V28",
            expression("a", "In", json!([])),
            selector,
            ["In", "values"],
        ),
        row(
            "V28",
            expression("a", "Exists", json!(["b"])),
            selector,
            ["Exists"],
        ),
        row(
            "V28",
            expression("-", "In", json!(["b"])),
            selector,
            ["\"-\""],
        ),
        row(
            "V28",
            expression("a", "In", json!(["b c"])),
            selector,
            ["\"b c\""],
        ),
        row(
            "V28",
            promotion(json!({"restartGate": {"onFailure": "Panic", "checks": [restart]}})),
            "spec.stages[0].promotion.restartGate.onFailure",
            ["\"Panic\"", "Hold, Rollback"],
        ),
        row(
            "V28",
            restarts(json!({"name": "c", "selector": pods, "onFailure": "Panic"})),
            "spec.stages[0].promotion.restartGate.checks[0].onFailure",
            ["\"Panic\""],
        ),
        row(
            "schema",
            restarts(json!({"name": "c", "selector": pods, "maxRestarts": -1})),
            "spec.stages[0].promotion.restartGate.checks[0].maxRestarts",
            ["-1"],
        ),
        row(
            "V28",
            promotion(json!({"eventGate": {"checks": []}})),
            "spec.stages[0].promotion.eventGate.checks",
            ["eventGate"],
        ),
        row(
            "V28",
            events(json!({"name": "c", "selector": pods, "reasons": []})),
            "spec.stages[0].promotion.eventGate.checks[0].reasons",
            ["\"app\"", "\"c\""],
        ),
        row(
            "V28",
            promotion(json!({"analysis": {"checks": []}})),
            "spec.stages[0].promotion.analysis.checks",
            ["analysis"],
        ),
        row(
            "V28",
            analysis(json!({"name": "", "source": source, "threshold": {"max": "1"}})),
            "spec.stages[0].promotion.analysis.checks[0].name",
            ["\"app\""],
        ),
        row(
            "V28",
            promotion(json!({"analysis": {"checks": [measured, measured]}})),
            "spec.stages[0].promotion.analysis.checks[1].name",
            ["\"c\""],
        ),
        row(
            "V28",
            analysis(json!({"name": "c", "source": {}, "threshold": {"max": "1"}})),
            "spec.stages[0].promotion.analysis.checks[0].source",
            ["\"app\"", "\"c\""],
        ),
        row(
            "V28",
            analysis(json!({"name": "c", "source": source, "threshold": {}})),
            "spec.stages[0].promotion.analysis.checks[0].threshold",
            ["\"c\"", "min or max"],
        ),
        row(
            "V28",
            analysis(json!({"name": "c", "source": source, "threshold": {"min": "low"}})),
            "spec.stages[0].promotion.analysis.checks[0].threshold.min",
            ["\"low\""],
        ),
        row(
            "V28",
            promotion(json!({"analysis": {"onFailure": "x", "checks": [measured]}})),
            "spec.stages[0].promotion.analysis.onFailure",
            ["\"x\""],
        ),
        row(
            "V28",
            promotion(json!({"analysis": {"onSourceError": "x", "checks": [measured]}})),
            "spec.stages[0].promotion.analysis.onSourceError",
            ["\"x\""],
        ),
        row(
            "schema",
            promotion(json!({"analysis": {"failureLimit": -1, "checks": [measured]}})),
            "spec.stages[0].promotion.analysis.failureLimit",
            ["-1"],
        ),
        row(
            "G8",
            promotion(json!({"soak": "-1h"})),
            "spec.stages[0].promotion.soak",
            ["\"-1h\""],
        ),
    ]);
}
