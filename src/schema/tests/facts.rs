//! What everybody who works with Kubernetes knows: a table that gets these wrong is wrong.

use serde_json::json;
use stageset_schema::{
    ListType, MapType, PatchStrategy, SchemaRef, Type, definition, groups, kind, kinds, resource,
    server_version,
};

fn place(group: &str, version: &str, name: &str, path: &[&str]) -> SchemaRef {
    kind(group, version, name)
        .unwrap()
        .schema()
        .at(path)
        .unwrap()
}

fn containers() -> SchemaRef {
    place(
        "apps",
        "v1",
        "Deployment",
        &["spec", "template", "spec", "containers"],
    )
}

#[test]
fn scopes_and_names() {
    assert_eq!(server_version(), "v1.37.2");
    let deployment = kind("apps", "v1", "Deployment").unwrap();
    assert!(deployment.namespaced);
    assert_eq!(deployment.short_names, ["deploy"]);
    assert_eq!(deployment.categories, ["all"]);
    assert_eq!(deployment.api_version(), "apps/v1");
    assert!(deployment.verbs.contains(&"deletecollection"));
    let cluster: Vec<_> = kinds()
        .filter(|k| !k.namespaced && k.group.is_empty())
        .map(|k| k.kind)
        .collect();
    assert_eq!(
        cluster,
        ["ComponentStatus", "Namespace", "Node", "PersistentVolume"]
    );
    assert_eq!(
        resource("networking.k8s.io", "v1", "ingresses")
            .unwrap()
            .singular,
        "ingress"
    );
    assert_eq!(kind("apps", "v1beta1", "Deployment"), None);
    assert_eq!(kind("", "v1", "Deployment"), None);
    let autoscaling = groups()
        .iter()
        .find(|group| group.name == "autoscaling")
        .unwrap();
    assert_eq!(autoscaling.versions, ["v2", "v1"]);
}

#[test]
fn subresources() {
    let deployment = kind("apps", "v1", "Deployment").unwrap();
    let scale = deployment.subresource("scale").unwrap();
    assert_eq!(
        (scale.group, scale.version, scale.kind),
        ("autoscaling", "v1", "Scale")
    );
    assert_eq!(scale.verbs, ["get", "patch", "update"]);
    assert!(scale.schema().unwrap().at(&["spec", "replicas"]).is_some());
    assert_eq!(deployment.subresource("status").unwrap().kind, "Deployment");
    assert_eq!(
        kind("", "v1", "ConfigMap").unwrap().subresource("status"),
        None
    );
    let account = kind("", "v1", "ServiceAccount").unwrap();
    assert_eq!(account.subresource("token").unwrap().kind, "TokenRequest");
    assert_eq!(
        kind("", "v1", "Pod")
            .unwrap()
            .subresource("exec")
            .unwrap()
            .schema(),
        None
    );
}

#[test]
fn lists_merge_by_their_keys() {
    assert_eq!(containers().list_type(), Some(ListType::Map(&["name"])));
    let container = containers().items().unwrap();
    let ports = container.field("ports").unwrap();
    assert_eq!(
        ports.list_type(),
        Some(ListType::Map(&["containerPort", "protocol"]))
    );
    assert_eq!(
        ports.items().unwrap().field("protocol").unwrap().default(),
        Some(&json!("TCP"))
    );
    assert_eq!(
        container.field("args").unwrap().list_type(),
        Some(ListType::Atomic)
    );
    // The schema says nothing of this one.
    let extra = place(
        "certificates.k8s.io",
        "v1",
        "CertificateSigningRequest",
        &["spec", "extra"],
    );
    assert_eq!(
        extra.map_values().unwrap().list_type(),
        Some(ListType::Atomic)
    );
    let rules = place("rbac.authorization.k8s.io", "v1", "Role", &["rules"]);
    assert_eq!(rules.list_type(), Some(ListType::Atomic));
    let finalizers = place("", "v1", "ConfigMap", &["metadata", "finalizers"]);
    assert_eq!(finalizers.list_type(), Some(ListType::Set));
    assert_eq!(place("", "v1", "ConfigMap", &["data"]).list_type(), None);
}

