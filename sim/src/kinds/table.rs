//! The built-in resources as text, one a line:
//! `plural Kind scope flags short,names | subresources`.
//!
//! Scope is `n` (namespaced) or `c` (cluster). Flags: `s` has a status subresource, `g` counts
//! `metadata.generation`, `a` is in category `all`, `r` is a review (created, never stored), `-`
//! none. A line in brackets opens a group version. The facts are those of kube-apiserver 1.37's
//! own discovery.

use super::{Origin, Resource, StoreKey};

/// Resources that a real server of this version serves and this one doesn't: asking for them is
/// answered 501, not 404. `*` stands for the whole group version.
pub(crate) const UNSERVED: &[(&str, &str, &str)] = &[
    ("", "v1", "componentstatuses"),
    ("", "v1", "bindings"),
    ("autoscaling", "v1", "*"),
    ("flowcontrol.apiserver.k8s.io", "v1", "*"),
    ("apiregistration.k8s.io", "v1", "*"),
    ("resource.k8s.io", "v1", "*"),
    ("storagemigration.k8s.io", "v1beta1", "*"),
];

const TABLE: &str = "
[/v1]
configmaps ConfigMap n - cm |
endpoints Endpoints n - ep |
events Event n - ev |
limitranges LimitRange n - limits |
namespaces Namespace c s ns | finalize
nodes Node c s no | proxy
persistentvolumeclaims PersistentVolumeClaim n s pvc |
persistentvolumes PersistentVolume c s pv |
pods Pod n sga po | attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize
podtemplates PodTemplate n g - |
replicationcontrollers ReplicationController n sga rc | scale
resourcequotas ResourceQuota n s quota |
secrets Secret n - - |
serviceaccounts ServiceAccount n - sa | token
services Service n sa svc | proxy
[apps/v1]
controllerrevisions ControllerRevision n - - |
daemonsets DaemonSet n sga ds |
deployments Deployment n sga deploy | scale
replicasets ReplicaSet n sga rs | scale
statefulsets StatefulSet n sga sts | scale
[batch/v1]
cronjobs CronJob n sga cj |
jobs Job n sga - |
[autoscaling/v2]
horizontalpodautoscalers HorizontalPodAutoscaler n sa hpa |
[networking.k8s.io/v1]
ingressclasses IngressClass c g - |
ingresses Ingress n sg ing |
ipaddresses IPAddress c - ip |
networkpolicies NetworkPolicy n g netpol |
servicecidrs ServiceCIDR c s - |
[policy/v1]
poddisruptionbudgets PodDisruptionBudget n sg pdb |
[rbac.authorization.k8s.io/v1]
clusterrolebindings ClusterRoleBinding c - - |
clusterroles ClusterRole c - - |
rolebindings RoleBinding n - - |
roles Role n - - |
[storage.k8s.io/v1]
csidrivers CSIDriver c - - |
csinodes CSINode c - - |
csistoragecapacities CSIStorageCapacity n - - |
storageclasses StorageClass c - sc |
volumeattachments VolumeAttachment c s - |
volumeattributesclasses VolumeAttributesClass c - vac |
[scheduling.k8s.io/v1]
priorityclasses PriorityClass c g pc |
[node.k8s.io/v1]
runtimeclasses RuntimeClass c - - |
[coordination.k8s.io/v1]
leases Lease n - - |
[discovery.k8s.io/v1]
endpointslices EndpointSlice n g - |
[events.k8s.io/v1]
events Event n - ev |
[certificates.k8s.io/v1]
certificatesigningrequests CertificateSigningRequest c s csr | approval
[admissionregistration.k8s.io/v1]
mutatingwebhookconfigurations MutatingWebhookConfiguration c g - |
validatingadmissionpolicies ValidatingAdmissionPolicy c sg - |
validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding c - - |
validatingwebhookconfigurations ValidatingWebhookConfiguration c g - |
[apiextensions.k8s.io/v1]
customresourcedefinitions CustomResourceDefinition c sg crd,crds |
[authentication.k8s.io/v1]
selfsubjectreviews SelfSubjectReview c r - |
tokenreviews TokenReview c r - |
[authorization.k8s.io/v1]
localsubjectaccessreviews LocalSubjectAccessReview n r - |
selfsubjectaccessreviews SelfSubjectAccessReview c r - |
selfsubjectrulesreviews SelfSubjectRulesReview c r - |
subjectaccessreviews SubjectAccessReview c r - |
";

pub(crate) fn built_in() -> Vec<Resource> {
    let mut resources = Vec::new();
    let (mut group, mut version) = ("", "");
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        if let Some(header) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            (group, version) = header.split_once('/').unwrap_or(("", header));
            continue;
        }
        let (head, subresources) = line.split_once('|').unwrap_or((line, ""));
        let mut words = head.split_whitespace();
        let mut word = || words.next().unwrap_or("-");
        let (plural, kind, scope, flags, short) = (word(), word(), word(), word(), word());
        let list = |text: &str| -> Vec<String> {
            text.trim()
                .split(',')
                .filter(|t| !t.is_empty() && *t != "-")
                .map(str::to_owned)
                .collect()
        };
        // Events are one table under two names.
        let store_group = if plural == "events" { "" } else { group };
        resources.push(Resource {
            group: group.into(),
            version: version.into(),
            plural: plural.into(),
            singular: kind.to_ascii_lowercase(),
            kind: kind.into(),
            namespaced: scope == "n",
            short_names: list(short),
            categories: if flags.contains('a') {
                vec!["all".into()]
            } else {
                Vec::new()
            },
            stored: !flags.contains('r'),
            status: flags.contains('s'),
            subresources: list(subresources),
            generation: flags.contains('g'),
            store: StoreKey::new(store_group, plural),
            origin: Origin::BuiltIn,
        });
    }
    resources
}
