use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn object() -> Value {
    json!({
        "apiVersion": "example.org/v1", "kind": "Database",
        "metadata": { "name": "shop", "generation": 3, "labels": { "app.kubernetes.io/name": "shop" } },
        "spec": { "replicas": 2, "version": "16.2", "hosts": ["a", "b"] },
        "status": {
            "observedGeneration": 3, "ready": true, "load": 0.5,
            "conditions": [
                { "type": "Synced", "status": "False" },
                { "type": "Ready", "status": "True" },
            ],
        },
    })
}

fn compile(source: &str) -> Expression {
    Expression::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"))
}

#[test]
fn expressions_answer() {
    for (source, answer) in [
        ("status.ready", true),
        ("status.observedGeneration == metadata.generation", true),
        (
            "status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')",
            true,
        ),
        ("status.conditions.all(c, c.status == 'True')", false),
        (
            "status.conditions.filter(c, c.status == 'True').size() == 1",
            true,
        ),
        (
            "size(spec.hosts.map(h, h + '.example.org')) == spec.replicas",
            true,
        ),
        ("has(status.failure)", false),
        ("has(status.failure) && status.failure != ''", false),
        (
            "metadata.labels['app.kubernetes.io/name'] == metadata.name",
            true,
        ),
        (
            "spec.version.matches('^16[.]') && spec.version.startsWith('16')",
            true,
        ),
        ("'a' in spec.hosts", true),
        ("kind == 'Database' ? status.load < 1.0 : false", true),
        ("spec.hosts.exists_one(h, h == 'a')", true),
        ("type(spec.replicas) == int", true),
        ("metadata.labels.exists(k, k.startsWith('app.'))", true),
        ("int(status.load * 10.0) == 5", true),
    ] {
        assert_eq!(compile(source).evaluate(&object()), Ok(answer), "{source}");
    }
}

/// A spec whose expression changed is another spec.
#[test]
fn expressions_are_the_same_if_they_are_written_so() {
    assert_eq!(compile("status.ready"), compile("status.ready"));
    assert_ne!(compile("status.ready"), compile("status.synced"));
}

#[test]
fn what_an_object_lacks_is_an_error_and_not_an_answer() {
    for (source, said) in [
        ("status.phase == 'Done'", "there is no field \"phase\""),
        ("spec.hosts[2] == 'c'", "a list is shorter"),
        ("spec.replicas + spec.version == 3", "types"),
        ("status.load", "a number, not true or false"),
        ("spec.version", "a text, not true or false"),
        ("spec.hosts", "a list, not true or false"),
        ("metadata.labels", "a map, not true or false"),
        ("spec.replicas / 0 == 1", "divides by zero"),
        ("int(spec.version) == 1", "can't take"),
    ] {
        let error = compile(source).evaluate(&object()).unwrap_err().to_string();
        assert!(error.contains(said), "{source}: {error}");
    }
    // No status at all yet: fields are missing, and `has` may ask.
    let bare = json!({ "metadata": { "name": "x" } });
    assert_eq!(
        compile("has(status.ready) && status.ready").evaluate(&bare),
        Ok(false)
    );
    assert!(compile("status.ready").evaluate(&bare).is_err());
}

