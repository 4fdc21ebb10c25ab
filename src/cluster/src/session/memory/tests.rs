//! What is forgotten, each thing by itself. Whatever is kept beyond that would answer what it wasn't
//! asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::{Identity, KubeconfigReference, Remote, Tenancy};
use stageset_core::names::{Namespace, SecretName, ServiceAccountName, StageName};
use stageset_core::object::{GroupVersionKind, ObjectKey, Reference};
use stageset_core::observation::{
    Artifact, Dependency, DryRun, InventoryEntry, KindState, Labelled, LiveState, Readiness,
    RulesState, Settled, StageInventory,
};
use stageset_core::rights::Rules;
use stageset_core::spec::SourceReference;

use super::*;
use crate::records::stage_set;
use crate::session::StageSetKey;

const HOUR: i64 = 3_600_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn namespace() -> Namespace {
    Namespace::new("shop").unwrap()
}

fn session() -> Session {
    Session::new(StageSetKey::new("shop", "web"))
}

fn failure() -> Failure {
    Failure::new(FailureClass::Terminal, "no")
}

fn identity(target: &Target) -> Identity {
    let account = ServiceAccountName::new("deployer").unwrap();
    Identity::resolve(Tenancy::Multi, &namespace(), Some(&account), target).unwrap()
}

fn key(name: &str) -> ObjectKey {
    ObjectKey {
        group: String::new(),
        kind: "ConfigMap".into(),
        namespace: Some("shop".into()),
        name: name.into(),
    }
}

/// Lets the session know its spec.
fn reads(session: &mut Session, spec: &Value) {
    let object = json!({
        "metadata": { "namespace": "shop", "name": "web", "uid": "u", "generation": 1 },
        "spec": spec,
    });
    let read = stage_set::read(&object).unwrap();
    session.read = Some(Box::new(read));
}

fn stages(count: usize) -> Value {
    let stage = |index| json!({ "name": format!("s{index}"), "sourceRef": { "name": "app" } });
    json!({ "serviceAccountName": "deployer",
            "stages": (0..count).map(stage).collect::<Vec<Value>>() })
}

#[test]
fn a_clock_that_is_set_back_ends_all_that_was_seen() {
    let seen = |session: &mut Session| {
        let found = Fact::seen(SourceState::Absent, at(5));
        session.facts.sources.insert(source("app"), found);
    };
    let mut session = session();
    session.follow_clock(at(10));
    assert_eq!(session.refresh_before, at(10), "the first interval begins");
    seen(&mut session);
    session.follow_clock(at(20));
    assert_eq!(
        (session.refresh_before, session.facts.sources.len()),
        (at(10), 1)
    );
    session.follow_clock(at(20));
    assert_eq!(session.facts.sources.len(), 1);
    session.follow_clock(at(19));
    assert_eq!(
        (session.refresh_before, session.facts.sources.len()),
        (at(19), 0)
    );
    assert_eq!(session.decided, at(19));
}

fn source(name: &str) -> SourceReference {
    SourceReference {
        api_version: "source.toolkit.fluxcd.io/v1".into(),
        kind: "GitRepository".into(),
        namespace: namespace(),
        name: name.into(),
    }
}

fn artifact(digest: &str) -> Artifact {
    Artifact {
        url: "http://source/app.tar.gz".into(),
        digest: digest.into(),
        revision: "v1".into(),
    }
}

fn build(session: &mut Session, digest: &str, path: &str, overlay: &str, built: i64) {
    let key = BuildKey {
        digest: digest.into(),
        path: path.into(),
        overlay: overlay.into(),
    };
    let fact = Fact::seen(BuildState::built(Vec::new()), at(built));
    session.facts.builds.insert(key, fact);
}

fn offers(session: &mut Session, name: &str, state: SourceState) {
    let found = Fact::seen(state, at(0));
    session.facts.sources.insert(source(name), found);
}

#[test]
fn builds_are_kept_of_artifacts_that_a_source_offers_and_of_no_others() {
    let mut session = session();
    reads(&mut session, &stages(1));
    offers(&mut session, "ready", SourceState::Ready(artifact("ready")));
    for (name, artifact) in [("late", Some(artifact("late"))), ("none", None)] {
        let message = "not ready".into();
        offers(
            &mut session,
            name,
            SourceState::NotReady { message, artifact },
        );
    }
    offers(&mut session, "unread", SourceState::Unreadable(failure()));
    for digest in ["ready", "late", "former"] {
        build(&mut session, digest, "./", "", 0);
    }
    let failed = BuildKey {
        digest: "failed".into(),
        path: "./".into(),
        overlay: String::new(),
    };
    let fact = Fact::seen(BuildState::Failed(failure()), at(0));
    session.facts.builds.insert(failed, fact);
    session.forget(at(0));
    let kept: Vec<&str> = session
        .facts
        .builds
        .keys()
        .map(|key| &*key.digest)
        .collect();
    assert_eq!(kept, ["late", "ready"]);
}

