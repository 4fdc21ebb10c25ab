//! Readiness, timeouts, dependencies and update windows.

use serde_json::{Value, json};

use super::{check, row};
use crate::spec::tests::{lines, spec_with, stage_with};

#[test]
fn readiness_timeouts_dependencies_and_windows() {
    let checks = |value: Value| stage_with(json!({ "readyChecks": value }));
    let window = |value: Value| spec_with(json!({ "updateWindows": [value] }));
    let recurring = |schedule: &str, duration: &str, zone: &str| {
        window(
            json!({"type": "Allow", "schedule": schedule, "duration": duration, "timeZone": zone}),
        )
    };
    let absolute = |from: &str, to: &str| window(json!({"type": "Deny", "from": from, "to": to}));
    let (day, later) = ("2026-12-24T00:00:00Z", "2026-12-25T00:00:00+01:00");
    let at = "spec.updateWindows[0]";
    check(vec![
        row(
            "V29",
            checks(json!({"checks": [{"kind": "", "name": "n"}]})),
            "spec.stages[0].readyChecks.checks[0].kind",
            ["\"app\"", "0"],
        ),
        row(
            "V29",
            checks(json!({"checks": [{"kind": "K"}]})),
            "spec.stages[0].readyChecks.checks[0].name",
            ["\"app\""],
        ),
        row(
            "V29",
            checks(json!({"exprs": [{"apiVersion": "a/b/c", "kind": "K"}]})),
            "spec.stages[0].readyChecks.exprs[0].apiVersion",
            ["\"app\"", "expression 0", "\"a/b/c\""],
        ),
        row(
            "V30",
            spec_with(json!({"onTimeout": "Panic"})),
            "spec.onTimeout",
            ["\"Panic\"", "Hold, Rollback"],
        ),
        row(
            "V30",
            stage_with(json!({"onTimeout": "Panic"})),
            "spec.stages[0].onTimeout",
            ["\"Panic\""],
        ),
        row(
            "V30",
            spec_with(json!({"dependsOn": [{"name": ""}]})),
            "spec.dependsOn[0].name",
            ["[0]"],
        ),
        row(
            "V30",
            spec_with(json!({"dependsOn": [{"name": "a", "minVersion": "new"}]})),
            "spec.dependsOn[0].minVersion",
            ["\"new\""],
        ),
        row(
            "V30",
            window(json!({"type": "Maybe", "from": day, "to": later})),
            "spec.updateWindows[0].type",
            ["\"Maybe\"", "Allow, Deny"],
        ),
        row("V30", window(json!({"type": "Allow"})), at, ["needed"]),
        row(
            "V30",
            window(json!({"type": "Allow", "schedule": "* * * * *", "from": day})),
            at,
            ["exclude"],
        ),
        row(
            "V30",
            window(json!({"type": "Allow", "schedule": "* * * * *"})),
            at,
            ["duration"],
        ),
        row(
            "V30",
            window(json!({"type": "Allow", "to": day})),
            at,
            ["from"],
        ),
        row(
            "V30",
            recurring("* * * *", "1h", "UTC"),
            "spec.updateWindows[0].schedule",
            ["\"* * * *\"", "5"],
        ),
        row(
            "V30",
            recurring("* * * * *", "0s", "UTC"),
            "spec.updateWindows[0].duration",
            ["\"0s\""],
        ),
        row(
            "V30",
            recurring("* * * * *", "1h", "Local"),
            "spec.updateWindows[0].timeZone",
            ["\"Local\""],
        ),
        row(
            "V30",
            absolute("soon", later),
            "spec.updateWindows[0].from",
            ["\"soon\""],
        ),
        row(
            "V30",
            absolute(later, day),
            "spec.updateWindows[0].to",
            ["not after"],
        ),
        row(
            "V30",
            absolute(day, day),
            "spec.updateWindows[0].to",
            ["not after"],
        ),
        row(
            "schema",
            spec_with(json!({"windowScope": "Most"})),
            "spec.windowScope",
            ["\"Most\"", "Updates, All"],
        ),
    ]);
}

/// What is right is refused by no rule, only as what this version doesn't do.
#[test]
fn windows_that_are_whole_break_no_rule() {
    for window in [
        json!({"type": "Allow", "schedule": "0 8 * * 1-5", "duration": "8h", "timeZone": "Europe/Berlin"}),
        json!({"type": "Deny", "from": "2026-12-24T00:00:00Z", "to": "2026-12-27T00:00:00Z"}),
    ] {
        let found = lines(&spec_with(json!({ "updateWindows": [window] })));
        let rules = found
            .iter()
            .filter(|line| line.starts_with('V') || line.starts_with('G'));
        assert_eq!(rules.count(), 0, "{found:?}");
        assert!(!found.is_empty());
    }
}
