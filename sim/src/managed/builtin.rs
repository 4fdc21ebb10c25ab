//! List and map types of the built-in kinds, by hand: what the real server's OpenAPI says in
//! `x-kubernetes-list-type`, `x-kubernetes-list-map-keys` and `x-kubernetes-map-type`.
//!
//! A line is `Type field = rule OtherType`: `map(k,k=default)` and `set` are lists, `atomic` a map
//! that is replaced as a whole, `struct` leads to another type, `strings` is a map of free keys.

use std::{collections::BTreeMap, sync::OnceLock};

use serde_json::Value;

use super::types::{ListRule, Type};

const TABLE: &str = "
* metadata = struct ObjectMeta
ObjectMeta labels = strings
ObjectMeta annotations = strings
ObjectMeta finalizers = set
ObjectMeta ownerReferences = map(uid) OwnerReference
OwnerReference * = atomic
ConfigMap data = strings
ConfigMap binaryData = strings
Secret data = strings
Secret stringData = strings
ServiceAccount imagePullSecrets = map(name) Any
ServiceAccount secrets = map(name) Any
Service spec = struct ServiceSpec
Service status = struct ServiceStatus
ServiceSpec ports = map(port,protocol=TCP) Any
ServiceSpec selector = atomic
ServiceStatus conditions = map(type) Any
Pod spec = struct PodSpec
Pod status = struct PodStatus
PodStatus conditions = map(type) Any
PodStatus podIPs = map(ip) Any
PodStatus hostIPs = list
PodTemplate template = struct PodTemplateSpec
PodTemplateSpec metadata = struct ObjectMeta
PodTemplateSpec spec = struct PodSpec
PodSpec containers = map(name) Container
PodSpec initContainers = map(name) Container
PodSpec ephemeralContainers = map(name) Container
PodSpec volumes = map(name) Volume
PodSpec imagePullSecrets = map(name) Any
PodSpec hostAliases = map(ip) Any
PodSpec topologySpreadConstraints = map(topologyKey,whenUnsatisfiable) TopologySpread
PodSpec nodeSelector = atomic
PodSpec overhead = strings
PodSpec schedulingGates = map(name) Any
PodSpec resourceClaims = map(name) Any
TopologySpread labelSelector = atomic
Container ports = map(containerPort,protocol=TCP) Any
Container env = map(name) EnvVar
Container volumeMounts = map(mountPath) Any
Container volumeDevices = map(devicePath) Any
Container resources = struct Resources
EnvVar valueFrom = struct EnvVarSource
EnvVarSource configMapKeyRef = atomic
EnvVarSource secretKeyRef = atomic
EnvVarSource fieldRef = atomic
EnvVarSource resourceFieldRef = atomic
Resources limits = strings
Resources requests = strings
Resources claims = map(name) Any
Deployment spec = struct DeploymentSpec
Deployment status = struct ConditionedStatus
DeploymentSpec selector = atomic
DeploymentSpec template = struct PodTemplateSpec
ConditionedStatus conditions = map(type) Any
ReplicaSet spec = struct DeploymentSpec
ReplicaSet status = struct ConditionedStatus
DaemonSet spec = struct DeploymentSpec
DaemonSet status = struct ConditionedStatus
StatefulSet spec = struct StatefulSetSpec
StatefulSet status = struct ConditionedStatus
StatefulSetSpec selector = atomic
StatefulSetSpec template = struct PodTemplateSpec
ReplicationController spec = struct ReplicationControllerSpec
ReplicationController status = struct ConditionedStatus
ReplicationControllerSpec selector = atomic
ReplicationControllerSpec template = struct PodTemplateSpec
Job spec = struct JobSpec
JobSpec selector = atomic
JobSpec template = struct PodTemplateSpec
CronJob spec = struct CronJobSpec
CronJobSpec jobTemplate = struct JobTemplateSpec
JobTemplateSpec metadata = struct ObjectMeta
JobTemplateSpec spec = struct JobSpec
PersistentVolumeClaim spec = struct ClaimSpec
PersistentVolumeClaim status = struct ConditionedStatus
ClaimSpec selector = atomic
ClaimSpec dataSource = atomic
ClaimSpec resources = struct Resources
PersistentVolume spec = struct VolumeSpec
VolumeSpec capacity = strings
Namespace spec = struct Any
Namespace status = struct ConditionedStatus
Node spec = struct NodeSpec
Node status = struct NodeStatus
NodeSpec podCIDRs = set
NodeStatus conditions = map(type) Any
NodeStatus addresses = map(type) Any
ResourceQuota spec = struct QuotaSpec
QuotaSpec hard = strings
NetworkPolicy spec = struct NetworkPolicySpec
NetworkPolicySpec podSelector = atomic
PodDisruptionBudget spec = struct BudgetSpec
PodDisruptionBudget status = struct ConditionedStatus
BudgetSpec selector = atomic
HorizontalPodAutoscaler status = struct ConditionedStatus
HorizontalPodAutoscaler spec = struct AutoscalerSpec
AutoscalerSpec scaleTargetRef = struct Any
ClusterRole aggregationRule = struct Any
RoleBinding roleRef = atomic
ClusterRoleBinding roleRef = atomic
StorageClass parameters = strings
Endpoints subsets = list
EndpointSlice ports = list
MutatingWebhookConfiguration webhooks = map(name) Webhook
ValidatingWebhookConfiguration webhooks = map(name) Webhook
Webhook namespaceSelector = atomic
Webhook objectSelector = atomic
CustomResourceDefinition status = struct CrdStatus
CrdStatus conditions = map(type) Any
IngressClass spec = struct IngressClassSpec
IngressClassSpec parameters = struct Any
Ingress spec = struct IngressSpec
IngressSpec defaultBackend = struct Backend
Backend resource = atomic
";

