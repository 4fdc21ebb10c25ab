//! Kustomize's default fields: facts, taken from its 5.8.2.

use super::{BackReference, Config, FieldSpec};
use crate::kustomize::id::OwnedGvk;

/// `Kind`, `group:Kind` or `group/version:Kind`, where group or version may be empty.
fn gvk(text: &str) -> OwnedGvk {
    let (group_version, kind) = text.split_once(':').unwrap_or(("", text));
    let (group, version) = group_version.split_once('|').unwrap_or((group_version, ""));
    OwnedGvk {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
    }
}

fn field(kind: &str, path: &str, create: bool) -> FieldSpec {
    FieldSpec::new(gvk(kind), path, create)
}

pub(super) fn config() -> Config {
    let metadata_name = || vec![field("", "metadata/name", false)];
    let mut config = Config {
        name_prefix: metadata_name(),
        name_suffix: metadata_name(),
        namespace: vec![
            field("Namespace", "metadata/name", true),
            field(
                "apiregistration.k8s.io:APIService",
                "spec/service/namespace",
                true,
            ),
            field(
                "apiextensions.k8s.io:CustomResourceDefinition",
                "spec/conversion/webhook/clientConfig/service/namespace",
                false,
            ),
        ],
        common_labels: common_labels(),
        labels: Vec::new(),
        template_labels: template_metadata("labels", "apps:StatefulSet"),
        volume_claim_template_labels: volume_claim_template_labels(),
        common_annotations: template_metadata("annotations", "StatefulSet"),
        name_references: name_references(),
        variables: variables(),
        images: images(),
        replicas: [
            "Deployment",
            "ReplicationController",
            "ReplicaSet",
            "StatefulSet",
        ]
        .into_iter()
        .map(|kind| field(kind, "spec/replicas", true))
        .collect(),
    };
    config.sort();
    config
}

/// The labels or annotations of objects and of the pods that they make.
fn template_metadata(name: &str, stateful_set: &str) -> Vec<FieldSpec> {
    [
        ("", "metadata"),
        ("|v1:ReplicationController", "spec/template/metadata"),
        ("Deployment", "spec/template/metadata"),
        ("ReplicaSet", "spec/template/metadata"),
        ("DaemonSet", "spec/template/metadata"),
        (stateful_set, "spec/template/metadata"),
        ("batch:Job", "spec/template/metadata"),
        ("batch:CronJob", "spec/jobTemplate/metadata"),
        ("batch:CronJob", "spec/jobTemplate/spec/template/metadata"),
    ]
    .into_iter()
    .map(|(kind, path)| field(kind, &format!("{path}/{name}"), true))
    .collect()
}

fn volume_claim_template_labels() -> Vec<FieldSpec> {
    vec![field(
        "apps:StatefulSet",
        "spec/volumeClaimTemplates[]/metadata/labels",
        true,
    )]
}

fn common_labels() -> Vec<FieldSpec> {
    let mut fields = vec![
        field("|v1:Service", "spec/selector", true),
        field("|v1:ReplicationController", "spec/selector", true),
        field("Deployment", "spec/selector/matchLabels", true),
        field("ReplicaSet", "spec/selector/matchLabels", true),
        field("DaemonSet", "spec/selector/matchLabels", true),
        field("apps:StatefulSet", "spec/selector/matchLabels", true),
        field("batch:Job", "spec/selector/matchLabels", false),
        field(
            "batch:CronJob",
            "spec/jobTemplate/spec/selector/matchLabels",
            false,
        ),
        field(
            "policy:PodDisruptionBudget",
            "spec/selector/matchLabels",
            false,
        ),
    ];
    for path in [
        "spec/podSelector/matchLabels",
        "spec/ingress/from/podSelector/matchLabels",
        "spec/egress/to/podSelector/matchLabels",
    ] {
        fields.push(field("networking.k8s.io:NetworkPolicy", path, false));
    }
    for kind in ["apps:Deployment", "apps:StatefulSet"] {
        for affinity in ["podAffinity", "podAntiAffinity"] {
            for term in [
                "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm",
                "requiredDuringSchedulingIgnoredDuringExecution",
            ] {
                let path = format!(
                    "spec/template/spec/affinity/{affinity}/{term}/labelSelector/matchLabels"
                );
                fields.push(field(kind, &path, false));
            }
        }
        fields.push(field(
            kind,
            "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels",
            false,
        ));
    }
    fields.extend(template_metadata("labels", "apps:StatefulSet"));
    fields.extend(volume_claim_template_labels());
    fields
}

