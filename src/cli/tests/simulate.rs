//! What `simulate` prints, beyond what the examples show.

use serde_json::Value;

use crate::harness::{folder, stagesetctl};

const TENANT: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n\
apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: deployer, namespace: shop}\n---\n\
apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n\
metadata: {name: deployer, namespace: shop}\n\
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}\n\
subjects: [{kind: ServiceAccount, name: deployer, namespace: shop}]\n";
const SETTINGS: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: blue}\n";

fn stage_set(extra: &str) -> String {
    format!(
        "apiVersion: stages.metio.wtf/v1\nkind: StageSet\n\
         metadata: {{name: shop, namespace: shop}}\n\
         spec:\n  serviceAccountName: deployer\n  stages:\n    \
         - name: app\n      sourceRef: {{name: shop}}\n{extra}"
    )
}

#[test]
fn json_is_the_same_as_data() {
    let ended = stagesetctl(&["simulate", "examples/missing-right", "-o", "json"]);
    assert_eq!(ended.code, Some(1));
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let records = report["records"].as_array().unwrap();
    let created = records
        .iter()
        .find(|record| record["event"] == "wrote")
        .unwrap();
    assert_eq!(created["stageSet"], "reports/reports");
    assert_eq!(created["stage"], "settings");
    assert_eq!(created["verb"], "create");
    assert_eq!(created["object"], "ConfigMap reports/reports-settings");
    assert_eq!(created["as"], "system:serviceaccount:reports:deployer");
    let outcome = &report["outcomes"][0];
    assert_eq!(
        (&outcome["good"], &outcome["reason"]),
        (&false.into(), &"RBACDenied".into())
    );
    let message = outcome["message"].as_str().unwrap();
    assert!(
        message.contains("create/get/patch deployments.apps (reports)"),
        "{message}"
    );
}