enum Usage {
    Struct(&'static str),
    List(ListRule, Type),
    AtomicMap,
    Strings,
}

type Table = BTreeMap<(&'static str, &'static str), Usage>;

fn table() -> &'static Table {
    static PARSED: OnceLock<Table> = OnceLock::new();
    PARSED.get_or_init(|| TABLE.lines().filter_map(line).collect())
}

fn line(text: &'static str) -> Option<((&'static str, &'static str), Usage)> {
    let (left, right) = text.split_once(" = ")?;
    let (owner, field) = left.split_once(' ')?;
    let (rule, target) = right.split_once(' ').unwrap_or((right, "Any"));
    let usage = match rule {
        "struct" => Usage::Struct(target),
        "atomic" => Usage::AtomicMap,
        "strings" => Usage::Strings,
        "list" => Usage::List(ListRule::Atomic, Type::Untyped),
        "set" => Usage::List(ListRule::Set, Type::Untyped),
        map => {
            let keys = map.strip_prefix("map(")?.strip_suffix(')')?;
            let keys = keys
                .split(',')
                .map(|key| match key.split_once('=') {
                    Some((key, default)) => (key.to_owned(), Some(Value::from(default))),
                    None => (key.to_owned(), None),
                })
                .collect();
            Usage::List(ListRule::Map(keys), Type::Known(target))
        }
    };
    Some(((owner, field), usage))
}

/// The type of an object of a built-in kind.
pub(crate) fn object_type(kind: &str) -> Type {
    let known = table()
        .keys()
        .map(|(owner, _)| *owner)
        .find(|owner| *owner == kind);
    Type::Known(known.unwrap_or("*"))
}

/// Names of list types are `Owner.field`, leaked once for each line of the table.
fn lists() -> &'static BTreeMap<String, (ListRule, Type)> {
    static LISTS: OnceLock<BTreeMap<String, (ListRule, Type)>> = OnceLock::new();
    LISTS.get_or_init(|| {
        let mut lists = BTreeMap::new();
        for ((owner, field), usage) in table() {
            if let Usage::List(rule, item) = usage {
                lists.insert(format!("{owner}.{field}"), (rule.clone(), item.clone()));
            }
        }
        lists
    })
}

pub(crate) fn list_of(name: &str) -> Option<&'static (ListRule, Type)> {
    lists().get(name)
}

/// Types whose name ends in `!` are atomic maps; `OwnerReference` is one by its own declaration.
pub(crate) fn is_atomic_map(name: &str) -> bool {
    name == "!" || name == "OwnerReference"
}

/// The type of a field, and whether it is declared (free keys of a map aren't).
pub(crate) fn field(owner: &str, name: &str) -> (Type, bool) {
    if owner == "{}" {
        return (Type::Known("Any"), false);
    }
    let top_level = matches!(name, "metadata") && !matches!(owner, "Any");
    let usage = table().get_key_value(&(owner, name)).or_else(|| {
        top_level
            .then(|| table().get_key_value(&("*", name)))
            .flatten()
    });
    let declared = match usage {
        None => Type::Known("Any"),
        Some((_, Usage::Struct(target))) => Type::Known(target),
        Some((_, Usage::AtomicMap)) => Type::Known("!"),
        Some((_, Usage::Strings)) => Type::Known("{}"),
        Some(((owner, field), Usage::List(..))) => lists()
            .get_key_value(&format!("{owner}.{field}"))
            .map_or(Type::Untyped, |(name, _)| Type::Known(name)),
    };
    (declared, true)
}