fn images() -> Vec<FieldSpec> {
    [
        "spec/containers[]/image",
        "spec/initContainers[]/image",
        "spec/volumes[]/image/reference",
        "spec/template/spec/containers[]/image",
        "spec/template/spec/initContainers[]/image",
        "spec/template/spec/volumes[]/image/reference",
        "spec/jobTemplate/spec/template/spec/volumes[]/image/reference",
    ]
    .into_iter()
    .map(|path| field("", path, true))
    .collect()
}

/// Where the pod's spec stands in each kind.
fn pod_spec(kind: &str) -> &'static str {
    match kind.rsplit(':').next().unwrap_or(kind) {
        "Pod" => "spec",
        "PodTemplate" => "template/spec",
        "CronJob" => "spec/jobTemplate/spec/template/spec",
        _ => "spec/template/spec",
    }
}

fn in_pods(kinds: &[&str], paths: &[&str]) -> Vec<FieldSpec> {
    kinds
        .iter()
        .flat_map(|kind| {
            paths
                .iter()
                .map(move |path| field(kind, &format!("{}/{path}", pod_spec(kind)), false))
        })
        .collect()
}

fn name_references() -> Vec<BackReference> {
    const CONTENT: &[&str] = &[
        "|v1:Pod",
        "PodTemplate",
        "Deployment",
        "ReplicaSet",
        "DaemonSet",
        "StatefulSet",
        "Job",
        "CronJob",
    ];
    const WORKLOADS: &[&str] = &[
        "Pod",
        "StatefulSet",
        "Deployment",
        "ReplicationController",
        "CronJob",
        "Job",
        "DaemonSet",
    ];
    const RBAC: &str = "rbac.authorization.k8s.io";
    let plain = |fields: &[(&str, &str)]| -> Vec<FieldSpec> {
        fields
            .iter()
            .map(|(kind, path)| field(kind, path, false))
            .collect()
    };
    let reference = |kind: &str, referrers: Vec<FieldSpec>| BackReference {
        gvk: gvk(kind),
        referrers,
    };
    let scaled = || plain(&[("HorizontalPodAutoscaler", "spec/scaleTargetRef/name")]);
    let resource_names = plain(&[
        ("Role", "rules/resourceNames"),
        ("ClusterRole", "rules/resourceNames"),
    ]);

    let mut config_maps = in_pods(
        CONTENT,
        &[
            "volumes/configMap/name",
            "containers/env/valueFrom/configMapKeyRef/name",
            "initContainers/env/valueFrom/configMapKeyRef/name",
            "containers/envFrom/configMapRef/name",
            "initContainers/envFrom/configMapRef/name",
            "volumes/projected/sources/configMap/name",
        ],
    );
    config_maps.extend(plain(&[("Node", "spec/configSource/configMap")]));
    config_maps.extend(resource_names.clone());
    config_maps.extend(plain(&[(
        "Ingress",
        r"metadata/annotations/nginx.ingress.kubernetes.io\/fastcgi-params-configmap",
    )]));

    let mut secrets = in_pods(
        CONTENT,
        &[
            "volumes/secret/secretName",
            "containers/env/valueFrom/secretKeyRef/name",
            "initContainers/env/valueFrom/secretKeyRef/name",
            "containers/envFrom/secretRef/name",
            "initContainers/envFrom/secretRef/name",
            "imagePullSecrets/name",
            "volumes/projected/sources/secret/name",
        ],
    );
    secrets.extend(plain(&[
        ("Ingress", "spec/tls/secretName"),
        (
            "Ingress",
            r"metadata/annotations/ingress.kubernetes.io\/auth-secret",
        ),
        (
            "Ingress",
            r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-secret",
        ),
        (
            "Ingress",
            r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-tls-secret",
        ),
        ("ServiceAccount", "imagePullSecrets/name"),
        ("StorageClass", "parameters/secretName"),
        ("StorageClass", "parameters/adminSecretName"),
        ("StorageClass", "parameters/userSecretName"),
        ("StorageClass", "parameters/secretRef"),
    ]));
    secrets.extend(resource_names);
    secrets.extend(plain(&[
        (
            "serving.knative.dev|v1:Service",
            "spec/template/spec/containers/env/valueFrom/secretKeyRef/name",
        ),
        ("PersistentVolume", "spec/azureFile/secretName"),
    ]));

    let services = plain(&[
        ("apps:StatefulSet", "spec/serviceName"),
        ("Ingress", "spec/rules/http/paths/backend/serviceName"),
        ("Ingress", "spec/backend/serviceName"),
        ("Ingress", "spec/rules/http/paths/backend/service/name"),
        ("Ingress", "spec/defaultBackend/service/name"),
        ("apiregistration.k8s.io:APIService", "spec/service/name"),
        (
            "admissionregistration.k8s.io:ValidatingWebhookConfiguration",
            "webhooks/clientConfig/service",
        ),
        (
            "admissionregistration.k8s.io:MutatingWebhookConfiguration",
            "webhooks/clientConfig/service",
        ),
    ]);

    let role_binding = format!("{RBAC}:RoleBinding");
    let cluster_role_binding = format!("{RBAC}:ClusterRoleBinding");
    let mut accounts = plain(&[
        (&role_binding, "subjects"),
        (&cluster_role_binding, "subjects"),
    ]);
    accounts.extend(in_pods(WORKLOADS, &["serviceAccountName"]));

    vec![
        reference("Deployment", scaled()),
        reference("ReplicationController", scaled()),
        reference("ReplicaSet", scaled()),
        reference("StatefulSet", scaled()),
        reference("|v1:ConfigMap", config_maps),
        reference("|v1:Secret", secrets),
        reference("|v1:Service", services),
        reference(
            &format!("{RBAC}:Role"),
            plain(&[(&role_binding, "roleRef/name")]),
        ),
        reference(
            &format!("{RBAC}:ClusterRole"),
            plain(&[
                (&role_binding, "roleRef/name"),
                (&cluster_role_binding, "roleRef/name"),
            ]),
        ),
        reference("|v1:ServiceAccount", accounts),
        reference(
            "|v1:PersistentVolumeClaim",
            in_pods(WORKLOADS, &["volumes/persistentVolumeClaim/claimName"]),
        ),
        reference(
            "|v1:PersistentVolume",
            plain(&[
                ("PersistentVolumeClaim", "spec/volumeName"),
                ("ClusterRole", "rules/resourceNames"),
            ]),
        ),
        reference(
            "storage.k8s.io|v1:StorageClass",
            plain(&[
                ("PersistentVolume", "spec/storageClassName"),
                ("PersistentVolumeClaim", "spec/storageClassName"),
                (
                    "StatefulSet",
                    "spec/volumeClaimTemplates/spec/storageClassName",
                ),
            ]),
        ),
        reference(
            "scheduling.k8s.io|v1:PriorityClass",
            in_pods(WORKLOADS, &["priorityClassName"]),
        ),
        // Kustomize's entry for IngressClass names a group that doesn't exist, so that it never
        // matches; it is left out, which is the same.
        reference(
            "admissionregistration.k8s.io:ValidatingAdmissionPolicy",
            plain(&[(
                "admissionregistration.k8s.io:ValidatingAdmissionPolicyBinding",
                "spec/policyName",
            )]),
        ),
    ]
}

