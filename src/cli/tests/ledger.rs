//! `baseline` and `reset-ledger`, tried on a simulated cluster.

use serde_json::{Value, json};
use stageset_sim::SimulatedCluster;
use stagesetctl::arguments::{Command, Request, parse};
use stagesetctl::connection::Cluster;
use stagesetctl::error::CommandError;
use stagesetctl::live::{baseline, reset_ledger};

use crate::harness::stagesetctl;
use crate::live::world;

fn stage_set(cluster: &SimulatedCluster, actions: &[&str]) {
    let actions: Vec<Value> = actions
        .iter()
        .map(|name| json!({ "name": name, "scope": "Lifetime", "wait": { "duration": "1s" } }))
        .collect();
    cluster
        .apply_yaml_value(&json!({
            "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
            "metadata": { "namespace": "shop", "name": "web" },
            "spec": { "serviceAccountName": "deployer", "stages": [{
                "name": "app", "sourceRef": { "name": "app" }, "actions": { "pre": actions },
            }] },
        }))
        .unwrap();
}

fn ledger(cluster: &SimulatedCluster) -> Value {
    cluster
        .get("stages.metio.wtf/v1", "StageLedger", "shop", "web")
        .unwrap_or_default()
}

fn recorded(cluster: &SimulatedCluster, actions: &[&str]) {
    let done: Vec<Value> = actions
        .iter()
        .map(|action| {
            json!({ "stage": "app", "action": action, "origin": "Executed",
                    "digest": "sha256:kept", "completedAt": "2026-01-01T00:00:00Z" })
        })
        .collect();
    cluster
        .apply_yaml_value(&json!({
            "apiVersion": "stages.metio.wtf/v1", "kind": "StageLedger",
            "metadata": { "namespace": "shop", "name": "web" },
        }))
        .unwrap();
    let status = json!({ "completedActions": done, "conditions": [{
        "type": "Audited", "status": "True", "reason": "Yes", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }] });
    cluster
        .patch_status("stages.metio.wtf/v1", "StageLedger", "shop", "web", &status)
        .unwrap();
}

async fn run(cluster: &Cluster, words: &[&str]) -> (Result<String, CommandError>, Vec<String>) {
    let mut notes = Vec::new();
    let words = ["stagesetctl"].iter().chain(words).map(Into::into);
    let said = match parse(words).unwrap() {
        Request::Run(Command::Baseline(options)) => {
            baseline(cluster, &options, |note| notes.push(note)).await
        }
        Request::Run(Command::ResetLedger(options)) => {
            reset_ledger(cluster, &options, |note| notes.push(note)).await
        }
        other => panic!("{other:?}"),
    };
    (said, notes)
}

