//! Each way of installing, with the rights that the chart renders for it: a release is delivered,
//! and what the mode takes away is really away.

use anyhow::{Result, bail, ensure};
use serde_json::json;
use stageset_e2e::Kubectl;
use stageset_e2e::chart::Release;
use stageset_e2e::fixtures::{Tenant, artifacts};

use crate::stageset::{StageSet, config_map, spec};
use crate::world::World;

/// The shared controller looks at all namespaces, so it makes room.
pub(super) fn instead_of_the_shared_one(
    world: &World,
    run: impl FnOnce() -> Result<()>,
) -> Result<()> {
    world.controller().terminate()?;
    let result = run();
    world.controller().start_ready()?;
    result
}

/// A release of a ConfigMap in a namespace of its own, written and not yet delivered.
pub(super) fn written<'a>(world: &'a World, namespace: &'a str) -> Result<StageSet<'a>> {
    let kubectl = world.kubectl();
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let spec = spec("ExternalArtifact", "app", &[("only", "./")]);
    StageSet::apply(kubectl, namespace, "release", &spec)
}

/// `rbac.impersonation.mode: constrained` (KEP-5284), and what a thief of the controller's token may
/// do with it, compared with the legacy mode.
pub(crate) fn constrained(world: &World) -> Result<()> {
    let rule = "rbac.impersonation.rules[0]";
    let release = Release::new(
        "constrained",
        "constrained-system",
        &[
            "crds.create=false",
            "rbac.impersonation.mode=constrained",
            &format!("{rule}.apiGroups[0]="),
            &format!("{rule}.resources={{configmaps}}"),
            &format!("{rule}.verbs={{get,list,watch,patch,delete}}"),
        ],
    );
    instead_of_the_shared_one(world, || {
        let mut controller = world.controller_of(&release, &[])?;
        controller.start_ready()?;
        let set = written(world, "constrained")?;
        set.wait_ready()?;
        set.delete()?;
        ensure!(controller.terminate()?.success(), "it didn't stop cleanly");

        let legacy = Release::new("legacy", "legacy-system", &["crds.create=false"]);
        legacy.install_rights(world.kubectl())?;
        let (thief, old_thief) = (world.kubectl_of(&release)?, world.kubectl_of(&legacy)?);
        // A grant that the tenant has and the list of the controller doesn't.
        let deployer = "system:serviceaccount:constrained:deployer";
        let attempts: &[(&str, &[&str], bool)] = &[
            (
                "another kind",
                &["get", "deployments", "--as", deployer],
                true,
            ),
            ("a Secret", &["get", "secrets", "--as", deployer], true),
            (
                "another verb",
                &["create", "configmap", "x", "--as", deployer],
                true,
            ),
            ("a user", &["get", "configmaps", "--as", "e2e:admin"], false),
            (
                "a group",
                &[
                    "get",
                    "configmaps",
                    "--as",
                    deployer,
                    "--as-group",
                    "system:masters",
                ],
                false,
            ),
            (
                "a node",
                &["get", "pods", "--as", "system:node:node1"],
                false,
            ),
            ("itself", &["get", "configmaps"], false),
        ];
        for (what, attempt, in_legacy) in attempts {
            let arguments = [&["-n", "constrained"], *attempt].concat();
            must_be_forbidden(&thief, what, &arguments)?;
            ensure!(
                old_thief.run(&arguments).is_ok() == *in_legacy,
                "legacy: {what} was expected to be {}",
                if *in_legacy { "possible" } else { "forbidden" }
            );
        }
        // What is listed works, so the refusals above have their reason in the list.
        thief.run(&["-n", "constrained", "get", "configmaps", "--as", deployer])?;
        Ok(())
    })
}

