//! What documents mean; the scalars have their own table beside their code.

use proptest::prelude::*;
use serde_json::{Value, json};
use stageset_render::Limits;
use stageset_render::yaml::{Document, YamlError, YamlFault, documents, json_document};

fn all(text: &str) -> Vec<Document> {
    documents(text.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{text}\n{e:?}"))
}

fn value(text: &str) -> Value {
    let mut all = all(text);
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0).value
}

fn errors(text: &str) -> Vec<YamlError> {
    documents(text.as_bytes(), &Limits::default()).expect_err(text)
}

#[track_caller]
fn refused(text: &str, messages: &[&str]) {
    let found: Vec<String> = errors(text).iter().map(ToString::to_string).collect();
    assert_eq!(found, messages, "{text}");
}

#[test]
fn documents_have_numbers_and_lines() {
    let text = "---\n# only a comment\n---\n\na: 1\n...\n---\n---\nnull\n---\n- b\n";
    let places: Vec<_> = all(text)
        .iter()
        .map(|d| (d.number, d.line, d.value.clone()))
        .collect();
    assert_eq!(places, [(2, 5, json!({"a": 1})), (5, 11, json!(["b"]))]);
    for empty in [
        "",
        "\n",
        "# x\n",
        "---\n",
        "---\n---\n",
        "--- # x\n",
        "~\n",
        "\u{feff}",
    ] {
        assert_eq!(all(empty), [], "{empty:?}");
    }
    // Separators with comments, without a last line end, and with the first key beside them.
    assert_eq!(all("a: 1\n--- # next\nb: 2\n---").len(), 2);
}

#[test]
fn line_ends_byte_order_marks_and_tabs() {
    let unix = "a: |\n  x\n  y\nb: [1,\n  2]\n";
    assert_eq!(value(unix), json!({"a": "x\ny\n", "b": [1, 2]}));
    assert_eq!(value(&unix.replace('\n', "\r\n")), value(unix));
    assert_eq!(value(&format!("\u{feff}{unix}")), value(unix));
    assert_eq!(value("a: \t1\t# x\n"), json!({"a": 1}));
    // Kustomize takes this one; the parser doesn't, and says where.
    refused(
        "a:\tx\n",
        &["document 1, line 1: ':' must be followed by a valid YAML whitespace (column 4)"],
    );
    assert_eq!(value("a: \"x\ty\"\n"), json!({"a": "x\ty"}));
    let indented = errors("a:\n\tb: 1\n");
    assert!(
        matches!(indented[..], [YamlError { line: 2, .. }]),
        "{indented:?}"
    );
}

#[test]
fn block_scalars_and_quotes() {
    let text = "keep: |+\n  x\n\nstrip: >-\n  folded\n  line\n\n  next\n\
                quoted: 'it''s'\nescaped: \"\\u263a\\x41\\n\"\nnumber: \"012\"\n";
    let expected = json!({
        "keep": "x\n\n", "strip": "folded line\nnext", "quoted": "it's", "escaped": "☺A\n",
        "number": "012",
    });
    assert_eq!(value(text), expected);
    let long = "x".repeat(1_000_000);
    assert_eq!(value(&format!("a: {long}\n")), json!({"a": long}));
    // Text that looks like a separator is none where it is indented.
    assert_eq!(value("a: |\n  ---\n  b: 1\n"), json!({"a": "---\nb: 1\n"}));
}

#[test]
fn tags_decide_types() {
    let text = "a: !!str 12\nb: !!int \"12\"\nc: !!float 1\nd: !!bool true\ne: !!null ~\n\
                f: ! 12\ng: !!map {x: !!seq [1]}\nh: !<tag:yaml.org,2002:str> 1\n";
    let expected = json!({
        "a": "12", "b": 12, "c": 1, "d": true, "e": null, "f": 12, "g": {"x": [1]}, "h": "1",
    });
    assert_eq!(value(text), expected);
    // Tags that mean nothing are dropped, as in kustomize; what they stand at is a text.
    let text = "a: !vault 1\nb: !!binary aGk=\nc: !!set {x, y: 1}\nd: !local [1]\n\
                e: !!timestamp \"2001-1-1\"\n";
    let expected = json!({
        "a": "1", "b": "hi", "c": {"x": "", "y": 1}, "d": [1], "e": "2001-01-01T00:00:00Z",
    });
    assert_eq!(value(text), expected);
    refused(
        "a: !!binary no base64\nd: !!int x\ne: !!str [1]\nf: !!timestamp 2001-02-30\n",
        &[
            "document 1, line 1: another scalar stands here, which is not a value of !!binary",
            "document 1, line 2: another scalar stands here, which is not a value of !!int",
            "document 1, line 3: a list stands here, which is not a value of !!str",
            "document 1, line 4: another scalar stands here, which is not a value of !!timestamp",
        ],
    );
}

#[test]
fn aliases_and_merge_keys() {
    let text = "base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nlist: [*b, &s text, *s]\n\
                one: {<<: *b, x: 5}\nmany: {<<: [*b, *o]}\nlast:\n  x: 0\n  <<: *o\n\
                nested: {<<: {<<: *b, y: 6}}\n\"<<\": plain\n";
    let expected = json!({
        "base": {"x": 1, "y": 2}, "other": {"y": 3, "z": 4},
        "list": [{"x": 1, "y": 2}, "text", "text"],
        "one": {"x": 5, "y": 2}, "many": {"x": 1, "y": 2, "z": 4}, "last": {"x": 0, "y": 3, "z": 4},
        "nested": {"x": 1, "y": 6}, "<<": "plain",
    });
    assert_eq!(value(text), expected);
    assert_eq!(value("&k key: *k\n"), json!({"key": "key"}));
    let merge = "a merge key (<<) takes a mapping or a list of mappings, once for each mapping";
    refused("a: {<<: 1}\n", &[&format!("document 1, line 1: {merge}")]);
    refused(
        "a: {<<: {b: 1},\n  <<: {c: 1}}\n",
        &[&format!("document 1, line 2: {merge}")],
    );
    let alias = "an alias names an anchor that isn't complete here: define it earlier, in the same \
                 document, and not around the alias";
    refused("a: &a [*a]\n", &[&format!("document 1, line 1: {alias}")]);
    refused(
        "a: &a 1\n---\nb: *a\n",
        &[&format!("document 2, line 3: {alias}")],
    );
    assert_eq!(errors("a: *missing\n").len(), 1);
}

