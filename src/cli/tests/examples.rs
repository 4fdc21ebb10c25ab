//! Every example has its plan and its timeline as snapshots, and every snapshot has its example.

use std::collections::BTreeSet;

use crate::harness::{examples, root, stagesetctl};

/// Examples in which every StageSet becomes Ready, or is deleted.
const GOOD: [&str; 13] = [
    "actions",
    "admission-heals",
    "contested",
    "drift",
    "expressions",
    "grant-heals",
    "overlay",
    "ready-checks",
    "taking-over",
    "teardown",
    "two-stages",
    "unknown-kind-heals",
    "update-drops-objects",
];

fn settings(name: &str) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(format!("examples/{name}"));
    settings
}

#[test]
fn plans_are_as_reviewed() {
    for name in examples() {
        let directory = format!("examples/{name}");
        let ended = stagesetctl(&["plan", "--dir", &directory]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{name}");
        settings(&name).bind(|| insta::assert_snapshot!(format!("{name}.plan"), ended.stdout));
    }
}

#[test]
fn timelines_are_as_reviewed() {
    for name in examples() {
        let directory = format!("examples/{name}");
        let ended = stagesetctl(&["simulate", &directory]);
        let expected = i32::from(!GOOD.contains(&name.as_str()));
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(expected), ""),
            "{name}: {}",
            ended.stdout
        );
        settings(&name).bind(|| insta::assert_snapshot!(format!("{name}.timeline"), ended.stdout));
    }
}

#[test]
fn no_snapshot_is_an_orphan() {
    let expected: BTreeSet<String> = examples()
        .iter()
        .flat_map(|name| [format!("{name}.plan.snap"), format!("{name}.timeline.snap")])
        .collect();
    let found: BTreeSet<String> = std::fs::read_dir(root().join("snapshots"))
        .unwrap()
        .map(Result::unwrap)
        // A folder belongs to whoever renders into it: `chart` to the chart's own tests.
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let orphans: Vec<_> = found.difference(&expected).collect();
    assert!(
        orphans.is_empty(),
        "remove these from snapshots/: {orphans:?}"
    );
    let missing: Vec<_> = expected.difference(&found).collect();
    assert!(
        missing.is_empty(),
        "these are missing in snapshots/: {missing:?}"
    );
}

#[test]
fn every_example_says_what_to_look_for() {
    for name in examples() {
        let text =
            std::fs::read_to_string(root().join("examples").join(&name).join("README.md")).unwrap();
        assert!(text.contains("Look for"), "{name}");
        assert!(
            text.contains(&format!("stagesetctl simulate examples/{name}")),
            "{name}"
        );
    }
}

/// What a newcomer compares with what is on the screen.
#[test]
fn the_picture_in_the_readme_is_the_run() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, picture) = readme.split_once("```text\n").unwrap();
    let (picture, _) = picture.split_once("```").unwrap();
    let run = stagesetctl(&["simulate", "examples/two-stages"]);
    assert_eq!(picture, run.stdout);
}

/// Text is compared with the snapshots, which other processes wrote; this is about data.
#[test]
fn the_same_folder_gives_the_same_output() {
    for name in examples() {
        let directory = format!("examples/{name}");
        let words = ["simulate", &directory, "-o", "json"];
        let first = stagesetctl(&words);
        assert!(!first.stdout.is_empty(), "{name}: {}", first.stderr);
        assert_eq!(first, stagesetctl(&words), "{name}");
    }
}
