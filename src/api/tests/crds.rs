//! The definitions in the chart are the types', and say what the API contract says.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use stageset_api::crd::{definitions, to_yaml};

fn definition(file: &str) -> Value {
    definitions()
        .into_iter()
        .find(|d| d.file == file)
        .unwrap()
        .definition
}

fn version(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]
}

/// The schema of a field, e.g. `spec.stages[].name`.
fn field<'a>(definition: &'a Value, path: &str) -> &'a Value {
    let mut schema = &version(definition)["schema"]["openAPIV3Schema"];
    for step in path.split('.') {
        let (name, list) = step
            .strip_suffix("[]")
            .map_or((step, false), |name| (name, true));
        schema = &schema["properties"][name];
        if list {
            schema = &schema["items"];
        }
        assert!(schema.is_object(), "{path}: no {step}");
    }
    schema
}

#[test]
fn the_chart_holds_what_the_types_say() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../charts/stageset-controller/files/crds");
    for found in definitions() {
        let text = fs::read_to_string(folder.join(&found.file)).unwrap();
        assert!(
            text == to_yaml(&found.definition).unwrap(),
            "{} is out of date: run `cargo run -p stageset-api --features crd --bin generate-crds`",
            found.file
        );
    }
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "stageinventories.yaml",
            "stageledgers.yaml",
            "stagesets.yaml"
        ]
    );
}

/// Every schema below this one, itself included.
fn walk<'a>(schema: &'a Value, path: &str, visit: &mut dyn FnMut(&str, &'a Value)) {
    visit(path, schema);
    if let Some(properties) = schema["properties"].as_object() {
        for (name, inner) in properties {
            walk(inner, &format!("{path}.{name}"), visit);
        }
    }
    for nested in ["items", "additionalProperties"] {
        if schema[nested].is_object() {
            walk(&schema[nested], &format!("{path}[]"), visit);
        }
    }
}

#[test]
fn every_schema_is_structural() {
    let allowed = [
        "type",
        "description",
        "properties",
        "required",
        "items",
        "additionalProperties",
        "enum",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "minItems",
        "minLength",
        "maxLength",
        "default",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-map-type",
        "x-kubernetes-validations",
    ];
    for found in definitions() {
        let mut defaults = Vec::new();
        walk(
            &version(&found.definition)["schema"]["openAPIV3Schema"],
            "",
            &mut |path, schema| {
                assert!(
                    schema["type"].is_string(),
                    "{}{path}: {}",
                    found.file,
                    schema["type"]
                );
                for key in schema.as_object().unwrap().keys() {
                    assert!(
                        allowed.contains(&key.as_str()),
                        "{}{path}: {key}",
                        found.file
                    );
                }
                if let Some(format) = schema["format"].as_str() {
                    assert!(
                        ["int32", "int64", "date-time"].contains(&format),
                        "{path}: {format}"
                    );
                }
                if schema["x-kubernetes-list-type"] == "map" {
                    assert_eq!(schema["items"]["type"], "object", "{path}");
                }
                if schema.get("default").is_some() {
                    defaults.push(format!("{path}={}", schema["default"]));
                }
            },
        );
        let wanted: &[&str] = match found.file.as_str() {
            "stagesets.yaml" => &[".spec.stages[].conflictPolicy.default=\"Fail\""],
            _ => &[],
        };
        assert_eq!(defaults, wanted, "{}", found.file);
    }
}

#[test]
fn every_field_says_what_it_means() {
    for found in definitions() {
        walk(
            &version(&found.definition)["schema"]["openAPIV3Schema"],
            "",
            &mut |path, schema| {
                let own = path.starts_with(".spec") || path.starts_with(".status");
                let named = !path.ends_with("[]") && path.matches('.').count() > 1;
                if own && named {
                    assert!(schema["description"].is_string(), "{}{path}", found.file);
                }
            },
        );
    }
}

