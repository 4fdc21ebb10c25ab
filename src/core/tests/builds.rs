//! Builds: which one is whose, and what of a spec makes it another one.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use stageset_core::failure::{Failure, FailureClass};
use stageset_core::names::ObjectName;
use stageset_core::observation::{BuildOverlay, SourceState, Values, VariableState};
use stageset_core::spec::{Overlay, OverlayPatch, VariableKind, VariableReference, VariableSource};

use crate::world::{World, manifest, shop};

const MINUTE: Duration = Duration::from_secs(60);

fn digest_of(world: &World, source: &str) -> String {
    match &world.sources[source] {
        SourceState::Ready(artifact) => artifact.digest.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_paths_of_one_artifact_are_two_builds() {
    let mut world = shop();
    let digest = digest_of(&world, "config");
    world.artifacts.insert(
        (digest, "./app".into()),
        Ok(vec![manifest("Service/web=1")]),
    );
    world.edit_spec(|spec| {
        spec.stages[1].source = spec.stages[0].source.clone();
        spec.stages[1].path = "./app".into();
    });
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(world.object("Service", "web").is_some());
    assert!(world.object("ConfigMap", "settings").is_some());
}

#[test]
fn of_several_failed_builds_the_first_stage_s_is_told() {
    let mut world = shop();
    for source in ["config", "app"] {
        let failure = Failure::new(FailureClass::Terminal, format!("{source} is broken"));
        let key = (digest_of(&world, source), String::new());
        world.artifacts.insert(key, Err(failure));
    }
    world.settle(MINUTE);
    assert!(
        world
            .message()
            .starts_with("stage config: config is broken"),
        "{}",
        world.message()
    );
}

fn patch(text: &str, target: &[(&'static str, &str)]) -> OverlayPatch {
    let members = target
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    OverlayPatch {
        patch: text.into(),
        target: (!target.is_empty()).then(|| members.collect()),
    }
}

fn patches<const N: usize>(patches: [OverlayPatch; N]) -> Overlay {
    Overlay {
        patches: patches.to_vec(),
        ..Overlay::default()
    }
}

fn variable(name: &str, value: &str) -> Overlay {
    Overlay {
        variables: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        ..Overlay::default()
    }
}

fn from(kind: VariableKind) -> Overlay {
    let name = ObjectName::new("common").unwrap();
    Overlay {
        variables_from: vec![VariableReference {
            source: VariableSource { kind, name },
            optional: false,
        }],
        ..Overlay::default()
    }
}

/// What the build of a stage with this overlay is given; what variables come from is at this version.
fn given(overlay: &Overlay, version: &str) -> BuildOverlay {
    let mut world = shop();
    for kind in ["ConfigMap", "Secret"] {
        let mut values = Values::default();
        values.set("common", "yes");
        let found = VariableState::Found {
            values,
            version: version.into(),
        };
        world.variables.insert(format!("{kind} common"), found);
    }
    world.edit_spec(|spec| spec.stages[1].overlay = overlay.clone());
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    let mut given = world.overlays.iter();
    given
        .find(|given| !given.digest.is_empty())
        .unwrap()
        .clone()
}

/// A build is had again by the digest of its overlay, so nothing that shapes it may be left out of that.
#[test]
fn every_part_of_an_overlay_makes_another_build_and_reaches_it() {
    let (p, q) = (patch("p", &[]), patch("q", &[]));
    let overlays = [
        (patches([p.clone()]), "1"),
        (patches([q.clone()]), "1"),
        (patches([p.clone(), q.clone()]), "1"),
        (patches([q, p.clone()]), "1"),
        (patches([patch("p", &[("kind", "a")])]), "1"),
        (patches([patch("p", &[("kind", "b")])]), "1"),
        (patches([patch("p", &[("name", "a")])]), "1"),
        // The same texts, divided otherwise.
        (patches([p, patch("kind", &[]), patch("a", &[])]), "1"),
        (variable("a", "bc"), "1"),
        (variable("ab", "c"), "1"),
        (variable("a", "c"), "1"),
        (variable("b", "c"), "1"),
        (from(VariableKind::ConfigMap), "1"),
        (from(VariableKind::ConfigMap), "2"),
        (from(VariableKind::Secret), "1"),
    ];
    let mut known: BTreeMap<String, &Overlay> = BTreeMap::new();
    for (overlay, version) in &overlays {
        let given = given(overlay, version);
        assert_eq!(given.patches, overlay.patches);
        let variables: BTreeMap<_, _> = given.variables.iter().collect();
        let count = overlay.variables.len() + overlay.variables_from.len();
        assert_eq!(variables.len(), count, "{overlay:?}");
        for (name, value) in &overlay.variables {
            assert_eq!(variables.get(name.as_str()), Some(&value.as_str()));
        }
        if let Some(other) = known.insert(given.digest, overlay) {
            panic!("{overlay:?} and {other:?} have one digest");
        }
    }
}
