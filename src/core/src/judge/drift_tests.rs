//! What is told of a change, and what is none.

use serde_json::json;

use super::*;

const MANAGER: &str = "stageset-controller";

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "10",
            "generation": 2, "creationTimestamp": "2026-11-23T20:00:00Z",
            "labels": {"app.kubernetes.io/name": "web", "tier": "front"},
            "annotations": {"example.com/note": "a"},
            "managedFields": [{
                "manager": MANAGER, "operation": "Apply", "apiVersion": "apps/v1",
                "time": "2026-11-23T20:00:00Z", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {"f:replicas": {}}},
            }],
        },
        "spec": {
            "replicas": 3,
            "template": {"spec": {
                "containers": [
                    {"name": "app", "image": "app:1", "args": ["--a", "--b"],
                     "ports": [{"containerPort": 80}, {"containerPort": 81}]},
                    {"name": "sidecar", "image": "side:1"},
                ],
            }},
        },
        "status": {"replicas": 3},
    })
}

/// The paths that a change of the deployment is told by.
fn told(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut dry_run = deployment();
    change(&mut dry_run);
    let there = changed_fields(&deployment(), &dry_run);
    assert_eq!(
        there,
        changed_fields(&dry_run, &deployment()),
        "the other way round"
    );
    there
}

#[test]
fn what_the_server_keeps_for_itself_is_no_change() {
    let told = told(|o| {
        for key in [
            "managedFields",
            "resourceVersion",
            "generation",
            "uid",
            "creationTimestamp",
            "selfLink",
        ] {
            o["metadata"][key] = json!("other");
        }
        o["status"] = json!({"replicas": 1});
    });
    assert_eq!(told, Vec::<String>::new());
    let mut without = deployment();
    without.as_object_mut().unwrap().remove("status");
    assert_eq!(
        changed_fields(&deployment(), &without),
        Vec::<String>::new()
    );
}

#[test]
fn those_words_elsewhere_are_a_change() {
    let told = told(|o| {
        o["spec"]["status"] = json!("x");
        o["spec"]["generation"] = json!(1);
        o["spec"]["template"]["metadata"] = json!({"uid": "x"});
    });
    assert_eq!(
        told,
        ["spec.generation", "spec.status", "spec.template.metadata"]
    );
}