/// The overlays of the builds that are kept, in the order of their names.
fn overlays(spec: Option<&Value>, builds: &[(&str, &str, &str, i64)]) -> Vec<String> {
    let mut session = session();
    if let Some(spec) = spec {
        reads(&mut session, spec);
    }
    for digest in ["one", "two"] {
        offers(&mut session, digest, SourceState::Ready(artifact(digest)));
    }
    for (digest, path, overlay, built) in builds {
        build(&mut session, digest, path, overlay, *built);
    }
    session.forget(at(0));
    let mut kept: Vec<String> = session
        .facts
        .builds
        .keys()
        .map(|key| key.overlay.clone())
        .collect();
    kept.sort();
    kept
}

#[test]
fn of_each_artifact_and_path_as_many_builds_are_kept_as_stages_could_want_the_newest() {
    // Named so that their order isn't that of their times.
    let builds = [
        ("one", "./", "a", 3),
        ("one", "./", "b", 1),
        ("one", "./", "c", 2),
    ];
    assert_eq!(overlays(Some(&stages(1)), &builds), ["a"]);
    assert_eq!(overlays(Some(&stages(2)), &builds), ["a", "c"]);
    assert_eq!(overlays(Some(&stages(3)), &builds), ["a", "b", "c"]);
    assert_eq!(overlays(Some(&stages(4)), &builds), ["a", "b", "c"]);
    assert_eq!(overlays(None, &builds), ["a"], "an unknown spec");
    assert_eq!(overlays(Some(&json!({})), &builds), ["a"], "an odd spec");
    // Those of one moment are all new.
    let equal = [("one", "./", "a", 1), ("one", "./", "b", 1)];
    assert_eq!(overlays(Some(&stages(1)), &equal), ["a", "b"]);
    // Other paths and artifacts count for themselves.
    let others = [
        ("one", "./", "a", 1),
        ("one", "./x", "b", 2),
        ("two", "./", "c", 3),
    ];
    assert_eq!(overlays(Some(&stages(1)), &others), ["a", "b", "c"]);
}

/// The names of the objects that are still known.
fn names(session: &Session) -> Vec<&str> {
    let objects = session.facts.objects.iter();
    objects.map(|(_, key, _)| key.name.as_str()).collect()
}

#[test]
fn what_no_inventory_holds_is_forgotten_after_a_while() {
    let now = at(10 * HOUR);
    let recently = at(10 * HOUR - HOUR + 1);
    let long_ago = at(9 * HOUR);
    let mut session = session();
    let local = identity(&Target::Local);
    let tried = |when| Some(Box::new(("d".to_owned(), Fact::seen(DryRun::Create, when))));
    for (name, live, dry_run) in [
        ("recorded", Some(long_ago), None),
        ("seen", Some(recently), None),
        ("seen-long-ago", Some(long_ago), None),
        ("tried", None, tried(recently)),
        ("tried-long-ago", Some(long_ago), tried(long_ago)),
        ("unknown", None, None),
    ] {
        let facts = session.facts.objects.entry(&local, &key(name));
        facts.live = live.map(|when| Fact::seen(LiveState::Absent, when));
        facts.dry_run = dry_run;
        let object = Reference {
            key: key(name),
            version: "v1".into(),
            plural: "configmaps".into(),
        };
        session
            .references
            .insert(&local, &object, &session.facts.objects);
    }
    // What isn't known to be recorded nowhere is kept.
    session.forget(now);
    assert_eq!(names(&session).len(), 6);
    let unread = Fact::seen(Err(failure()), now);
    session.facts.inventories = Some(unread);
    session.forget(now);
    assert_eq!(names(&session).len(), 6);

    let entry = InventoryEntry {
        version: "v1".into(),
        uid: None,
        digest: None,
    };
    let inventory = StageInventory {
        entries: BTreeMap::from([(key("recorded"), entry)]),
        ..StageInventory::default()
    };
    let stage = StageName::new("app").unwrap();
    let inventories = BTreeMap::from([(stage, inventory)]);
    session.facts.inventories = Some(Fact::seen(Ok(inventories), now));
    session.forget(now);
    assert_eq!(names(&session), ["recorded", "seen", "tried"]);
    let reached: Vec<String> = session
        .references
        .iter()
        .map(|(_, object)| object.key.name)
        .collect();
    assert_eq!(
        reached,
        ["recorded", "seen", "tried"],
        "and how they are reached"
    );
}

