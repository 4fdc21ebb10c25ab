//! What holds across kinds: which are current at once, and that nothing panics.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::judge;
use crate::observation::Health;

/// Every kind with a rule of its own.
const JUDGED: &[(&str, &str)] = &[
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "ReplicationController"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("v1", "Pod"),
    ("batch/v1", "Job"),
    ("v1", "PersistentVolumeClaim"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("v1", "Namespace"),
];

#[test]
fn kinds_with_a_rule_are_not_current_before_their_controller_has_spoken() {
    for (api_version, kind) in JUDGED {
        let object = json!({
            "apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "generation": 1},
            "spec": {},
        });
        assert!(matches!(judge(&object), Health::InProgress(_)), "{kind}");
        // The same kind of another group is somebody's custom resource.
        let mut stranger = object;
        stranger["apiVersion"] = json!("example.com/v1");
        assert_eq!(judge(&stranger), Health::Current, "{kind}");
    }
}

#[test]
fn kinds_without_a_controller_are_current_at_once() {
    for (api_version, kind) in [
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("v1", "Service"),
        ("v1", "ServiceAccount"),
        ("batch/v1", "CronJob"),
        ("policy/v1", "PodDisruptionBudget"),
        ("networking.k8s.io/v1", "Ingress"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("storage.k8s.io/v1", "StorageClass"),
    ] {
        let mut object =
            json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}});
        assert_eq!(judge(&object), Health::Current, "{kind}");
        object["metadata"]["deletionTimestamp"] = json!("2026-11-23T20:41:39Z");
        assert_eq!(judge(&object), Health::Terminating, "{kind}");
    }
}

#[test]
fn a_cron_job_and_the_like_take_no_heed_of_ready() {
    for (api_version, kind) in [
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("batch/v1", "CronJob"),
        ("policy/v1", "PodDisruptionBudget"),
    ] {
        let object = json!({
            "apiVersion": api_version, "kind": kind, "metadata": {"name": "a"},
            "status": {"conditions": [{"type": "Ready", "status": "False"}]},
        });
        assert_eq!(judge(&object), Health::Current, "{kind}");
    }
}

#[test]
fn a_disruption_budget_must_have_been_seen() {
    let object = |observed: i64| {
        json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": "a", "generation": 2}, "status": {"observedGeneration": observed},
        })
    };
    assert_eq!(judge(&object(2)), Health::Current);
    assert!(matches!(judge(&object(1)), Health::InProgress(_)));
}

/// What a Kubernetes 1.37 control plane (with kwok for a node) wrote into objects that were left
/// alone for 12 s; specs and metadata are cut down to what matters here.
const RECORDED: &str = include_str!("../fixtures/kubernetes-1.37.json");

#[test]
fn recorded_objects_are_judged_as_people_would() {
    let in_progress = |message: &str| Health::InProgress(message.into());
    let expected = [
        ("nodeadline", Health::Current),
        (
            "paused",
            in_progress("the rollout is paused (spec.paused): 0 of 1 replica(s) created"),
        ),
        ("three", Health::Current),
        ("zero", Health::Current),
        ("sts", Health::Current),
        ("stszero", Health::Current),
        ("ds", Health::Current),
        ("dsnone", Health::Current),
        ("rs", Health::Current),
        ("rc", Health::Current),
        ("rczero", Health::Current),
        ("job", Health::Current),
        ("suspended", Health::Current),
        ("pod", Health::Current),
        (
            "unschedulable",
            in_progress(
                "no node takes it: Unschedulable: 0/1 nodes are available: 1 node(s) didn't match \
                 Pod's node affinity/selector. preemption: 0/1 nodes are available: 1 Preemption \
                 is not helpful for scheduling.",
            ),
        ),
        ("pvc", in_progress("its phase is Pending, not Bound")),
        ("lb", Health::Current),
        ("pdb", Health::Current),
        ("ing", Health::Current),
        ("hpa", Health::Current),
        ("cj", Health::Current),
        ("v1.apps", Health::Current),
        (
            "v1.nothing.example.com",
            in_progress("ServiceNotFound: service/none in \"judge\" is not present"),
        ),
        (
            "others.judge.example.com",
            Health::Failed("ListKindConflict: \"ThingList\" is already in use".into()),
        ),
        ("things.judge.example.com", Health::Current),
        ("judge", Health::Current),
    ];
    let recorded: Vec<Value> = serde_json::from_str(RECORDED).unwrap();
    let judged: Vec<_> = recorded
        .iter()
        .map(|o| (o["metadata"]["name"].as_str().unwrap(), judge(o)))
        .collect();
    assert_eq!(judged, expected);
}