#[test]
fn strategic_merge_has_its_own_keys() {
    let merge = PatchStrategy {
        merge: true,
        retain_keys: false,
    };
    assert_eq!(
        (containers().patch_strategy(), containers().merge_key()),
        (merge, Some("name"))
    );
    // Where the two disagree: apply tells ports apart by two keys, the patch by one.
    let ports = containers().items().unwrap().field("ports").unwrap();
    assert_eq!(
        (ports.patch_strategy(), ports.merge_key()),
        (merge, Some("containerPort"))
    );
    let strategy = place("apps", "v1", "Deployment", &["spec", "strategy"]);
    assert_eq!(
        strategy.patch_strategy(),
        PatchStrategy {
            merge: false,
            retain_keys: true
        }
    );
    let volumes = place("", "v1", "Pod", &["spec", "volumes"]);
    assert_eq!(
        volumes.patch_strategy(),
        PatchStrategy {
            merge: true,
            retain_keys: true
        }
    );
    let args = containers().items().unwrap().field("args").unwrap();
    assert_eq!(args.patch_strategy(), PatchStrategy::default());
}

#[test]
fn maps_are_granular_unless_they_say_otherwise() {
    let selector = place("apps", "v1", "Deployment", &["spec", "selector"]);
    assert_eq!(selector.map_type(), Some(MapType::Atomic));
    let labels = place("", "v1", "ConfigMap", &["metadata", "labels"]);
    assert_eq!(
        (labels.kind(), labels.map_type()),
        (Type::Map, Some(MapType::Granular))
    );
    let role_ref = place(
        "rbac.authorization.k8s.io",
        "v1",
        "RoleBinding",
        &["roleRef"],
    );
    assert_eq!(role_ref.map_type(), Some(MapType::Atomic));
    assert_eq!(containers().map_type(), None);
}

#[test]
fn types_of_values() {
    let container = containers().items().unwrap();
    let limits = container.at(&["resources", "limits"]).unwrap();
    assert_eq!(limits.map_values().unwrap().kind(), Type::Quantity);
    let port = place("", "v1", "Service", &["spec", "ports"])
        .items()
        .unwrap();
    assert_eq!(port.field("targetPort").unwrap().kind(), Type::IntOrString);
    assert_eq!(port.field("port").unwrap().format(), Some("int32"));
    assert!(port.is_required("port") && !port.is_required("name"));
    let secret = place("", "v1", "Secret", &["data"]).map_values().unwrap();
    assert_eq!(
        (secret.kind(), secret.format()),
        (Type::String, Some("byte"))
    );
    let created = place("", "v1", "Pod", &["metadata", "creationTimestamp"]);
    assert_eq!(created.format(), Some("date-time"));
    let policy = container.field("imagePullPolicy").unwrap();
    assert_eq!(
        policy.allowed().unwrap(),
        ["Always", "IfNotPresent", "Never"]
    );
    let modes = place("", "v1", "PersistentVolumeClaim", &["spec", "accessModes"]);
    assert!(
        modes
            .items()
            .unwrap()
            .allowed()
            .unwrap()
            .contains(&json!("ReadWriteOnce"))
    );
}

#[test]
fn unknown_structure_is_preserved() {
    let data = place("apps", "v1", "ControllerRevision", &["data"]);
    assert!(data.preserves_unknown());
    let group = "apiextensions.k8s.io";
    let versions = place(
        group,
        "v1",
        "CustomResourceDefinition",
        &["spec", "versions"],
    );
    let schema = versions
        .items()
        .unwrap()
        .at(&["schema", "openAPIV3Schema"])
        .unwrap();
    assert!(schema.field("default").unwrap().preserves_unknown());
    // A definition that contains itself.
    assert_eq!(schema.field("not").unwrap().name(), schema.name());
    assert!(!schema.preserves_unknown());
}

#[test]
fn metadata_is_shared_with_custom_resources() {
    let metadata = definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta").unwrap();
    assert_eq!(
        place("", "v1", "Pod", &["metadata"]).name(),
        metadata.name()
    );
    let owners = metadata.field("ownerReferences").unwrap();
    assert_eq!(owners.list_type(), Some(ListType::Map(&["uid"])));
    assert_eq!(definition("io.k8s.nothing"), None);
}