#[tokio::test]
async fn a_baseline_makes_the_ledger_and_only_ever_adds() {
    let (cluster, connected) = world();
    stage_set(&cluster, &["seed", "migrate"]);
    let words = ["baseline", "web", "--stage", "app", "--action", "seed"];
    let (said, notes) = run(&connected, &words).await;
    assert_eq!(
        said.unwrap(),
        "Baseline of StageLedger shop/web: app/seed counts as done\n"
    );
    assert_eq!(notes, [""; 0]);
    let made = ledger(&cluster);
    assert_eq!(
        made["spec"]["baseline"],
        json!([{ "stage": "app", "action": "seed" }])
    );
    assert_eq!(
        made["metadata"]["ownerReferences"],
        Value::Null,
        "it outlives its StageSet"
    );
    let manager = &made["metadata"]["managedFields"][0]["manager"];
    assert_eq!(*manager, "stagesetctl");
    // A second one stands beside the first; the same one again changes nothing.
    let words = ["baseline", "web", "--stage", "app", "--action", "migrate"];
    run(&connected, &words).await.0.unwrap();
    let before = ledger(&cluster);
    let (said, _) = run(&connected, &words).await;
    assert!(said.unwrap().contains("counted as done already"));
    assert_eq!(ledger(&cluster), before);
    assert_eq!(before["spec"]["baseline"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_baseline_for_what_is_not_there_yet_is_kept_and_noted() {
    let (cluster, connected) = world();
    let words = ["baseline", "web", "--stage", "app", "--action", "seed"];
    let (said, notes) = run(&connected, &words).await;
    said.unwrap();
    assert!(
        notes[0].contains("StageSet shop/web doesn't exist"),
        "{notes:?}"
    );
    stage_set(&cluster, &["migrate"]);
    let words = ["baseline", "web", "--stage", "app", "--action", "migrat"];
    let (said, notes) = run(&connected, &words).await;
    said.unwrap();
    assert!(
        notes[0].contains("app/migrat") && notes[0].contains("it has app/migrate"),
        "{notes:?}"
    );
    assert_eq!(
        ledger(&cluster)["spec"]["baseline"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn what_is_done_here_can_be_said_to_be_done_elsewhere() {
    let (cluster, connected) = world();
    let (none, _) = run(&connected, &["baseline", "web", "--export"]).await;
    assert!(
        none.unwrap_err()
            .to_string()
            .contains("StageLedger shop/web")
    );
    recorded(&cluster, &["seed", "migrate"]);
    let words = ["baseline", "web", "--stage", "app", "--action", "asserted"];
    run(&connected, &words).await.0.unwrap();
    let before = ledger(&cluster);
    let (said, _) = run(&connected, &["baseline", "web", "--export"]).await;
    let text = said.unwrap();
    insta::assert_snapshot!(text, @r"
    apiVersion: stages.metio.wtf/v1
    kind: StageLedger
    metadata:
      name: web
      namespace: shop
    spec:
      baseline:
      - action: asserted
        stage: app
      - action: migrate
        stage: app
      - action: seed
        stage: app
    ");
    assert_eq!(ledger(&cluster), before, "an export changes nothing");
    // It is accepted as it stands.
    let (other, _) = world();
    other.load_yaml(&text).unwrap();
    assert_eq!(
        ledger(&other)["spec"]["baseline"].as_array().unwrap().len(),
        3
    );
}

#[tokio::test]
async fn a_reset_takes_the_assertion_and_the_completion_and_nothing_else() {
    let (cluster, connected) = world();
    recorded(&cluster, &["seed", "migrate"]);
    let words = ["baseline", "web", "--stage", "app", "--action", "seed"];
    run(&connected, &words).await.0.unwrap();
    let words = ["reset-ledger", "web", "--stage", "app", "--action", "seed"];
    let (said, notes) = run(&connected, &words).await;
    assert_eq!(
        said.unwrap(),
        "Reset 1 completion(s) in StageLedger shop/web\n"
    );
    assert_eq!(notes, [""; 0]);
    let left = ledger(&cluster);
    assert_eq!(left["spec"]["baseline"], json!([]));
    let completed = left["status"]["completedActions"].as_array().unwrap();
    assert_eq!(completed.len(), 1);
    assert_eq!(
        completed[0]["digest"], "sha256:kept",
        "what others wrote stays"
    );
    assert_eq!(left["status"]["conditions"][0]["type"], "Audited");
    // The order of the two writes: else the controller would promote the entry anew between them.
    let writes: Vec<String> = cluster
        .audit()
        .iter()
        .filter(|record| record.verb == "patch" && record.path.contains("stageledgers"))
        .map(|record| {
            record
                .path
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    let last: Vec<&str> = writes[writes.len() - 2..]
        .iter()
        .map(String::as_str)
        .collect();
    assert_eq!(last, ["web", "status"], "{writes:?}");
    // What isn't recorded is said, with what is.
    let (said, notes) = run(&connected, &words).await;
    assert_eq!(
        said.unwrap(),
        "Reset 0 completion(s) in StageLedger shop/web\n"
    );
    assert_eq!(notes, ["Note: it records app/migrate as done"]);
    let (said, _) = run(&connected, &["reset-ledger", "web", "--all"]).await;
    assert_eq!(
        said.unwrap(),
        "Reset 1 completion(s) in StageLedger shop/web\n"
    );
    assert_eq!(ledger(&cluster)["status"]["completedActions"], json!([]));
    let (none, _) = run(&connected, &["reset-ledger", "other", "--all"]).await;
    assert_eq!(
        none.unwrap_err().to_string(),
        "StageLedger shop/other doesn't exist"
    );
}

#[test]
fn wrong_combinations_are_wrong_command_lines() {
    for words in [
        &["baseline", "web"][..],
        &["baseline", "web", "--stage", "a"],
        &["baseline", "web", "--action", "a"],
        &[
            "baseline", "web", "--export", "--stage", "a", "--action", "b",
        ],
        &["baseline", "--export"],
        &["reset-ledger", "web"],
        &["reset-ledger", "web", "--stage", "a"],
        &["reset-ledger", "web", "--action", "a"],
        &[
            "reset-ledger",
            "web",
            "--all",
            "--stage",
            "a",
            "--action",
            "b",
        ],
    ] {
        let ended = stagesetctl(words);
        assert_eq!(ended.code, Some(2), "{words:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{words:?}");
        if words[1..] == ["web"] {
            // Every way out is named, not the first one that a parser thinks of.
            let other = if words[0] == "baseline" {
                "--export"
            } else {
                "--all"
            };
            for flag in ["--stage", "--action", other] {
                let named = words.contains(&flag) || ended.stderr.contains(flag);
                assert!(named, "{words:?}: {}", ended.stderr);
            }
        }
    }
}