#[test]
fn what_can_not_work_is_refused_when_it_is_written() {
    for (source, said) in [
        ("", "empty"),
        ("  ", "empty"),
        ("status.", "isn't CEL"),
        ("status.ready ==", "isn't CEL"),
        ("a = b", "isn't CEL"),
        (
            "self.status.ready",
            "self is no variable; an expression sees apiVersion",
        ),
        (
            "status.conditions.exists(c, d.type == 'Ready')",
            "d is no variable",
        ),
        ("now() > status.since", "now() is no function"),
        (
            "now() > status.since",
            "startsWith, string, type, uint, has, all",
        ),
        (
            "status.quantity.isLessThan(1)",
            "isLessThan() is no function",
        ),
        ("_evil_(1)", "_evil_() is no function"),
        ("size() == 1", "size() is called with 0 arguments"),
        ("size(spec, spec) == 1", "size() is called with 2 arguments"),
        ("spec.version.matches(spec.pattern)", "literal"),
        ("spec.version.matches('(')", "is no regular expression"),
        ("spec.version.matches('(a{1000}){1000}')", "too large"),
        ("1 + 2", "gives a sum"),
        ("size(spec.hosts)", "gives a number"),
        ("'ready'", "gives a text"),
        ("kind", "gives a text"),
        ("apiVersion", "gives a text"),
        ("metadata", "gives a map"),
        ("status.conditions.filter(c, true)", "gives a list"),
        ("status.ready ? 1 : false", "gives a number"),
        ("google.protobuf.Duration{seconds: 1} == 1", "messages"),
        ("status.?ready", "isn't CEL"),
    ] {
        let error = Expression::compile(source).map_err(|error| error.to_string());
        let Err(error) = error else {
            panic!("{source:?} was accepted")
        };
        assert!(error.contains(said), "{source}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

/// Nothing in an error but what the expression itself says: the object may be a Secret.
#[test]
fn attack_a21_errors_hold_nothing_of_the_object() {
    let secret = json!({
        "metadata": { "name": "canary-name", "labels": { "canary-key": "canary-value" } },
        "spec": { "password": "canary-value", "list": ["canary-value"], "number": 1 },
    });
    for source in [
        "metadata.labels[spec.password] == 'x'",
        "int(spec.password) == 1",
        "spec.password + 1 == 2",
        "spec.password < 1",
        "spec.password",
        "spec.list[0]",
        "spec.password.size",
        "spec.list.all(x, x)",
        "double(spec.password) > 1.0",
        "bool(spec.password)",
        "spec.number[spec.password]",
        "-spec.number < spec.password",
    ] {
        let error = compile(source).evaluate(&secret).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("canary"),
            "{source}: {error}"
        );
    }
}

/// Loops in loops over a large object are refused before they run.
#[test]
fn attack_a24_no_expression_runs_for_ever() {
    let items: Vec<Value> = (0..2000)
        .map(|n| json!({ "name": format!("item-{n}") }))
        .collect();
    let large = json!({ "spec": { "items": items } });
    assert_eq!(
        compile("spec.items.all(x, x.name != '')").evaluate(&large),
        Ok(true)
    );
    let mut nested = "x0.name == x1.name".to_owned();
    for loop_ in (0..5).rev() {
        nested = format!("spec.items.all(x{loop_}, {nested})");
    }
    for costly in [
        // First the one that would end within this life if it were let through.
        "spec.items.all(x, x.name.matches('^item-[0-9]+$'))",
        nested.as_str(),
        "spec.items.all(x, spec.items.all(y, spec.items == spec.items))",
        "spec['items'].all(x, spec['items'].all(y, spec['items'] == spec['items']))",
        "[spec.items][0].all(x, [spec.items][0].all(y, spec.items == spec.items))",
        "spec.items.map(x, spec.items.map(y, spec.items)).size() == 1",
        "[1,2,3,4,5,6,7,8,9].map(a, [a,a,a,a,a,a,a,a,a].map(b, spec.items.map(c, spec.items)))\
         .size() > 0",
    ] {
        let answer = compile(costly).evaluate(&large);
        assert_eq!(answer, Err(EvaluationError::TooCostly), "{costly}");
    }
}

/// A loop over an object goes through its keys, which may be long.
#[test]
fn attack_a24_keys_of_objects_cost_what_they_are_long() {
    let keys = |length: usize| {
        let fields = (0..300).map(|n| (format!("{n:0>length$}"), json!(n)));
        let keys = Value::Object(fields.collect());
        json!({ "spec": { "keys": keys, "list": vec![0; 100] } })
    };
    let each = compile("spec.keys.all(k, spec.list.all(n, k != 'none'))");
    assert_eq!(each.evaluate(&keys(3)), Ok(true));
    assert_eq!(each.evaluate(&keys(500)), Err(EvaluationError::TooCostly));
    let lists: Vec<Value> = (0..2000).map(|n| json!([n, n, n])).collect();
    let each = compile("spec.lists.all(list, list.all(item, item >= 0))");
    let lists = json!({ "spec": { "lists": lists } });
    assert_eq!(each.evaluate(&lists), Ok(true));
}

/// What bounds an expression is bounded itself: choices in loops multiply what it has to look at, though
/// the expression itself would be cheap.
#[test]
fn attack_a24_the_walk_that_measures_an_expression_ends() {
    let (mut source, mut list) = ("true".to_owned(), json!(true));
    for level in (0..12).rev() {
        let of = match level {
            0 => "spec.list".to_owned(),
            _ => format!("x{}", level - 1),
        };
        let choice = format!("(true ? (true ? {of} : {of}) : (true ? {of} : {of}))");
        source = format!("{choice}.all(x{level}, {source})");
        list = json!([list]);
    }
    let answer = compile(&source).evaluate(&json!({ "spec": { "list": list } }));
    assert_eq!(answer, Err(EvaluationError::TooCostly));
}

#[test]
fn attack_a24_regular_expressions_are_known_and_small() {
    for (source, error) in [
        (
            "metadata.name.matches(spec.version)",
            CompileError::PatternNotLiteral,
        ),
        (
            "metadata.name.matches('(a{1000}){1000}')",
            CompileError::Pattern("(a{1000}){1000}".to_owned()),
        ),
    ] {
        assert_eq!(Expression::compile(source).unwrap_err(), error);
    }
}

#[test]
fn attack_a24_size_and_depth_are_bounded() {
    let long = format!("status.ready == {}", "true && ".repeat(1000)) + "true";
    assert!(matches!(
        Expression::compile(&long),
        Err(CompileError::TooLong(_))
    ));
    for deep in [
        format!("{}true{}", "(".repeat(1000), ")".repeat(1000)),
        format!("{}[]{}", "[".repeat(1000), "]".repeat(1000)),
        "(".repeat(4000),
        format!("{}true", "!".repeat(2000)),
        format!("1{} > 1", "+1".repeat(1500)),
        format!("spec{} == 1", ".a".repeat(1000)),
        format!("{}-1 < 1", "-".repeat(2000)),
        format!("true{}", " ? true : true".repeat(250)),
        format!("spec{} == 1", "[0]".repeat(1000)),
        format!("true{}", " == true".repeat(400)),
        format!("true{}", " && true".repeat(400)),
        format!("true{}", " || (true".repeat(300)),
        // As deep as may be, and what a fuzzer made of a short one.
        format!("{}true{}", "(".repeat(64), ")".repeat(64)),
        format!("{}1{} == []", "[".repeat(63), "]".repeat(63)),
        "[{".repeat(32),
        "statu{.phase 2026-11-25Ta[[[[[[[a[[[[[[[[12:00:00Z== 'Running'".to_owned(),
    ] {
        // Accepted or refused, never a stack that overflows.
        if let Ok(expression) = Expression::compile(&deep) {
            let _ = expression.evaluate(&object());
        }
    }
}

#[test]
fn attack_a24_a_bracket_in_a_text_closes_nothing() {
    for level in [
        r#"(")" + "#,
        r"(')' + ",
        r#"("\")" + "#,
        r#"(r"\" + ")" + "#,
        r#"(""")" " """ + "#,
        "('''\n)''' + ",
        "(\")\n + ",
    ] {
        let deep = level.repeat(65);
        let found = Expression::compile(&deep);
        assert_eq!(found.unwrap_err(), CompileError::TooDeep, "{level}");
    }
    // And what stands in a text is no bracket.
    let text = "(".repeat(100);
    let same = compile(&format!("'{text}' == '{text}'"));
    assert_eq!(same.evaluate(&object()), Ok(true));
    // One that never ends goes to the end.
    let endless = Expression::compile(&format!("'{text}")).unwrap_err();
    assert!(matches!(endless, CompileError::Syntax(_)), "{endless:?}");
}

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec![
            "status",
            "spec",
            ".",
            "hosts",
            "conditions",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ",",
            "?",
            ":",
            "==",
            "!=",
            "<",
            "in",
            "&&",
            "||",
            "!",
            "-",
            "+",
            "*",
            "/",
            "%",
            "1",
            "0",
            "1.5",
            "1u",
            "'a'",
            "\"",
            "'",
            "b'x'",
            "r'\\'",
            "null",
            "true",
            "x",
            "size",
            "map",
            "filter",
            "exists",
            "all",
            "has",
            "exists_one",
            "matches",
            "'(a|b)*'",
            "string",
            "int",
            "dyn",
            "type",
            "\\",
            "`",
            "@",
            "ä",
            "\u{0}",
            "//",
            "\n",
            ".?",
            "[?",
            "@result",
            "__result__",
        ]),
        0..24,
    )
    .prop_map(|pieces| pieces.join(" "))
}