#[test]
fn plans_are_data_too() {
    let ended = stagesetctl(&[
        "plan",
        "--dir",
        "examples/update-drops-objects",
        "-o",
        "json",
    ]);
    assert_eq!(ended.code, Some(0));
    let plans: Value = serde_json::from_str(&ended.stdout).unwrap();
    let plan = &plans[0];
    assert_eq!(plan["revisions"]["shop/shop"], "v2");
    let done: Vec<_> = plan["operations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|operation| operation["object"].is_string())
        .map(|o| (o["do"].as_str().unwrap(), o["object"].as_str().unwrap()))
        .collect();
    assert_eq!(
        done,
        [
            ("change", "ConfigMap shop/backend-settings"),
            ("change", "Deployment.apps shop/backend"),
            ("create", "Deployment.apps shop/redis"),
            ("delete", "Deployment.apps shop/memory-cache"),
            ("delete", "Service shop/memory-cache"),
        ]
    );
}

#[test]
fn colour_is_for_terminals() {
    let escape = '\u{1b}';
    let plain = stagesetctl(&["simulate", "examples/two-stages"]);
    assert!(!plain.stdout.contains(escape));
    assert_eq!(
        plain,
        stagesetctl(&["simulate", "examples/two-stages", "--color", "never"])
    );
    let coloured = stagesetctl(&["simulate", "examples/two-stages", "--color", "always"]);
    let mut text = coloured.stdout.clone();
    assert!(text.contains(escape));
    while let Some(begin) = text.find(escape) {
        let end = begin + text[begin..].find('m').unwrap();
        text.replace_range(begin..=end, "");
    }
    let trimmed = |text: &str| {
        text.lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(trimmed(&text), trimmed(&plain.stdout));
}

#[test]
fn in_single_tenant_mode_the_controller_acts_as_itself_and_says_so() {
    let ended = stagesetctl(&["simulate", "--single-tenant", "examples/no-account"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("1 write as controller"),
        "{}",
        ended.stdout
    );
    // An account wins over the mode (S16).
    let ended = stagesetctl(&["simulate", "--single-tenant", "examples/missing-right"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stdout.contains("RBACDenied"), "{}", ended.stdout);
}

#[test]
fn the_bound_of_the_command_line_wins() {
    let ended = stagesetctl(&["simulate", "examples/two-stages", "--until", "15s"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(
        ended.stdout.ends_with("ended after 15s of virtual time\n"),
        "{}",
        ended.stdout
    );
    let ended = stagesetctl(&["simulate", "examples/two-stages", "--until", "2h"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(
        ended.stdout.ends_with("ended after 2h of virtual time\n"),
        "{}",
        ended.stdout
    );
}

#[test]
fn what_the_api_server_refuses_of_the_scenario_is_pointed_at() {
    let bad = stage_set("      prune: perhaps\n");
    let folder = folder(
        "refused-stage-set",
        &[
            ("cluster/tenant.yaml", TENANT),
            ("artifacts/shop/a.yaml", SETTINGS),
            ("stagesets/shop.yaml", &bad),
        ],
    );
    let ended = stagesetctl(&["simulate", &folder]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(3), ""),
        "{}",
        ended.stderr
    );
    for part in ["stagesets/shop.yaml:1: apply StageSet shop/shop: ", "prune"] {
        assert!(
            ended.stderr.contains(part),
            "no {part:?} in {}",
            ended.stderr
        );
    }
}

#[test]
fn an_unknown_kind_among_the_clusters_objects_is_pointed_at() {
    let good = stage_set("");
    let folder = folder(
        "unknown-kind",
        &[
            ("cluster/tenant.yaml", TENANT),
            (
                "cluster/widget.yaml",
                "\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n",
            ),
            ("artifacts/shop/a.yaml", SETTINGS),
            ("stagesets/shop.yaml", &good),
        ],
    );
    let ended = stagesetctl(&["simulate", &folder]);
    assert_eq!(ended.code, Some(3), "{}", ended.stdout);
    for part in [
        "cluster/widget.yaml:2: apply Widget w: ",
        "example.com/v1 Widget",
    ] {
        assert!(
            ended.stderr.contains(part),
            "no {part:?} in {}",
            ended.stderr
        );
    }
}

#[test]
fn bad_artifacts_end_in_a_condition_not_in_an_error() {
    let good = stage_set("");
    for (name, file, content, words) in [
        (
            "no-source",
            "cluster/more.yaml",
            "# nothing\n",
            &["ArtifactNotFound", "doesn't exist"][..],
        ),
        (
            "bad-yaml",
            "artifacts/shop/a.yaml",
            "kind: [\n",
            &["StageFailed", "a.yaml", "line"],
        ),
        (
            "nameless",
            "artifacts/shop/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\n",
            &["StageFailed", "a.yaml", "metadata.name"],
        ),
        (
            "kustomization",
            "artifacts/shop/kustomization.yaml",
            "resources: [missing.yaml]\n",
            &["StageFailed", "kustomization.yaml", "missing.yaml"],
        ),
    ] {
        let folder = folder(
            name,
            &[
                ("cluster/tenant.yaml", TENANT),
                ("stagesets/shop.yaml", &good),
                (file, content),
            ],
        );
        let ended = stagesetctl(&["simulate", &folder]);
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(1), ""),
            "{name}: {}",
            ended.stdout
        );
        let text = ended
            .stdout
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        for word in words {
            assert!(
                text.contains(word),
                "{name}: no {word:?} in {}",
                ended.stdout
            );
        }
        assert!(text.contains("nothing written"), "{name}: {}", ended.stdout);
    }
}

/// I9: field names are told, values aren't.
#[test]
fn values_of_secrets_are_never_shown() {
    let good = stage_set("");
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: key}}\nstringData: {{word: {value}}}\n"
        )
    };
    let folder = folder(
        "secrets",
        &[
            ("cluster/tenant.yaml", TENANT),
            ("artifacts/shop/v1/a.yaml", &secret("hunter1")),
            ("artifacts/shop/v2/a.yaml", &secret("hunter2")),
            ("stagesets/shop.yaml", &good),
            (
                "scenario.yaml",
                "until: 5m\nsteps:\n\
                 - at: 1m\n  patch: {apiVersion: v1, kind: Secret, namespace: shop, name: key, merge: {stringData: {word: hunter3}}}\n\
                 - at: 2m\n  publish: {source: shop, revision: v2}\n",
            ),
        ],
    );
    for words in [
        &["simulate", &folder][..],
        &["simulate", &folder, "-o", "json"],
        &["plan", "--dir", &folder],
        &["plan", "--dir", &folder, "-o", "json"],
    ] {
        let ended = stagesetctl(words);
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{}",
            ended.stdout
        );
        assert!(ended.stdout.contains("Secret shop/key"), "{}", ended.stdout);
        assert!(!ended.stdout.contains("hunter"), "{}", ended.stdout);
        // Base64 of "hunter".
        assert!(!ended.stdout.contains("aHVudGVy"), "{}", ended.stdout);
    }
}
