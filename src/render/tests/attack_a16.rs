//! A16 of `attacks.md`, as far as plain manifests go: small texts that want to become large.

use std::fmt::Write;

use stageset_render::yaml::{YamlFault, documents, json_document};
use stageset_render::{Limits, Problem, Tree, build};

#[track_caller]
fn first_fault(text: &str, limits: &Limits) -> YamlFault {
    documents(text.as_bytes(), limits)
        .expect_err("must be refused")
        .remove(0)
        .fault
}

#[test]
fn attack_a16_alias_bombs() {
    let mut lists = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    let mut maps = "a0: &a0 {k: x}\n".to_owned();
    let mut merges = "a0: &a0 {k: x}\n".to_owned();
    for n in 1..=9 {
        let old = format!("*a{}", n - 1);
        writeln!(lists, "a{n}: &a{n} [{}]", [old.as_str(); 10].join(", ")).unwrap();
        let entries: Vec<_> = (0..10).map(|k| format!("k{k}: {old}")).collect();
        writeln!(maps, "a{n}: &a{n} {{{}}}", entries.join(", ")).unwrap();
    }
    // Merging only doubles: the same keys don't count twice in the outcome.
    for n in 1..=30 {
        let old = format!("*a{}", n - 1);
        writeln!(merges, "a{n}: &a{n} {{<<: [{old}, {old}], k{n}: {old}}}").unwrap();
    }
    let limit = Limits::default().alias_nodes;
    for text in [lists, maps, merges] {
        assert_eq!(
            first_fault(&text, &Limits::default()),
            YamlFault::TooManyAliases { limit }
        );
    }
}

/// Copies kept for aliases that never come cost as well.
#[test]
fn attack_a16_nested_anchors() {
    let mut text = String::new();
    for n in 0..90 {
        write!(text, "{{k: &a{n} ").unwrap();
    }
    text.push('[');
    text.push_str(&"x,".repeat(5000));
    text.push(']');
    text.push_str(&"}".repeat(90));
    let limits = Limits {
        nodes: 100_000,
        ..Limits::default()
    };
    let limit = limits.nodes;
    assert_eq!(
        first_fault(&text, &limits),
        YamlFault::TooManyNodes { limit }
    );
}

/// The copy of a text that is kept for its aliases counts, and so does each that an alias makes.
#[test]
fn attack_a16_repeated_texts() {
    for (text, limit) in [("a: &a abc\n", 2), ("a: &a abc\nb: *a\n", 5)] {
        let alias_bytes = |limit| Limits {
            alias_bytes: limit,
            ..Limits::default()
        };
        let fault = first_fault(text, &alias_bytes(limit));
        assert_eq!(fault, YamlFault::TooManyAliasBytes { limit });
        assert!(documents(text.as_bytes(), &alias_bytes(limit + 1)).is_ok());
    }
}

#[test]
fn attack_a16_deep_nesting() {
    let limit = Limits::default().depth;
    let flow = |depth: usize| format!("a: {}{}\n", "[".repeat(depth), "]".repeat(depth));
    assert!(documents(flow(limit - 1).as_bytes(), &Limits::default()).is_ok());
    assert_eq!(
        first_fault(&flow(limit), &Limits::default()),
        YamlFault::TooDeep { limit }
    );
    for depth in [250, 260, 100_000] {
        assert_eq!(
            first_fault(&flow(depth), &Limits::default()),
            YamlFault::TooDeep { limit }
        );
    }
    let block = format!("{}x\n", "- ".repeat(20_000));
    assert_eq!(
        first_fault(&block, &Limits::default()),
        YamlFault::TooDeep { limit }
    );
    let maps = (0..2000).fold(String::new(), |text, n| text + &" ".repeat(n) + "k:\n");
    assert_eq!(
        first_fault(&maps, &Limits::default()),
        YamlFault::TooDeep { limit }
    );
    let mut aliased =
        "a: &a [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n".to_owned();
    aliased.push_str("b: &b [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n");
    aliased.push_str("c: &c [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[*b]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n");
    aliased.push_str("d: &d [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[*c]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n");
    assert_eq!(
        first_fault(&aliased, &Limits::default()),
        YamlFault::TooDeep { limit }
    );
    let json = format!("{}{}", "[".repeat(101), "]".repeat(101));
    let errors = json_document(json.as_bytes(), &Limits::default()).unwrap_err();
    assert_eq!(errors[0].fault, YamlFault::TooDeep { limit });
    let json = "[".repeat(1_000_000);
    let errors = json_document(json.as_bytes(), &Limits::default()).unwrap_err();
    assert_eq!(errors[0].fault, YamlFault::TooDeep { limit });
}

#[test]
fn attack_a16_sizes() {
    let limits = Limits {
        manifest_bytes: 1000,
        ..Limits::default()
    };
    let text = format!("a: {}\n", "x".repeat(1000));
    let fault = first_fault(&text, &limits);
    assert_eq!(
        fault.to_string(),
        "the file has 1004 bytes, more than the limit of 1000: split it"
    );
    let limits = Limits {
        nodes: 10,
        ..Limits::default()
    };
    assert!(documents(b"a: [1, 2, 3, 4]\n", &limits).is_ok());
    let fault = first_fault("a: [1, 2, 3, 4, 5, 6, 7, 8, 9]\n", &limits);
    assert_eq!(fault, YamlFault::TooManyNodes { limit: 10 });
    // What an alias repeats counts as if it were written out.
    let aliases = "a: &a [1, 2, 3, 4]\nb: *a\nc: *a\nd: *a\n";
    let twenty = Limits {
        nodes: 20,
        ..Limits::default()
    };
    let fault = first_fault(aliases, &twenty);
    assert_eq!(fault, YamlFault::TooManyNodes { limit: 20 });
    let errors = json_document(b"[1,2,3,4,5,6,7,8,9,10]", &limits).unwrap_err();
    assert_eq!(errors[0].fault, YamlFault::TooManyNodes { limit: 10 });
    let limits = Limits {
        documents: 3,
        ..Limits::default()
    };
    assert!(documents(b"a: 1\n---\n---\n", &limits).is_ok());
    let fault = first_fault("a: 1\n---\n---\n---\n", &limits);
    assert_eq!(fault, YamlFault::TooManyDocuments { limit: 3 });
}

#[test]
fn attack_a16_objects() {
    let limits = Limits {
        objects: 2,
        ..Limits::default()
    };
    let object = |n: u32| format!("{{apiVersion: v1, kind: X, metadata: {{name: a{n}}}}}");
    let list: Vec<_> = (0..3).map(object).collect();
    let list = format!("apiVersion: v1\nkind: List\nitems: [{}]\n", list.join(", "));
    let tree = Tree::from_files([("a.yaml", list)]).unwrap();
    let problems = build(&tree, "", &limits).unwrap_err();
    assert_eq!(problems, [Problem::TooManyObjects { limit: 2 }]);
    assert_eq!(
        problems[0].to_string(),
        "the build has more than the limit of 2 objects: split it into several stages"
    );
}

/// Lists within lists are flattened within the same bounds, without recursion.
#[test]
fn attack_a16_nested_lists() {
    let limits = Limits {
        depth: 10_000,
        ..Limits::default()
    };
    let depth = 80;
    let mut text = "{apiVersion: v1, kind: X, metadata: {name: a}}".to_owned();
    for _ in 0..depth {
        text = format!("{{apiVersion: v1, kind: List, items: [{text}]}}");
    }
    let tree = Tree::from_files([("a.yaml", text)]).unwrap();
    assert_eq!(build(&tree, "", &limits).unwrap().len(), 1);
}