/// `controller.watchNamespaces`: delivered inside, nothing outside, and no right there (S18 to S22).
pub(crate) fn watch_namespaces(world: &World) -> Result<()> {
    let list = |namespace: &str| format!("controller.watchNamespaces={{{namespace}}}");
    let release = |name: &str, namespace: &str| {
        let values = ["crds.create=false", &list(namespace)];
        Release::new(name, &format!("{name}-system"), &values)
    };
    let kubectl = world.kubectl();
    for namespace in ["scoped-a", "scoped-b", "scoped-c"] {
        kubectl.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace},
        }))?;
    }
    instead_of_the_shared_one(world, || {
        let (one, other) = (release("one", "scoped-a"), release("other", "scoped-b"));
        let mut first = world.controller_of(&one, &["--watch-namespaces=scoped-a"])?;
        let mut second = world.controller_of(&other, &["--watch-namespaces=scoped-b"])?;
        first.start_ready()?;
        second.start_ready()?;
        let outside = written(world, "scoped-c")?;
        for namespace in ["scoped-a", "scoped-b"] {
            written(world, namespace)?.wait_ready()?;
        }
        // The others were delivered while this one stood there untouched.
        let found = kubectl.raw(&outside.path())?.unwrap_or_default();
        ensure!(
            found["status"].is_null() && found["metadata"]["finalizers"].is_null(),
            "a StageSet outside the list was touched: {found}"
        );
        let events = world.audit()?.unwrap_or_default();
        for (release, own) in [(&one, "scoped-a"), (&other, "scoped-b")] {
            let user = release.user();
            let strange = events.iter().find(|event| {
                event.user == user
                    && !event.namespace.is_empty()
                    && event.namespace != own
                    && event.namespace != release.namespace()
            });
            ensure!(
                strange.is_none(),
                "{user} in another namespace: {strange:?}"
            );
            // S22: the right to impersonate ends at the list.
            let thief = world.kubectl_of(release)?;
            let account = "system:serviceaccount:scoped-c:deployer";
            let attempt = ["-n", "scoped-c", "get", "configmaps", "--as", account];
            must_be_forbidden(&thief, "an account outside the list", &attempt)?;
            must_be_forbidden(
                &thief,
                "a Secret outside",
                &["-n", "scoped-c", "get", "secret", "x"],
            )?;
        }
        ensure!(first.terminate()?.success() && second.terminate()?.success());
        Ok(())
    })
}

/// `rbac.clusterAdmin`: a StageSet without an account is applied by the controller itself, and one
/// with an account is bounded by it (S11 to S16).
pub(crate) fn cluster_admin(world: &World) -> Result<()> {
    let release = Release::new(
        "admin",
        "admin-system",
        &["crds.create=false", "rbac.clusterAdmin=true"],
    );
    let kubectl = world.kubectl();
    instead_of_the_shared_one(world, || {
        let mut controller = world.controller_of(&release, &["--single-tenant"])?;
        controller.start_ready()?;
        let artifact = world.artifacts.put_files(&[
            ("a.yaml", &config_map("a", "one")),
            (
                "role.yaml",
                &json!({
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                    "metadata": {"name": "platform-made"},
                    "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
                })
                .to_string(),
            ),
        ])?;
        artifacts::publish(kubectl, "admin-system", "platform-app", "v1", &artifact)?;
        let mut platform = spec("ExternalArtifact", "platform-app", &[("app", "./")]);
        remove_account(&mut platform)?;
        let set = StageSet::apply(kubectl, "admin-system", "platform", &platform)?;
        set.wait_ready()?;
        // The very same with an account: bounded by what the account may do (S16).
        Tenant::create(kubectl, "admin-tenant")?.grant_edit(kubectl)?;
        artifacts::publish(kubectl, "admin-tenant", "platform-app", "v1", &artifact)?;
        let bounded = spec("ExternalArtifact", "platform-app", &[("app", "./")]);
        let bounded = StageSet::apply(kubectl, "admin-tenant", "platform", &bounded)?;
        bounded.wait_failed_saying(&["RBACDenied"], &["clusterroles"])?;
        bounded.delete()?;
        set.delete()?;
        ensure!(controller.terminate()?.success(), "it didn't stop cleanly");
        Ok(())
    })
}

fn remove_account(spec: &mut serde_json::Value) -> Result<()> {
    match spec
        .as_object_mut()
        .and_then(|spec| spec.remove("serviceAccountName"))
    {
        Some(_) => Ok(()),
        None => bail!("the fixture names no account any more"),
    }
}

fn must_be_forbidden(thief: &Kubectl, what: &str, arguments: &[&str]) -> Result<()> {
    match thief.run(arguments) {
        Ok(output) => bail!("{what}: it worked: {output}"),
        Err(error) => {
            let text = format!("{error:#}");
            ensure!(text.contains("orbidden"), "{what}: another failure: {text}");
            Ok(())
        }
    }
}
