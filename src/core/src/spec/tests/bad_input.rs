//! Every value of a spec that uses all of actions, checks, conflicts, dependencies, variables and
//! accounts, made wrong in every way that has a name: another type, a word that isn't in the list, the
//! empty text, blanks, control characters, the absurdly long, the negative, the huge. None may crash,
//! each gets a sentence that names its place, or is listed here with why it is taken.

use serde_json::{Value, json};

use super::{problems, read};

/// All of this part in one spec.
fn whole() -> Value {
    json!({
        "interval": "1h", "retryInterval": "30s", "driftDetectionInterval": "5m", "timeout": "90s",
        "onTimeout": "Hold", "suspend": false, "serviceAccountName": "deployer",
        "dependsOn": [{"name": "db", "namespace": "data"}],
        "kubeConfig": {"secretRef": {"name": "prod", "key": "value"}},
        "stages": [{
            "name": "app", "path": "a/b", "serviceAccountName": "app", "prune": true, "timeout": "2m",
            "onTimeout": "Hold", "force": false,
            "sourceRef": {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
                          "name": "s", "namespace": "other"},
            "conflictPolicy": {"default": "Fail", "rules": [{
                "target": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "namespace": "shop"},
                "action": "Recreate", "allowDataLoss": true,
            }]},
            "postBuild": {
                "substitute": {"NAME": "x"},
                "substituteFrom": [{"kind": "Secret", "name": "v", "optional": true}],
            },
            "readyChecks": {
                "timeout": "3m", "disableWait": false,
                "checks": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "namespace": "shop"}],
                "exprs": [{"apiVersion": "v1", "kind": "ConfigMap", "current": "has(metadata.uid)",
                           "inProgress": "has(status.a)", "failed": "has(status.b)"}],
            },
            "actions": actions(),
        }],
    })
}

fn actions() -> Value {
    json!({
        "pre": [
            {"name": "p", "scope": "Revision", "timeout": "1m", "retries": 2, "patch": {
                "target": {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "namespace": "shop"},
                "type": "merge", "patch": "data: {a: b}"}},
            {"name": "j", "job": {"path": "jobs", "sourceRef": {"kind": "Bucket", "name": "s"}}},
            {"name": "d", "delete": {"cascade": "Orphan",
                "target": {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "namespace": "shop"}}},
        ],
        "post": [
            {"name": "h", "scope": "Lifetime",
             "completionAnchor": {"apiVersion": "v1", "kind": "ConfigMap", "name": "w"},
             "http": {"url": "https://a.example/b", "method": "PUT", "body": "x",
                      "bodyFrom": {"name": "s", "key": "k"},
                      "headersFrom": [{"name": "s", "key": "Authorization"}],
                      "expectedStatus": [200]}},
            {"name": "w", "wait": {"expr": "has(metadata.uid)", "timeout": "1m",
                "target": {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "namespace": "shop"}}},
            {"name": "a", "apply": {"path": "x", "wait": true, "sourceRef": {"name": "s"}}},
        ],
        "onFailure": [{"name": "f", "wait": {"duration": "5s"}}],
    })
}

/// Pointers to all values that aren't lists or objects, and to those that are.
fn places(value: &Value, at: &str, leaves: &mut Vec<String>, branches: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            branches.push(at.to_owned());
            for (name, inner) in fields {
                places(inner, &format!("{at}/{name}"), leaves, branches);
            }
        }
        Value::Array(items) => {
            branches.push(at.to_owned());
            for (index, inner) in items.iter().enumerate() {
                places(inner, &format!("{at}/{index}"), leaves, branches);
            }
        }
        _ => leaves.push(at.to_owned()),
    }
}

fn of_whole() -> (Vec<String>, Vec<String>) {
    let (mut leaves, mut branches) = (Vec::new(), Vec::new());
    places(&whole(), "", &mut leaves, &mut branches);
    branches.retain(|branch| !branch.is_empty());
    (leaves, branches)
}

fn with(at: &str, value: &Value) -> Value {
    let mut spec = whole();
    *spec.pointer_mut(at).unwrap() = value.clone();
    spec
}

/// `/stages/0/actions/pre/1/job` as problems write it.
fn field(at: &str) -> String {
    let mut field = "spec".to_owned();
    for step in at.split('/').skip(1) {
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            field.push_str(&format!("[{step}]"));
        } else {
            field.push('.');
            field.push_str(step);
        }
    }
    field
}

/// Whether a problem is about this place: the place itself, what holds it, or what is in it.
fn is_about(found: &str, place: &str) -> bool {
    let holds = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
    };
    holds(found, place) || holds(place, found)
}

fn refused(at: &str, value: &Value) {
    let place = field(at);
    let shown: String = value.to_string().chars().take(60).collect();
    let found = problems_of(at, value).unwrap_or_else(|| panic!("{place} = {shown} was taken"));
    assert!(
        found.iter().any(|problem| is_about(&problem.0, &place)),
        "{place} = {shown}: nothing of this names the place: {found:#?}"
    );
    for (_, message) in &found {
        assert!(
            message.len() < 2000,
            "{place} = {shown}: the message is endless"
        );
        assert!(
            message.len() > 8,
            "{place} = {shown}: {message:?} says nothing"
        );
    }
}

fn problems_of(at: &str, value: &Value) -> Option<Vec<(String, String)>> {
    let found = read(&with(at, value)).err()?;
    let pairs = found
        .into_iter()
        .map(|problem| (problem.field.clone(), problem.message.clone()));
    Some(pairs.collect())
}

#[test]
fn the_whole_is_valid() {
    assert_eq!(read(&whole()).err(), None);
}