/// Any JSON, with the words that the rules look for sprinkled in.
fn any_json() -> impl Strategy<Value = Value> {
    let word = || {
        prop::sample::select(vec![
            "",
            "status",
            "conditions",
            "type",
            "True",
            "False",
            "Ready",
            "Running",
            "Pending",
            "Stalled",
            "Progressing",
            "OnDelete",
            "RollingUpdate",
            "LoadBalancer",
            "Available",
        ])
    };
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-2i64..4).prop_map(Value::from),
        ".*".prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((field(), inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A field that some rule reads.
fn field() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "metadata",
        "generation",
        "observedGeneration",
        "deletionTimestamp",
        "conditions",
        "type",
        "status",
        "reason",
        "message",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "fullyLabeledReplicas",
        "currentReplicas",
        "updateStrategy",
        "rollingUpdate",
        "partition",
        "desiredNumberScheduled",
        "numberReady",
        "phase",
        "containerStatuses",
        "initContainerStatuses",
        "state",
        "waiting",
        "name",
        "active",
        "succeeded",
        "failed",
        "startTime",
        "suspend",
        "parallelism",
        "clusterIP",
        "uid",
        "managedFields",
        "labels",
        "annotations",
        "paused",
        "progressDeadlineSeconds",
    ])
    .prop_map(str::to_owned)
}

/// A status in the shape that the rules expect, with anything at all in each of its places.
fn shaped_status() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "True",
        "False",
        "Ready",
        "Running",
        "Pending",
        "Available",
        "Progressing",
        "PodScheduled",
        "Unschedulable",
        "CrashLoopBackOff",
        "Established",
        "Failed",
        "Complete",
    ])
    .prop_map(Value::from);
    let place = move || prop_oneof![4 => words.clone(), 2 => (-1i64..4).prop_map(Value::from), 1 => any_json()];
    let item = (
        prop::collection::vec((field(), place()), 0..4),
        place(),
        place(),
    )
        .prop_map(|(fields, kind, status)| {
            let mut item: Map<_, _> = fields.into_iter().collect();
            item.insert("state".into(), json!({"waiting": {"reason": kind.clone()}}));
            item.insert("type".into(), kind);
            item.insert("status".into(), status);
            Value::Object(item)
        });
    let items = prop::collection::vec(item, 0..3).boxed();
    (
        prop::collection::vec((field(), place()), 0..6),
        items.clone(),
        items,
        place(),
    )
        .prop_map(|(fields, conditions, containers, phase)| {
            let mut status: Map<_, _> = fields.into_iter().collect();
            status.insert("conditions".into(), conditions.into());
            status.insert("containerStatuses".into(), containers.into());
            status.insert("phase".into(), phase);
            Value::Object(status)
        })
}

/// The parts of an object without its kind: `metadata`, `spec` and `status`.
fn any_body() -> impl Strategy<Value = Value> {
    let part = || {
        let fields = prop::collection::vec((field(), any_json()), 0..3)
            .prop_map(|fields| Value::Object(fields.into_iter().collect()));
        prop_oneof![1 => any_json(), 2 => Just(json!({})), 2 => fields]
    };
    let status = prop_oneof![1 => any_json(), 4 => shaped_status()];
    (part(), part(), status).prop_map(
        |(metadata, spec, status)| json!({"metadata": metadata, "spec": spec, "status": status}),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is stored in the cluster is judged as whatever kind, and in one line.
    #[test]
    fn no_object_makes_the_judges_panic(body in any_body(), other in any_json()) {
        let mut object = body;
        let others = [("v1", "Service"), ("example.com/v1", "Thing")];
        for (api_version, kind) in JUDGED.iter().chain(&others) {
            object["apiVersion"] = json!(api_version);
            object["kind"] = json!(kind);
            if let Health::InProgress(message) | Health::Failed(message) = judge(&object) {
                prop_assert!(!message.is_empty() && !message.contains('\n'), "{:?}", message);
            }
        }
        for object in [&object, &other] {
            let _ = judge(object);
            let _ = crate::judge::live::read(object, "stageset-controller");
        }
        let _ = crate::judge::drift::compare(&object, &other, "stageset-controller");
    }

    /// A change is found from either side, and nothing differs from itself.
    #[test]
    fn drift_is_symmetric(one in any_body(), other in any_body()) {
        use crate::judge::drift::changed_fields;
        prop_assert_eq!(changed_fields(&one, &one), Vec::<String>::new());
        prop_assert_eq!(changed_fields(&one, &other), changed_fields(&other, &one));
    }
}