#[test]
fn names_columns_and_subresources_are_the_contracts() {
    let set = definition("stagesets.yaml");
    assert_eq!(set["metadata"]["name"], "stagesets.stages.metio.wtf");
    assert_eq!(set["spec"]["scope"], "Namespaced");
    assert_eq!(set["spec"]["names"]["shortNames"], Value::Null);
    assert_eq!(version(&set)["name"], "v1");
    assert_eq!(version(&set)["subresources"], json!({"status": {}}));
    let columns = |d: &Value| -> Vec<(String, String, i64)> {
        let text = |v: &Value| v.as_str().unwrap().to_owned();
        version(d)["additionalPrinterColumns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| {
                (
                    text(&c["name"]),
                    text(&c["type"]),
                    c["priority"].as_i64().unwrap_or(0),
                )
            })
            .collect()
    };
    let column = |name: &str, type_: &str, priority| (name.to_owned(), type_.to_owned(), priority);
    assert_eq!(
        columns(&set),
        [
            column("Ready", "string", 0),
            column("Status", "string", 0),
            column("Age", "date", 0)
        ]
    );

    let inventory = definition("stageinventories.yaml");
    assert_eq!(version(&inventory).get("subresources"), None);
    assert_eq!(
        columns(&inventory),
        [column("Stage", "string", 0), column("Age", "date", 0)]
    );
    assert_eq!(
        version(&inventory)["additionalPrinterColumns"][0]["jsonPath"],
        r".metadata.labels.stages\.metio\.wtf/stage"
    );

    let ledger = definition("stageledgers.yaml");
    assert_eq!(ledger["spec"]["names"]["shortNames"], json!(["sledger"]));
    assert_eq!(version(&ledger)["subresources"], json!({"status": {}}));
    assert_eq!(
        columns(&ledger),
        [column("Completed", "integer", 1), column("Age", "date", 0)]
    );
}

#[test]
fn rules_of_single_fields_are_the_contracts() {
    let set = definition("stagesets.yaml");
    let at = |path: &str| field(&set, path);
    assert_eq!(at("spec.stages")["minItems"], 1);
    assert_eq!(at("spec")["required"], json!(["stages"]));
    assert_eq!(
        at("spec.stages[]")["required"],
        json!(["name", "sourceRef"])
    );
    assert_eq!(
        at("spec.stages[].name")["pattern"],
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
    );
    assert_eq!(at("spec.stages[].name")["maxLength"], 63);
    assert_eq!(at("spec.onTimeout")["enum"], json!(["Hold", "Rollback"]));
    assert_eq!(at("spec.decryption.provider")["enum"], json!(["sops"]));
    assert_eq!(at("spec.decryption")["required"], json!(["provider"]));
    assert_eq!(at("spec.decryption.secretRef")["required"], json!(["name"]));
    assert_eq!(at("spec.windowScope")["enum"], json!(["Updates", "All"]));
    assert_eq!(
        at("spec.version.approvalMode")["enum"],
        json!(["Never", "OnMigrations", "Always"])
    );
    for (path, most) in [
        ("spec.stages[].actions.pre[].retries", 100),
        ("spec.stages[].actions.post[].retries", 100),
        ("spec.stages[].actions.onFailure[].retries", 100),
        ("spec.onRollback[].retries", 100),
        ("spec.migrations[].actions[].retries", 10),
        ("spec.migrations[].down[].retries", 10),
    ] {
        assert_eq!(
            (&at(path)["minimum"], &at(path)["maximum"]),
            (&json!(0), &json!(most)),
            "{path}"
        );
    }
    let status = at("spec.onRollback[].http.expectedStatus[]");
    assert_eq!(
        (&status["minimum"], &status["maximum"]),
        (&json!(100), &json!(599))
    );
    assert_eq!(
        at("spec.onRollback[].http.method")["enum"],
        json!(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
    );
    for gate in ["restartGate", "eventGate"] {
        let checks = at(&format!("spec.stages[].promotion.{gate}.checks"));
        assert_eq!(checks["x-kubernetes-list-type"], "map");
        assert_eq!(checks["x-kubernetes-list-map-keys"], json!(["name"]));
        assert_eq!(checks.get("minItems"), None);
    }
    assert_eq!(at("spec.stages[].promotion.analysis.checks")["minItems"], 1);
    assert_eq!(
        at("spec.stages[].promotion.eventGate.checks[].reasons")["minItems"],
        1
    );
    assert_eq!(
        at("status.conditions")["x-kubernetes-list-map-keys"],
        json!(["type"])
    );
    assert_eq!(
        at("status.conditions[]")["required"],
        json!(["lastTransitionTime", "message", "reason", "status", "type"])
    );
    assert_eq!(at("status.stages[]")["required"], json!(["name"]));
    assert!(at("spec.interval")["pattern"].is_string());
}

#[test]
fn s28_the_config_map_rule_stands_alone() {
    let set = definition("stagesets.yaml");
    let kube_config = field(&set, "spec.kubeConfig");
    assert_eq!(kube_config.get("required"), None, "K27");
    let rules = kube_config["x-kubernetes-validations"].as_array().unwrap();
    assert_eq!(rules.len(), 1);
    assert_eq!(
        rules[0]["rule"],
        "has(self.secretRef) && !has(self.configMapRef)"
    );
    let message = rules[0]["message"].as_str().unwrap();
    assert!(
        message.contains("configMapRef") && message.contains("secretRef"),
        "{message}"
    );
    assert_eq!(
        field(&set, "spec.kubeConfig.secretRef")["required"],
        json!(["name"])
    );
}