#[test]
fn a_dry_run_that_no_decision_asks_for_is_forgotten() {
    let mut session = session();
    let facts = session
        .facts
        .objects
        .entry(&identity(&Target::Local), &key("a"));
    facts.dry_run = Some(Box::new(("d".into(), Fact::seen(DryRun::Create, at(1)))));
    facts.settled = Some(Settled {
        digest: "d".into(),
        uid: "u".into(),
        entry: None,
        since: at(1),
    });
    session.forget(at(2));
    let (_, _, facts) = session.facts.objects.iter().next().unwrap();
    assert!(facts.dry_run.is_none());
}

fn remote(revision: &str) -> Target {
    Target::Remote(Arc::new(Remote {
        namespace: namespace(),
        kubeconfig: kubeconfig(),
        revision: revision.into(),
        cluster: "sha256:c".into(),
    }))
}

fn kubeconfig() -> KubeconfigReference {
    KubeconfigReference {
        name: SecretName::new("prod").unwrap(),
        key: "value".into(),
    }
}

/// Of this target: whether kinds, reviews and objects are known.
fn known(session: &Session, target: &Target, gvk: &GroupVersionKind) -> [bool; 3] {
    let identity = identity(target);
    [
        session.facts.kinds.get(target, gvk).is_some(),
        session.facts.reviews.rules(&identity, "shop").is_some(),
        session.facts.objects.of(&identity).is_some(),
    ]
}

#[test]
fn attack_a07_what_was_seen_by_a_former_kubeconfig_is_forgotten() {
    let gvk = GroupVersionKind::from_manifest("v1", "ConfigMap");
    let targets = [Target::Local, remote("u/7"), remote("u/8")];
    let seen = || {
        let mut session = session();
        for target in &targets {
            let identity = identity(target);
            let facts = &mut session.facts;
            let kind = Fact::seen(KindState::Unknown, at(0));
            facts.kinds.insert(target, gvk.clone(), kind);
            let rules = RulesState::Known(Arc::new(Rules::default()));
            facts
                .reviews
                .insert_rules(&identity, "shop".into(), Fact::seen(rules, at(0)));
            facts.objects.entry(&identity, &key("a")).live =
                Some(Fact::seen(LiveState::Absent, at(0)));
        }
        session
    };
    for (state, kept) in [
        (None, [true, false, false]),
        (Some(KubeconfigState::Absent), [true, false, false]),
        (
            Some(KubeconfigState::Usable(remote("u/8"))),
            [true, false, true],
        ),
    ] {
        let mut session = seen();
        if let Some(state) = state.clone() {
            let fact = Fact::seen(state, at(0));
            session.facts.kubeconfigs.insert(kubeconfig(), fact);
        }
        session.forget(at(0));
        let known = targets
            .each_ref()
            .map(|target| known(&session, target, &gvk));
        assert_eq!(known, kept.map(|kept| [kept; 3]), "{state:?}");
    }
}

#[test]
fn a_search_is_remembered_until_the_next_refresh() {
    let mut session = session();
    session.refresh_before = at(5);
    for (kind, seen) in [("Old", 4), ("New", 5)] {
        let search = Labelled {
            stage: StageName::new("app").unwrap(),
            group: String::new(),
            version: "v1".into(),
            kind: kind.into(),
            plural: "any".into(),
            namespace: None,
        };
        let asked = (identity(&Target::Local), search);
        session
            .facts
            .labelled
            .insert(asked, Fact::seen(Ok(Vec::new()), at(seen)));
    }
    session.forget(at(6));
    let kept: Vec<&str> = session
        .facts
        .labelled
        .keys()
        .map(|(_, search)| &*search.kind)
        .collect();
    assert_eq!(kept, ["New"]);
}

fn stage_set(name: &str) -> StageSetReference {
    StageSetReference {
        namespace: namespace(),
        name: name.into(),
    }
}

/// `web` depends on `a`, that on `b`, and that on `a` again; nobody on `c` any more.
#[test]
fn of_other_stage_sets_those_are_known_that_the_spec_leads_to() {
    let known = |spec: &Value| {
        let mut session = session();
        reads(&mut session, spec);
        for (name, on) in [("a", "b"), ("b", "a"), ("c", "a")] {
            let found = DependencyState::Found(Dependency {
                readiness: Readiness::Ready,
                applied: BTreeMap::new(),
                sources: BTreeSet::new(),
                depends_on: vec![stage_set(on)],
            });
            let fact = Fact::seen(found, at(0));
            session.facts.dependencies.insert(stage_set(name), fact);
        }
        session.forget(at(0));
        let names = session.facts.dependencies.keys();
        names.map(|each| each.name.clone()).collect::<Vec<String>>()
    };
    let mut spec = stages(1);
    spec["dependsOn"] = json!([{ "name": "a" }]);
    assert_eq!(known(&spec), ["a", "b"]);
    spec["dependsOn"] = json!([]);
    assert!(known(&spec).is_empty());
    assert_eq!(known(&json!({})).len(), 3, "where they are isn't known");
}
