//! Actions: what each verb does, what is recorded when, and what a crash anywhere means.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

mod again;
mod crashes;
mod failures;
mod ledger;
mod on_failure;
mod refusals;
mod verbs;

use std::time::Duration;

use stageset_core::judge::cel::Expression;
use stageset_core::observation::{Artifact, Phase, SourceState};
use stageset_core::spec::{
    Action, ActionScope, Anchor, Cascade, Delete, Http, Manifests, Method, ObjectTarget, Patch,
    PatchFormat, Selected, Until, Verb,
};

use stageset_core::plan::{Need, Next};
use stageset_core::time::Timestamp;

use crate::world::{NAMESPACE, World, kubeconfig, manifest, shop, stage};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn action(name: &str, verb: Verb) -> Action {
    Action {
        name: name.into(),
        scope: ActionScope::Revision,
        timeout: None,
        retries: 0,
        verb,
    }
}

fn lifetime(mut action: Action) -> Action {
    action.scope = ActionScope::Lifetime(None);
    action
}

fn anchored(mut action: Action, kind: &str, name: &str) -> Action {
    action.scope = ActionScope::Lifetime(Some(Anchor {
        api_version: "v1".into(),
        kind: kind.into(),
        name: name.into(),
    }));
    action
}

fn http(method: Method) -> Verb {
    Verb::Http(Http {
        url: "https://hooks.example.org/deploy".into(),
        method,
        body: None,
        headers: Vec::new(),
        expected: Vec::new(),
    })
}

fn object(kind: &str, name: &str) -> ObjectTarget {
    ObjectTarget {
        api_version: if kind == "Deployment" {
            "apps/v1"
        } else {
            "v1"
        }
        .into(),
        kind: kind.into(),
        namespace: NAMESPACE.into(),
        name: name.into(),
    }
}

fn until(name: &str) -> Verb {
    Verb::Until(Until {
        target: object("ConfigMap", name),
        expression: Expression::compile("status.ready").unwrap(),
        timeout: Duration::from_secs(300),
    })
}

fn delete(name: &str) -> Verb {
    Verb::Delete(Delete {
        target: object("ConfigMap", name),
        cascade: Cascade::Background,
    })
}

fn patch(format: PatchFormat, body: &str) -> Verb {
    Verb::Patch(Patch {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: NAMESPACE.into(),
        objects: Selected::Named("cache".into()),
        format,
        body: body.into(),
    })
}

fn manifests(source: &str) -> Manifests {
    Manifests {
        source: stage("x", source).source,
        path: "steps".into(),
    }
}

/// Publishes what `job` and `apply` actions of [`manifests`] find.
fn publish_steps(world: &mut World, source: &str, objects: &[&str]) {
    let digest = format!("sha256:{source}");
    let objects = objects.iter().map(|text| manifest(text)).collect();
    world
        .artifacts
        .insert((digest.clone(), "steps".into()), Ok(objects));
    world.sources.insert(
        source.into(),
        SourceState::Ready(Artifact {
            url: format!("http://source/{source}.tar.gz"),
            digest,
            revision: "s1".into(),
        }),
    );
}

/// The shop with these actions around its second stage.
fn with_actions(pre: Vec<Action>, post: Vec<Action>) -> World {
    let mut world = shop();
    world.edit_spec(|spec| {
        spec.stages[1].actions.pre = pre;
        spec.stages[1].actions.post = post;
    });
    world
}

fn succeeds(world: &mut World, what: &str) {
    world.settle(HOUR);
    assert_eq!(
        world.ready(),
        "True Succeeded",
        "{what}: {}",
        world.message()
    );
}

fn request(world: &mut World, token: &str) {
    world.requested_at = Some(token.into());
    world.refresh_before = world.now;
}
