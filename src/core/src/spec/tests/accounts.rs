//! When a stage is given another account.

use super::super::Accounts;
use super::*;

fn stages(of_all: &str, stages: &[(&str, Option<&str>)]) -> Spec {
    let stage = |(name, account): &(&str, Option<&str>)| {
        let mut stage = json!({ "name": name, "sourceRef": { "name": "shop" } });
        if let Some(account) = account {
            stage["serviceAccountName"] = json!(account);
        }
        stage
    };
    let stages: Vec<Value> = stages.iter().map(stage).collect();
    read(&json!({ "serviceAccountName": of_all, "stages": stages })).expect("a valid spec")
}

/// Each row is a spec after the one before.
#[test]
fn a_stage_that_is_given_another_account_is_noticed_once() {
    let mut accounts = Accounts::default();
    for (what, changed, spec) in [
        (
            "the first",
            false,
            stages("a", &[("x", None), ("y", Some("b"))]),
        ),
        (
            "said otherwise",
            false,
            stages("c", &[("x", Some("a")), ("y", Some("b"))]),
        ),
        (
            "another order",
            false,
            stages("c", &[("y", Some("b")), ("x", Some("a"))]),
        ),
        ("one gone", false, stages("c", &[("x", Some("a"))])),
        (
            "a new one",
            false,
            stages("c", &[("x", Some("a")), ("y", None)]),
        ),
        (
            "its own",
            true,
            stages("c", &[("x", Some("a")), ("y", Some("b"))]),
        ),
        ("for all", true, stages("b", &[("x", None), ("y", None)])),
        ("the same", false, stages("b", &[("x", None), ("y", None)])),
    ] {
        assert_eq!(accounts.follow(&spec), changed, "{what}");
        assert!(!accounts.follow(&spec), "{what}, twice");
    }
}
