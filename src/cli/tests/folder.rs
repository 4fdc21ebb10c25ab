//! Folders that can't be used: exit code 3, and a message that names file and line.

use crate::harness::{folder, stagesetctl};

const STAGE_SET: &str = "apiVersion: stages.metio.wtf/v1\n\
kind: StageSet\n\
metadata:\n  name: shop\n  namespace: shop\n\
spec:\n  stages:\n    - name: app\n      sourceRef:\n        name: shop\n";
const SETTINGS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n";

fn refused(name: &str, files: &[(&str, &str)], parts: &[&str]) {
    let folder = folder(name, files);
    for words in [
        &["simulate", folder.as_str()][..],
        &["plan", "--dir", folder.as_str()],
    ] {
        let ended = stagesetctl(words);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr.starts_with("Error: "), "{}", ended.stderr);
        for part in parts {
            assert!(
                ended.stderr.contains(part),
                "no {part:?} in {}",
                ended.stderr
            );
        }
    }
}

#[test]
fn a_missing_folder() {
    let ended = stagesetctl(&["simulate", "examples/none"]);
    assert_eq!(ended.code, Some(3));
    assert!(
        ended
            .stderr
            .starts_with("Error: examples/none: No such file"),
        "{}",
        ended.stderr
    );
    let ended = stagesetctl(&["simulate", "Cargo.toml"]);
    assert_eq!(ended.code, Some(3));
    assert!(
        ended
            .stderr
            .starts_with("Error: Cargo.toml: Not a directory"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_folder_without_stage_sets() {
    refused("empty", &[], &["stagesets", "holds no StageSet"]);
    refused(
        "no-stage-set",
        &[("cluster/a.yaml", SETTINGS)],
        &["holds no StageSet"],
    );
}

#[test]
fn broken_manifests() {
    let good = ("stagesets/shop.yaml", STAGE_SET);
    refused(
        "broken-yaml",
        &[good, ("cluster/a.yaml", "kind: [\nb: c\n")],
        &["broken-yaml/cluster/a.yaml:2: "],
    );
    refused(
        "no-name",
        &[
            good,
            (
                "cluster/a.yaml",
                "---\n---\napiVersion: v1\nkind: ConfigMap\n",
            ),
        ],
        &["no-name/cluster/a.yaml:3: ", "metadata.name"],
    );
    refused(
        "two-mistakes",
        &[
            good,
            ("cluster/a.yaml", "a: 1\na: 2\n"),
            ("cluster/b.yaml", "apiVersion: v1\nkind: X\n"),
        ],
        &[
            "two-mistakes/cluster/a.yaml:2: ",
            "two-mistakes/cluster/b.yaml:1: ",
        ],
    );
    refused(
        "stranger-among-stage-sets",
        &[good, ("stagesets/b.yaml", SETTINGS)],
        &["stagesets/b.yaml:1: ", "ConfigMap settings", "cluster/"],
    );
}

#[test]
fn mistakes_in_the_scenario() {
    let good = ("stagesets/shop.yaml", STAGE_SET);
    let artifact = ("artifacts/shop/a.yaml", SETTINGS);
    let scenario = |text| ("scenario.yaml", text);
    refused(
        "unknown-field",
        &[good, artifact, scenario("until: 1m\nspeed: 2\n")],
        &[
            "unknown-field/scenario.yaml:2: unknown field \"speed\"",
            "until, steps",
        ],
    );
    refused(
        "bad-duration",
        &[good, artifact, scenario("# later\nuntil: soon\n")],
        &["bad-duration/scenario.yaml:2: until: \"soon\" is not a duration"],
    );
    refused(
        "no-such-file",
        &[
            good,
            artifact,
            scenario("steps:\n- at: 1s\n  apply: steps/grant.yaml\n"),
        ],
        &["no-such-file/scenario.yaml:2: ", "steps/grant.yaml"],
    );
    refused(
        "outside",
        &[
            good,
            artifact,
            scenario("steps:\n- at: 1s\n  apply: ../outside.yaml\n"),
        ],
        &["outside/scenario.yaml:2: ", "inside the scenario's folder"],
    );
    refused(
        "no-such-revision",
        &[
            good,
            ("artifacts/shop/v1/a.yaml", SETTINGS),
            scenario("steps:\n- at: 1s\n  publish: {source: shop, revision: v2}\n"),
        ],
        &["no-such-revision/scenario.yaml:2: ", "artifacts/shop/v2"],
    );
    refused(
        "no-such-source",
        &[
            good,
            artifact,
            scenario("steps:\n- at: 1s\n  publish: {source: shoop, revision: v2}\n"),
        ],
        &["no-such-source/scenario.yaml:2: ", "artifacts/shoop/v2"],
    );
}

#[test]
fn artifacts_that_nobody_would_see() {
    let good = ("stagesets/shop.yaml", STAGE_SET);
    refused(
        "unused-artifact",
        &[
            good,
            ("artifacts/shop/a.yaml", SETTINGS),
            ("artifacts/shoop/a.yaml", SETTINGS),
        ],
        &["artifacts/shoop: is offered by no source"],
    );
    refused(
        "unused-revision",
        &[
            good,
            ("artifacts/shop/v1/a.yaml", SETTINGS),
            ("artifacts/shop/v2/a.yaml", SETTINGS),
            ("artifacts/shop/v10/a.yaml", SETTINGS),
            (
                "scenario.yaml",
                "steps:\n- at: 1s\n  publish: {source: shop, revision: v2}\n",
            ),
        ],
        &[
            "artifacts/shop/v10: is never published",
            "first revision (v1)",
        ],
    );
    refused(
        "mistyped",
        &[good, ("artefacts/shop/a.yaml", SETTINGS)],
        &["artefacts: is not part"],
    );
    refused(
        "loose-file",
        &[good, ("artifacts/a.yaml", SETTINGS)],
        &["artifacts/a.yaml: stands beside"],
    );
}
