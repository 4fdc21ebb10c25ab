//! A wrong value fails the render, with a sentence that names it.

use stageset_e2e::chart::Release;

fn refusal(values: &[&str]) -> String {
    match Release::new("stageset-controller", "stageset-system", values).render(&[]) {
        Ok(_) => panic!("{values:?} was rendered"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn wrong_values_are_refused_by_name() {
    for (values, words) in [
        (&["replica=1"][..], &["replica"][..]),
        (
            &["controller.logLevel=loud"],
            &["controller/logLevel", "debug"],
        ),
        (
            &["controller.defaultInterval=soon"],
            &["controller/defaultInterval"],
        ),
        (
            &["controller.inventoryShardCap=0"],
            &["controller/inventoryShardCap"],
        ),
        (
            &["controller.watchNamespaces={a/b}"],
            &["controller/watchNamespaces"],
        ),
        (
            &["controller.watchNamespaces={a,a}"],
            &["controller/watchNamespaces"],
        ),
        (
            &["controller.leaveNamespaces={a/b}"],
            &["controller/leaveNamespaces"],
        ),
        (
            &["controller.leaveNamespaces={a}"],
            &["controller.leaveNamespaces", "controller.watchNamespaces"],
        ),
        (
            &[
                "controller.leaveNamespaces={a,b}",
                "controller.watchNamespaces={b}",
            ],
            &["controller.leaveNamespaces: b stands in"],
        ),
        (
            &[
                "controller.leaveNamespaces={a,*}",
                "controller.watchNamespaces={b}",
            ],
            &["controller.leaveNamespaces", "alone"],
        ),
        (
            &["controller.allowArtifactAddresses={localhost}"],
            &["allowArtifactAddresses"],
        ),
        (
            &["controller.checkCrossNamespaceRefs=1"],
            &["controller/checkCrossNamespaceRefs"],
        ),
        (&["controller.takeOver=maybe"], &["controller/takeOver"]),
        (
            &["controller.allowRemoteAddresses={localhost}"],
            &["allowRemoteAddresses"],
        ),
        (
            &["controller.allowActionAddresses={10.0.0.1}"],
            &["allowActionAddresses"],
        ),
        (
            &["controller.allowInsecureKubeconfigs=1"],
            &["controller/allowInsecureKubeconfigs"],
        ),
        (
            &["controller.tracing.endpoint=http://collector:4317"],
            &["controller/tracing/endpoint"],
        ),
        (
            &["controller.tracing.endpoint=collector"],
            &["controller/tracing/endpoint"],
        ),
        (
            &["controller.tracing.insecure=1"],
            &["controller/tracing/insecure"],
        ),
        (
            &["controller.tracing.sampleRatio=1.5"],
            &["controller/tracing/sampleRatio"],
        ),
        (
            &["controller.tracing.headers=x"],
            &["controller/tracing", "headers"],
        ),
        (&["ports.metrics=70000"], &["ports/metrics"]),
        (
            &["replicas.min=2", "replicas.max=1"],
            &["replicas.max", "replicas.min"],
        ),
        (
            &["replicas.max=2", "controller.leaderElect=false"],
            &["controller.leaderElect"],
        ),
        (&["rbac.clusterAdmin=1"], &["rbac/clusterAdmin"]),
        (
            &["rbac.impersonation.mode=none"],
            &["rbac/impersonation/mode"],
        ),
        (
            &["rbac.impersonation.mode=constrained"],
            &["rbac.impersonation.rules"],
        ),
        (
            &["rbac.impersonation.rules[0].verbs={escalate}"],
            &["rbac/impersonation/rules/0"],
        ),
        (
            &["webhook.certMode=vault"],
            &["webhook/certMode", "cert-manager"],
        ),
        (
            &["webhook.certMode=cert-manager"],
            &["webhook.certManager.issuerRef.name"],
        ),
        (&["webhook.timeoutSeconds=31"], &["webhook/timeoutSeconds"]),
        (&["webhook.failurePolicy=Maybe"], &["webhook/failurePolicy"]),
        (
            &["replicas.max=2", "podDisruptionBudget.maxUnavailable=1"],
            &["podDisruptionBudget", "exclude"],
        ),
        (
            &[
                "networkPolicy.enabled=true",
                "networkPolicy.egress.enabled=true",
            ],
            &["networkPolicy.egress.to"],
        ),
        (&["namespace.pssLevel=strict"], &["namespace/pssLevel"]),
        (&["resources.memory=lots"], &["resources/memory"]),
        (&["image.pullPolicy=Often"], &["image/pullPolicy"]),
    ] {
        let said = refusal(values);
        for word in words {
            assert!(said.contains(word), "{values:?}: {said}");
        }
    }
}

/// What this version doesn't have is refused by name, and its off value accepted.
#[test]
fn what_is_missing_is_refused_unless_it_is_off() {
    for (on, off) in [
        ("mcp.enabled=true", "mcp.enabled=false"),
        ("rollbackStore.backend=pvc", "rollbackStore.backend=none"),
        (
            "controller.objectLevelKMS=true",
            "controller.objectLevelKMS=false",
        ),
        (
            "controller.requirePinnedMigrationSources=true",
            "controller.requirePinnedMigrationSources=false",
        ),
        (
            "driftWatch.kinds[0].resource=configmaps",
            "driftWatch.kinds=null",
        ),
        ("serviceMesh.enabled=true", "serviceMesh.enabled=false"),
        (
            "networkPolicy.engine=cilium",
            "networkPolicy.engine=kubernetes",
        ),
    ] {
        let said = refusal(&[on]);
        let path = off.split('=').next().unwrap();
        assert!(
            said.contains(&format!("{path}: this version doesn't have it")),
            "{on}: {said}"
        );
        let release = Release::new("stageset-controller", "stageset-system", &[off]);
        release
            .render(&[])
            .unwrap_or_else(|error| panic!("{off}: {error}"));
    }
}

#[test]
fn constrained_impersonation_needs_a_cluster_that_has_it() {
    let rules = [
        "rbac.impersonation.mode=constrained",
        "rbac.impersonation.rules[0].apiGroups={apps}",
        "rbac.impersonation.rules[0].resources={deployments}",
        "rbac.impersonation.rules[0].verbs={patch}",
    ];
    let release = Release::new("stageset-controller", "stageset-system", &rules);
    let said = release.render_for("1.35.4").unwrap_err().to_string();
    assert!(said.contains("1.36") && said.contains("legacy"), "{said}");
    assert!(release.render_for("1.36.0").is_ok());
}
