//! Variables in built objects, and every way in which they can't be substituted.

use serde_json::{Value, json};
use stageset_render::{Limits, Tree, Variables, build, expand, substitute};

fn variables(pairs: &[(&str, &str)]) -> Variables {
    let mut variables = Variables::default();
    for (name, value) in pairs {
        variables.set(*name, *value).unwrap();
    }
    variables
}

fn substituted(yaml: &str, pairs: &[(&str, &str)]) -> Result<Vec<Value>, Vec<String>> {
    let tree = Tree::from_files([("a.yaml", yaml)]).unwrap();
    let limits = Limits::default();
    let mut objects = build(&tree, "", &limits).unwrap();
    match substitute(&mut objects, &variables(pairs), &limits) {
        Ok(()) => Ok(objects.into_iter().map(|object| object.value).collect()),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

/// The value of `spec.x` written as `text`.
#[track_caller]
fn spec(text: &str, pairs: &[(&str, &str)]) -> Value {
    let yaml = format!("apiVersion: e.com/v1\nkind: W\nmetadata:\n  name: w\nspec:\n  x: {text}\n");
    substituted(&yaml, pairs).unwrap()[0]["spec"]["x"].clone()
}

#[test]
fn a_value_is_read_as_yaml_would_read_it_in_its_place() {
    let table = [
        ("${v}", "5", json!(5)),
        ("'${v}'", "5", json!(5)), // kustomize prints no quotes that aren't needed
        ("${v}", "true", json!(true)),
        ("${v}", "", json!(null)),
        ("${v}", "0777", json!(511)),
        ("${v}", "1.20", json!(1.2)),
        ("${v}", "\"5\"", json!("5")),
        ("${v}", "'true'", json!("true")),
        ("${v}", "[1, a]", json!([1, "a"])),
        ("${v}", "{\"a\": [true]}", json!({"a": [true]})),
        ("${v}", "a: b", json!("a: b")),
        ("${v}", "a #b", json!("a #b")),
        ("${v}", "*alias", json!("*alias")),
        ("${v}", "one\ntwo: 2", json!("one\ntwo: 2")),
        ("${v}", "  5 ", json!(5)),
        ("1${v}", "5", json!(15)),
        ("\"x: ${v}\"", "5", json!("x: 5")),
        ("\"${v} #\"", "5", json!("5 #")),
        ("v${v}", ".5", json!("v.5")),
        (
            "${v} and $v and $${v} and $$",
            "x",
            json!("x and $v and ${v} and $"),
        ),
    ];
    for (text, value, expected) in table {
        assert_eq!(
            spec(text, &[("v", value)]),
            expected,
            "{text} with {value:?}"
        );
    }
}

#[test]
fn fields_that_hold_texts_keep_texts() {
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: n${n}\n  labels:\n    l: ${n}\n  \
                annotations:\n    a: ${n}\ndata:\n  port: ${n}\n---\napiVersion: apps/v1\nkind: Deployment\n\
                metadata:\n  name: w\nspec:\n  replicas: ${n}\n  template:\n    spec:\n      containers:\n      \
                - args: ['${n}']\n        env:\n        - name: PORT\n          value: ${n}\n        ports:\n        \
                - containerPort: ${n}\n";
    let objects = substituted(yaml, &[("n", "80")]).unwrap();
    assert_eq!(objects[0]["metadata"]["labels"]["l"], "80");
    assert_eq!(objects[0]["metadata"]["annotations"]["a"], "80");
    assert_eq!(objects[0]["data"]["port"], "80");
    assert_eq!(objects[1]["spec"]["replicas"], 80);
    let container = &objects[1]["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["args"][0], "80");
    assert_eq!(container["env"][0]["value"], "80");
    assert_eq!(container["ports"][0]["containerPort"], 80);
}

#[test]
fn k15_an_object_can_stay_out() {
    for key in [
        "stages.metio.wtf/substitute",
        "kustomize.toolkit.fluxcd.io/substitute",
    ] {
        for of in ["labels", "annotations"] {
            for (word, expected) in [("disabled", "${v}"), ("enabled", "x")] {
                let yaml = format!(
                    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: n\n  {of}:\n    {key}: {word}\n\
                     data:\n  k: ${{v}}\n"
                );
                let objects = substituted(&yaml, &[("v", "x")]).unwrap();
                assert_eq!(objects[0]["data"]["k"], expected, "{of} {key} {word}");
            }
        }
    }
}

#[test]
fn without_variables_texts_stay_as_they_are() {
    assert_eq!(spec("${v} $$ $${v} ${", &[]), "${v} $$ $${v} ${");
}

#[test]
fn every_problem_names_variable_object_and_field() {
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n    e.com/x: ${one}\n\
                data:\n  k: ${two:-${three}}\n---\napiVersion: e.com/v1\nkind: W\nmetadata:\n  name: ${gone:-}\n\
                spec:\n  list:\n  - ok\n  - ${open\n  flow: ${bad}\n";
    let problems = substituted(yaml, &[("bad", "[1, hunter2")]).unwrap_err();
    let starts = [
        "ConfigMap a, field metadata.annotations[\"e.com/x\"]: the variable one is not set: set it",
        "ConfigMap a, field data.k: the variable three is not set",
        "W ${gone:-}, field spec.flow: what the variables make of this begins with '['",
        "W ${gone:-}, field spec.list[1]: the expression \"${open\" can't be read: '}' or an operator",
        "W ${gone:-}, field metadata.name: must be a text that isn't empty",
    ];
    assert_eq!(problems.len(), starts.len(), "{problems:#?}");
    for start in starts {
        let found = problems.iter().any(|problem| problem.starts_with(start));
        assert!(found, "{start}\n{problems:#?}");
    }
}

/// A21: the value of a variable stands in no message and in no debug output.
#[test]
fn attack_a21_values_stand_in_no_message() {
    let secret = "hunter2-canary";
    let texts = [
        "${s:1:2}é${x}",
        "${s/${s}/${missing}}",
        "${s",
        "${s:-}${${s}}",
        "${s!}",
        "${missing:${s}}",
    ];
    let pairs = [("s", secret), ("flow", "[hunter2-canary")];
    for text in texts {
        let fault = expand(text, &variables(&pairs), &Limits::default()).unwrap_err();
        let said = format!("{fault} {fault:?}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let yaml = "apiVersion: v1\nkind: W\nmetadata:\n  name: w\nspec:\n  x: ${flow}\n  ${s}: 1\n  ${s:-}: 2\n";
    let problems = substituted(yaml, &pairs).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
    assert!(!format!("{:?}", variables(&pairs)).contains("hunter2"));
}

/// A24: what an expression may cost has a bound.
#[test]
fn attack_a24_expressions_are_bounded() {
    let limits = Limits {
        substitution_bytes: 1000,
        substitution_steps: 1000,
        depth: 10,
        ..Limits::default()
    };
    let long = "a".repeat(300);
    let pairs = [("l", long.as_str())];
    let table = [
        ("${l}${l}${l}${l}".to_owned(), "limit of 1000 bytes"),
        ("${l//a/bbbbb}".to_owned(), "limit of 1000 bytes"),
        ("${l##*a*a*a*b}".to_owned(), "limit of 1000 steps"),
        ("${x:-".repeat(11) + &"}".repeat(11), "limit of 10"),
        ("${x:-".repeat(200_000), "limit of 10"),
    ];
    for (text, expected) in table {
        let fault = expand(&text, &variables(&pairs), &limits)
            .unwrap_err()
            .to_string();
        assert!(fault.contains(expected), "{fault}");
    }
    // The sum over all objects counts, not only each text.
    let objects = "apiVersion: v1\nkind: W\nmetadata:\n  name: w\nspec: [\"x${l}\", \"x${l}\", \"x${l}\", \"x${l}\"]\n";
    let tree = Tree::from_files([("a.yaml", objects)]).unwrap();
    let mut built = build(&tree, "", &limits).unwrap();
    let problems = substitute(&mut built, &variables(&pairs), &limits).unwrap_err();
    assert!(
        problems[0]
            .to_string()
            .contains("field spec[3]: substitution makes more"),
        "{problems:?}"
    );
}

#[test]
fn names_of_variables_are_checked() {
    for name in ["", "1a", "a-b", "a b", "é", "a.b"] {
        let error = Variables::default().set(name, "").unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{name:?} can't be the name of a variable")),
            "{error}"
        );
    }
}