fn variables() -> Vec<FieldSpec> {
    const IN_CONTAINERS: [&str; 8] = [
        "containers/args",
        "containers/command",
        "containers/env/value",
        "containers/volumeMounts/mountPath",
        "initContainers/args",
        "initContainers/command",
        "initContainers/env/value",
        "initContainers/volumeMounts/mountPath",
    ];
    let templated = [
        "DaemonSet",
        "Deployment",
        "Job",
        "ReplicaSet",
        "StatefulSet",
    ];
    let mut fields = in_pods(&["CronJob", "Pod"], &IN_CONTAINERS);
    fields.extend(in_pods(&templated, &IN_CONTAINERS));
    fields.extend(
        [
            (
                "CronJob",
                "spec/jobTemplate/spec/template/volumes/nfs/server",
            ),
            ("DaemonSet", "spec/template/spec/volumes/nfs/server"),
            ("Deployment", "spec/template/spec/volumes/nfs/server"),
            ("Deployment", "spec/template/metadata/annotations"),
            ("Ingress", "spec/rules/host"),
            ("Ingress", "spec/tls/hosts"),
            ("Ingress", "spec/tls/secretName"),
            ("Job", "spec/template/spec/volumes/nfs/server"),
            ("Pod", "spec/volumes/nfs/server"),
            ("ReplicaSet", "spec/template/spec/volumes/nfs/server"),
            ("Service", "spec/ports/port"),
            ("Service", "spec/ports/targetPort"),
            ("StatefulSet", "spec/volumeClaimTemplates/spec/nfs/server"),
            ("PersistentVolume", "spec/nfs/server"),
            ("", "metadata/labels"),
            ("", "metadata/annotations"),
        ]
        .into_iter()
        .map(|(kind, path)| field(kind, path, false)),
    );
    fields
}