#[test]
fn keys_are_strings_and_stand_once() {
    refused(
        "a: 1\nb:\n  c: 1\n  d: 2\n  \"c\": 3\na: 4\n",
        &[
            "document 1, line 5: key \"c\" stands here and on line 3 of the same mapping: \
             remove one",
            "document 1, line 6: key \"a\" stands here and on line 1 of the same mapping: \
             remove one",
        ],
    );
    refused(
        "1: x\ntrue: x\nnull: x\n1.5: x\n[a]: x\n{b: 1}: x\n",
        &[
            "document 1, line 1: the key 1 is a number, but keys must be strings: put it in quotes",
            "document 1, line 2: the key true is a boolean, but keys must be strings: \
             put it in quotes",
            "document 1, line 3: the key null is null, but keys must be strings: put it in quotes",
            "document 1, line 4: the key 1.5 is a number, but keys must be strings: \
             put it in quotes",
            "document 1, line 5: the key [...] is a list, but keys must be strings: \
             put it in quotes",
            "document 1, line 6: the key {...} is a mapping, but keys must be strings: \
             put it in quotes",
        ],
    );
    assert_eq!(
        value("on: 1\n\"1\": 2\n!!str 2: 3\n"),
        json!({"on": 1, "1": 2, "2": 3})
    );
}

#[test]
fn what_json_cannot_say_is_refused() {
    refused(
        "a: .inf\nb: -.Inf\nc: .nan\n",
        &[
            "document 1, line 1: .inf can't be written in JSON: put it in quotes if it is meant \
             as text",
            "document 1, line 2: -.Inf can't be written in JSON: put it in quotes if it is meant \
             as text",
            "document 1, line 3: .nan can't be written in JSON: put it in quotes if it is meant \
             as text",
        ],
    );
    refused(
        "a: 1\nb: \"x\u{7}\"\n",
        &[
            "document 1, line 2: control character U+0007 is not allowed: write it as an escape in \
           double quotes",
        ],
    );
    let error = documents(b"a: 1\nb: \xff\n", &Limits::default()).unwrap_err();
    assert_eq!(
        error[0].to_string(),
        "document 1, line 2: the text is not UTF-8: save the file as UTF-8"
    );
}

#[test]
fn syntax_errors_name_the_place_and_keep_what_came_before() {
    let found = errors("a: 1\na: 2\n---\nb: [1, 2\nc: 3\n");
    assert!(
        matches!(found[0].fault, YamlFault::DuplicateKey { .. }),
        "{found:?}"
    );
    assert!(
        matches!(found[1].fault, YamlFault::Syntax { .. }),
        "{found:?}"
    );
    assert_eq!((found[1].document, found.len()), (2, 2));
    for text in [
        "a: b: c\n",
        "a: 'x\n",
        "- a\nb: 1\n",
        "a: \"\\q\"\n",
        "a: @x\n",
        "%x\n",
        "]\n",
    ] {
        assert_eq!(errors(text).len(), 1, "{text}");
    }
}

#[test]
fn json_is_strict_and_has_lines() {
    let read = |text: &str| json_document(text.as_bytes(), &Limits::default());
    let document = read("\n{\"a\": [1, 1e3, \"\\ud83d\\ude00\"]}\n")
        .unwrap()
        .unwrap();
    assert_eq!(
        (document.line, document.value),
        (2, json!({"a": [1, 1000, "😀"]}))
    );
    assert_eq!(read("null").unwrap(), None);
    let message = |text: &str| {
        let errors = read(text).expect_err(text);
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        message("{\"a\": 1,\n \"a\": 2,\n}"),
        [
            "document 1, line 2: key \"a\" stands here and on line 1 of the same mapping: \
             remove one",
            "document 1, line 3: not valid JSON: trailing comma (column 1)",
        ]
    );
    for text in [
        "a: 1",
        "{'a': 1}",
        "{}{}",
        "{} x",
        "",
        "[1",
        "{\"a\": 1e999}",
    ] {
        let found = message(text);
        assert!(found[0].contains("not valid JSON"), "{text}: {found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in a file, the reader gives values or errors.
    #[test]
    fn no_text_panics(text in "[-a-z0-9:,?!&*#|>'\"%@`{}\\[\\]<~. \t\n\r\\\\]{0,120}") {
        let _ = documents(text.as_bytes(), &Limits::default());
        let _ = json_document(text.as_bytes(), &Limits::default());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = documents(&bytes, &Limits::default());
    }

    /// JSON is YAML: both readers agree on what both accept.
    #[test]
    fn json_means_the_same_in_yaml(value in json_value()) {
        let text = value.to_string();
        let strict = json_document(text.as_bytes(), &Limits::default()).unwrap();
        let loose = documents(text.as_bytes(), &Limits::default()).unwrap().pop();
        prop_assert_eq!(loose.map(|d| d.value), strict.map(|d| d.value));
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9_f64..1e9).prop_map(Value::from),
        "[ -~äß☺]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z0-9:# ]{0,6}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