#[test]
fn another_type_is_refused_everywhere() {
    let (leaves, branches) = of_whole();
    assert!(leaves.len() > 60, "{}", leaves.len());
    for at in &leaves {
        let whole = whole();
        let right = whole.pointer(at).unwrap();
        for wrong in [
            json!("x"),
            json!(5),
            json!(true),
            json!([]),
            json!({}),
            json!(1.5),
        ] {
            let same = std::mem::discriminant(&wrong) == std::mem::discriminant(right);
            if !same {
                refused(at, &wrong);
            }
        }
    }
    for at in &branches {
        let is_list = whole().pointer(at).unwrap().is_array();
        let other = if is_list { json!({"a": 1}) } else { json!([1]) };
        for wrong in [other, json!("x"), json!(7), json!(false)] {
            refused(at, &wrong);
        }
    }
}

/// Texts that may be empty: it means what leaving the field out means, or is the content itself.
const EMPTY_IS_ABSENT: [&str; 26] = [
    "/dependsOn/0/namespace",
    "/kubeConfig/secretRef/key",
    "/stages/0/actions/post/0/http/body",
    "/stages/0/actions/post/1/wait/target/apiVersion",
    "/stages/0/actions/post/1/wait/target/namespace",
    "/stages/0/actions/post/2/apply/path",
    "/stages/0/actions/pre/0/patch/target/apiVersion",
    "/stages/0/actions/pre/0/patch/target/namespace",
    "/stages/0/actions/pre/1/job/path",
    "/stages/0/actions/pre/1/job/sourceRef/kind",
    "/stages/0/actions/pre/2/delete/target/apiVersion",
    "/stages/0/actions/pre/2/delete/target/namespace",
    "/stages/0/conflictPolicy/rules/0/target/apiVersion",
    "/stages/0/conflictPolicy/rules/0/target/kind",
    "/stages/0/conflictPolicy/rules/0/target/name",
    "/stages/0/conflictPolicy/rules/0/target/namespace",
    "/stages/0/path",
    "/stages/0/postBuild/substitute/NAME",
    "/stages/0/readyChecks/checks/0/apiVersion",
    "/stages/0/readyChecks/checks/0/namespace",
    "/stages/0/readyChecks/exprs/0/current",
    "/stages/0/readyChecks/exprs/0/failed",
    "/stages/0/readyChecks/exprs/0/inProgress",
    "/stages/0/sourceRef/apiVersion",
    "/stages/0/sourceRef/kind",
    "/stages/0/sourceRef/namespace",
];

fn texts() -> Vec<String> {
    let (leaves, _) = of_whole();
    let whole = whole();
    leaves
        .into_iter()
        .filter(|at| whole.pointer(at).unwrap().is_string())
        .collect()
}

#[test]
fn the_empty_text_is_refused_or_means_nothing() {
    let mut taken = Vec::new();
    for at in texts() {
        if problems_of(&at, &json!("")).is_none() {
            taken.push(at);
        } else {
            refused(&at, &json!(""));
        }
    }
    assert_eq!(taken, EMPTY_IS_ABSENT);
}

#[test]
fn blanks_and_control_characters_are_refused() {
    // What people write as they like: contents.
    let contents = ["/NAME", "/http/body", "/patch/patch"];
    let mut taken = Vec::new();
    for at in texts() {
        if contents.iter().any(|end| at.ends_with(end)) {
            continue;
        }
        for wrong in ["a\u{0}b", "a\nb", "a\r\nX-Injected: 1"] {
            if problems_of(&at, &json!(wrong)).is_none() {
                taken.push((at.clone(), wrong));
            } else {
                refused(&at, &json!(wrong));
            }
        }
    }
    assert_eq!(taken, [] as [(String, &str); 0]);
}

#[test]
fn the_absurdly_long_is_refused() {
    let mut taken = Vec::new();
    let long = "a".repeat(1 << 20);
    let contents = ["/NAME", "/http/body", "/patch/patch"];
    for at in texts() {
        if !contents.iter().any(|end| at.ends_with(end)) {
            if problems_of(&at, &json!(long)).is_none() {
                taken.push(at);
            } else {
                refused(&at, &json!(long));
            }
        }
    }
    assert_eq!(taken, [""; 0]);
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    for at in [
        "/stages/0/actions/pre/0/retries",
        "/stages/0/actions/post/0/http/expectedStatus/0",
    ] {
        for wrong in [
            json!(-1),
            json!(1_000_000_000_000_i64),
            json!(u64::MAX),
            json!(1e300),
        ] {
            refused(at, &wrong);
        }
    }
}

#[test]
fn words_that_are_not_in_the_list_are_refused_with_the_list() {
    for (at, allowed) in [
        ("/onTimeout", "Hold"),
        ("/stages/0/onTimeout", "Hold"),
        ("/stages/0/conflictPolicy/default", "KeepExisting"),
        ("/stages/0/conflictPolicy/rules/0/action", "KeepExisting"),
        ("/stages/0/postBuild/substituteFrom/0/kind", "ConfigMap"),
        ("/stages/0/actions/pre/0/scope", "Lifetime"),
        ("/stages/0/actions/pre/0/patch/type", "json6902"),
        ("/stages/0/actions/pre/2/delete/cascade", "Foreground"),
        ("/stages/0/actions/post/0/http/method", "DELETE"),
    ] {
        for wrong in ["Sometimes", "hold", "RECREATE"] {
            refused(at, &json!(wrong));
            let found = problems(&with(at, &json!(wrong)));
            let place = field(at);
            assert!(
                found
                    .iter()
                    .any(|p| is_about(&p.field, &place) && p.to_string().contains(allowed)),
                "{place}: what would be right isn't said: {found:#?}"
            );
        }
    }
}