/// Whole expressions of a few loops and operators, to reach the evaluator.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "status",
        "spec",
        "metadata",
        "spec.hosts",
        "status.conditions",
        "spec.replicas",
        "1",
        "'a'",
        "true",
        "x",
        "[]",
        "{'a': 1}",
        "spec.version",
        "status.load",
        "null",
        "-9223372036854775807",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 3, |inner| {
        prop_oneof![
            (
                inner.clone(),
                prop::sample::select(vec!["==", "<", "+", "-", "/", "&&", "||", "in", "%"]),
                inner.clone()
            )
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (
                inner.clone(),
                prop::sample::select(vec!["map", "filter", "all", "exists", "exists_one"]),
                inner.clone()
            )
                .prop_map(|(a, name, b)| format!("{a}.{name}(x, {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a}[{b}]")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (
                prop::sample::select(vec!["size", "string", "int", "dyn", "bytes", "type"]),
                inner.clone()
            )
                .prop_map(|(name, a)| format!("{name}({a})")),
            inner.prop_map(|a| format!("[{a}, {a}]")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(source in prop_oneof![pieces(), ".{0,200}"]) {
        if let Ok(expression) = Expression::compile(&source) {
            let _ = expression.evaluate(&object());
        }
    }

    #[test]
    fn no_expression_makes_it_panic(source in expression()) {
        let source = format!("[1, 2].all(x, {source} == 1)");
        let expression = Expression::compile(&source);
        if let Ok(expression) = expression {
            let _ = expression.evaluate(&object());
        }
    }
}
