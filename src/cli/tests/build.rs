//! `stagesetctl build`: what it prints, what it hides, and how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::process::Command;

use stageset_render::{Limits, yaml};

use crate::harness::{folder, root, stagesetctl};

const WEB: &str =
    "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n  - port: 80\n";

fn example(name: &str) -> String {
    folder(
        name,
        &[
            ("base/kustomization.yaml", "resources: [web.yaml]\n"),
            ("base/web.yaml", WEB),
            (
                "shop/kustomization.yaml",
                "resources: [../base]\nnamePrefix: shop-\nsecretGenerator:\n- name: creds\n  literals: \
                 [a=hunter2, b=hunter2, c=\"yes\"]\n",
            ),
        ],
    )
}

#[test]
fn objects_are_printed_in_order_and_secrets_are_not() {
    let dir = example("build-prints");
    let ended = stagesetctl(&["build", "--dir", &dir, "--path", "shop"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let documents = yaml::documents(ended.stdout.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[0].value["metadata"]["name"], "shop-web");
    assert_eq!(documents[1].value["data"]["a"], "<-- value not shown (#1)");
    assert_eq!(documents[1].value["data"]["b"], "<-- value not shown (#1)");
    assert_eq!(documents[1].value["data"]["c"], "<-- value not shown (#2)");
    assert!(!ended.stdout.contains("aHVudGVyMg"));
    let shown = stagesetctl(&["build", "--dir", &dir, "--path", "shop", "--show-secrets"]);
    let documents = yaml::documents(shown.stdout.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(documents[1].value["data"]["a"], "aHVudGVyMg==");
}

#[test]
fn texts_that_look_like_other_types_stay_texts() {
    let odd = [
        "yes",
        "null",
        "0777",
        "1e3",
        "",
        " a ",
        "- b",
        "a: b",
        "#",
        "~",
        "true",
        "2001-01-01",
        "x\ny\n",
    ];
    let data: String = odd
        .iter()
        .enumerate()
        .map(|(index, text)| format!("  k{index:02}: {}\n", serde_json::json!(text)))
        .collect();
    let map = format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: odd\ndata:\n{data}");
    let dir = folder("build-odd", &[("a.yaml", map.as_str())]);
    let ended = stagesetctl(&["build", "--dir", &dir]);
    let documents = yaml::documents(ended.stdout.as_bytes(), &Limits::default()).unwrap();
    for (index, text) in odd.iter().enumerate() {
        let found = &documents[0].value["data"][format!("k{index:02}")];
        assert_eq!(found, text, "{}", ended.stdout);
    }
}

#[test]
fn all_problems_are_printed_and_it_ends_with_3() {
    let dir = folder(
        "build-problems",
        &[(
            "kustomization.yaml",
            "resources: [gone.yaml]\nnamePrefxi: a\nnamespace: [x]\n",
        )],
    );
    let ended = stagesetctl(&["build", "--dir", &dir]);
    assert_eq!(ended.code, Some(3));
    for said in ["gone.yaml", "namePrefxi", "namespace"] {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    let ended = stagesetctl(&["build"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[test]
fn doubters_are_told_that_there_is_no_kustomize_or_that_it_says_the_same() {
    let dir = example("build-doubt");
    let run = |path: &str| {
        Command::new(env!("CARGO_BIN_EXE_stagesetctl"))
            .args([
                "build",
                "--dir",
                &dir,
                "--path",
                "shop",
                "--diff-with-kustomize",
            ])
            .env("PATH", path)
            .output()
            .unwrap()
    };
    let without = run("");
    assert_eq!(without.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&without.stderr).contains("needs the program kustomize"));
    let tools = root().join(".tools/kustomize/bin");
    if !tools.join("kustomize").exists() {
        println!(
            "left out: {} isn't there (e2e/tools/build kustomize)",
            tools.display()
        );
        return;
    }
    let with = run(tools.to_str().unwrap());
    let said = String::from_utf8_lossy(&with.stdout);
    assert_eq!(said, "the same 2 object(s), in the same order\n");
    assert_eq!(with.status.code(), Some(0));
}