#[test]
fn paths_read_as_people_write_them() {
    assert_eq!(
        told(|o| {
            o["spec"]["replicas"] = json!(4);
            o["spec"]["template"]["spec"]["containers"][0]["image"] = json!("app:2");
            o["spec"]["template"]["spec"]["containers"][0]["ports"][1] =
                json!({"containerPort": 82});
            o["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["--a", "--c", "--d"]);
            o["metadata"]["labels"]["app.kubernetes.io/name"] = json!("other");
            o["metadata"]["labels"]["tier"] = json!("back");
            o["metadata"]["annotations"] = json!({"example.com/note": "a", "say \"hi\"": ""});
        }),
        [
            r#"metadata.annotations["say \"hi\""]"#,
            "metadata.labels.tier",
            r#"metadata.labels["app.kubernetes.io/name"]"#,
            "spec.replicas",
            "spec.template.spec.containers[name=app].args[1]",
            "spec.template.spec.containers[name=app].args[2]",
            "spec.template.spec.containers[name=app].image",
            "spec.template.spec.containers[name=app].ports[1].containerPort",
        ]
    );
}

#[test]
fn named_items_are_matched_by_name() {
    let containers = "/spec/template/spec/containers";
    assert_eq!(
        told(|o| {
            let list = o.pointer_mut(containers).unwrap().as_array_mut().unwrap();
            list.remove(0);
            list.push(json!({"name": "init db", "image": "i"}));
        }),
        [
            r#"spec.template.spec.containers[name="init db"]"#,
            "spec.template.spec.containers[name=app]",
        ]
    );
    assert_eq!(
        told(|o| o
            .pointer_mut(containers)
            .unwrap()
            .as_array_mut()
            .unwrap()
            .reverse()),
        ["spec.template.spec.containers"],
        "another order alone"
    );
}

#[test]
fn lists_with_ambiguous_names_go_by_index() {
    let list = |names: &[&str]| json!({"env": names.iter().map(|n| json!({"name": n})).collect::<Vec<_>>()});
    assert_eq!(
        changed_fields(&list(&["A", "A"]), &list(&["A", "B"])),
        ["env[1].name"]
    );
    assert_eq!(
        changed_fields(&json!({"l": []}), &json!({"l": ["x"]})),
        ["l[0]"]
    );
    assert_eq!(
        changed_fields(&json!({"l": [{"name": 1}]}), &json!({"l": [{"name": 2}]})),
        ["l[0].name"]
    );
}

#[test]
fn a_field_of_one_side_is_told_as_itself() {
    assert_eq!(
        told(|o| o["spec"]["strategy"] = json!({"type": "Recreate"})),
        ["spec.strategy"]
    );
    assert_eq!(told(|o| o["spec"]["paused"] = json!(null)), ["spec.paused"]);
    assert_eq!(
        told(|o| o["spec"]["replicas"] = json!("3")),
        ["spec.replicas"]
    );
    assert_eq!(told(|o| o["spec"] = json!([1])), ["spec"]);
    assert_eq!(told(|o| o["metadata"] = json!(null)), ["metadata"]);
    assert_eq!(changed_fields(&json!(1), &json!(2)), ["(the whole object)"]);
}

#[test]
fn values_of_secrets_are_never_told() {
    let secret = |password: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "db", "uid": "u"},
            "data": {"password": password, "tls.key": password},
        })
    };
    let answer = compare(&secret("aHVudGVyMg=="), &secret("aHVudGVyMw=="), MANAGER);
    let DryRun::Change { fields, .. } = &answer else {
        panic!("{answer:?}")
    };
    assert_eq!(fields, &["data.password", r#"data["tls.key"]"#]);
    assert!(!format!("{answer:?}").contains("aHVudGVy"));
}

#[test]
fn an_object_as_desired_is_unchanged() {
    let mut dry_run = deployment();
    dry_run["metadata"]["managedFields"][0]["time"] = json!("2026-11-23T21:00:00Z");
    let answer = compare(&deployment(), &dry_run, MANAGER);
    let live = live::read(&deployment(), MANAGER).unwrap();
    assert_eq!(answer, DryRun::Unchanged { live });
}

#[test]
fn a_change_of_ownership_alone_is_written_once() {
    let dry_run = deployment();
    let mut by_kubectl = deployment();
    by_kubectl["metadata"]["managedFields"][0]["manager"] = json!("kubectl");
    let mut smaller = deployment();
    smaller["metadata"]["managedFields"][0]["fieldsV1"] = json!({"f:spec": {}});
    let mut older = deployment();
    older["metadata"]["managedFields"][0]["apiVersion"] = json!("apps/v1beta2");
    for live in [by_kubectl, smaller, older] {
        assert!(ownership_changes(&live, &dry_run, MANAGER));
        let answer = compare(&live, &dry_run, MANAGER);
        let DryRun::Change { fields, .. } = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(fields, ["metadata.managedFields"]);
    }
    // Once written, it is as desired; and what others own is theirs.
    let mut others = deployment();
    others["metadata"]["managedFields"]
        .as_array_mut()
        .unwrap()
        .push(json!({
            "manager": "kubectl", "operation": "Update", "fieldsV1": {"f:data": {}},
        }));
    assert!(!ownership_changes(&others, &dry_run, MANAGER));
}

#[test]
fn an_object_made_by_kubectl_is_written_once() {
    // Recorded from a Kubernetes 1.37 API server: made by `kubectl create`, then applied.
    let recorded: Value = serde_json::from_str(include_str!("fixtures/taken-over.json")).unwrap();
    let first = compare(&recorded["live"], &recorded["dryRun"], MANAGER);
    let DryRun::Change { fields, live, .. } = first else {
        panic!("{first:?}")
    };
    assert_eq!(fields, ["metadata.managedFields"]);
    assert_eq!(live.entry, None);
    let again = compare(&recorded["written"], &recorded["dryRunAgain"], MANAGER);
    let DryRun::Unchanged { live } = again else {
        panic!("{again:?}")
    };
    assert!(live.entry.is_some());
}

#[test]
fn many_and_long_paths_are_shortened() {
    let object = |value: i32| {
        let data: Map<_, _> = (0..11)
            .map(|i| (format!("k{i:02}"), json!(value)))
            .collect();
        json!({"metadata": {"uid": "u"}, "data": data})
    };
    let DryRun::Change { fields, .. } = compare(&object(1), &object(2), MANAGER) else {
        panic!()
    };
    assert_eq!(fields.len(), 9);
    assert_eq!(fields[7..], ["data.k07", "and 3 more"]);

    let key = "ü".repeat(5_000);
    let object = |value: i32| json!({"metadata": {"uid": "u"}, "data": {&*key: value}});
    let DryRun::Change { fields, .. } = compare(&object(1), &object(2), MANAGER) else {
        panic!()
    };
    assert_eq!(fields[0].chars().count(), 201);
}

#[test]
fn exactly_eight_paths_are_all_named() {
    let object = |value: i32| {
        let data: Map<_, _> = (0..8).map(|i| (format!("k{i}"), json!(value))).collect();
        json!({"metadata": {"uid": "u"}, "data": data})
    };
    let DryRun::Change { fields, .. } = compare(&object(1), &object(2), MANAGER) else {
        panic!()
    };
    assert_eq!(fields.len(), 8);
    assert_eq!(fields[7], "data.k7");
}

#[test]
fn an_answer_about_another_object_decides_nothing() {
    let mut recreated = deployment();
    recreated["metadata"]["uid"] = json!("u2");
    let DryRun::Refused(failure) = compare(&deployment(), &recreated, MANAGER) else {
        panic!()
    };
    assert_eq!(failure.class, FailureClass::Conflict);
    let mut without = deployment();
    without["metadata"]["uid"] = json!(null);
    let DryRun::Refused(failure) = compare(&without, &deployment(), MANAGER) else {
        panic!()
    };
    assert_eq!(failure.class, FailureClass::Transient { retry_after: None });
}
