//! Decryption, the remote cluster and error budgets.

use serde_json::{Value, json};

use super::{check, row};
use crate::spec::tests::{spec_with, stage_with};

#[test]
fn decryption_and_kube_config() {
    let config = |value: Value| spec_with(json!({ "kubeConfig": value }));
    check(vec![
        row(
            "V24",
            spec_with(json!({"decryption": {"provider": "vault"}})),
            "spec.decryption.provider",
            ["\"vault\"", "sops"],
        ),
        row(
            "V24",
            spec_with(json!({"decryption": {"provider": "sops", "secretRef": {"name": ""}}})),
            "spec.decryption.secretRef.name",
            ["\"\""],
        ),
        row("V25", config(json!({})), "spec.kubeConfig", ["secretRef"]),
        row(
            "V25",
            config(json!({"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}})),
            "spec.kubeConfig",
            ["secretRef", "configMapRef"],
        ),
        row(
            "V25",
            config(json!({"secretRef": {"name": ""}})),
            "spec.kubeConfig.secretRef.name",
            ["empty"],
        ),
        row(
            "V25",
            config(json!({"configMapRef": {}})),
            "spec.kubeConfig.configMapRef.name",
            ["empty"],
        ),
        row(
            "V31",
            config(json!({"configMapRef": {"name": "a"}})),
            "spec.kubeConfig.configMapRef",
            ["cloud-provider", "unsupported", "secretRef"],
        ),
        row(
            "V31",
            config(json!({"configMapRef": {}})),
            "spec.kubeConfig.configMapRef",
            ["unsupported"],
        ),
        row(
            "V31",
            config(json!({"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}})),
            "spec.kubeConfig.configMapRef",
            ["unsupported"],
        ),
    ]);
}

#[test]
fn budgets() {
    let prometheus = json!({"prometheus": {"address": "http://p", "query": "q"}});
    let webhook = json!({"webhook": {"url": "http://w", "jsonPath": "$.a"}});
    let with_source = |source: Value| {
        spec_with(json!({"errorBudget": {"source": source, "freezeThreshold": "1"}}))
    };
    let with = |fields: Value| {
        let mut budget = json!({"source": prometheus, "freezeThreshold": "0.5"});
        budget
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        stage_with(json!({ "errorBudget": budget }))
    };
    let mut both = prometheus.clone();
    both["webhook"] = webhook["webhook"].clone();
    check(vec![
        row(
            "V26",
            with_source(json!({})),
            "spec.errorBudget.source",
            ["spec.errorBudget.source"],
        ),
        row(
            "V26",
            with_source(both),
            "spec.errorBudget.source",
            ["exclude"],
        ),
        row(
            "V26",
            with_source(json!({"prometheus": {"address": "", "query": "q"}})),
            "spec.errorBudget.source.prometheus.address",
            [],
        ),
        row(
            "V26",
            with_source(json!({"prometheus": {"address": "a"}})),
            "spec.errorBudget.source.prometheus.query",
            [],
        ),
        row(
            "V26",
            with_source(json!({"webhook": {"url": "", "jsonPath": "p"}})),
            "spec.errorBudget.source.webhook.url",
            [],
        ),
        row(
            "V26",
            with_source(json!({"webhook": {"url": "u", "jsonPath": ""}})),
            "spec.errorBudget.source.webhook.jsonPath",
            [],
        ),
        row(
            "V26",
            with_source(
                json!({"webhook": {"url": "u", "jsonPath": "p", "secretRef": {"name": ""}}}),
            ),
            "spec.errorBudget.source.webhook.secretRef.name",
            [],
        ),
        row(
            "V26",
            stage_with(json!({"errorBudget": {"source": {}, "freezeThreshold": "1"}})),
            "spec.stages[0].errorBudget.source",
            [],
        ),
        row(
            "V27",
            with(json!({"freezeThreshold": "half"})),
            "spec.stages[0].errorBudget.freezeThreshold",
            ["\"half\""],
        ),
        row(
            "V27",
            with(json!({"resumeThreshold": "half"})),
            "spec.stages[0].errorBudget.resumeThreshold",
            ["\"half\""],
        ),
        row(
            "V27",
            with(json!({"resumeThreshold": "0.4"})),
            "spec.stages[0].errorBudget.resumeThreshold",
            ["\"0.4\"", "\"0.5\""],
        ),
        row(
            "V27",
            with(json!({"onSourceError": "Panic"})),
            "spec.stages[0].errorBudget.onSourceError",
            ["\"Panic\"", "Allow, Hold"],
        ),
        row(
            "G6",
            with(json!({"freezeThreshold": "NaN"})),
            "spec.stages[0].errorBudget.freezeThreshold",
            ["\"NaN\""],
        ),
        row(
            "G6",
            with(json!({"freezeThreshold": "-inf"})),
            "spec.stages[0].errorBudget.freezeThreshold",
            ["\"-inf\""],
        ),
        row(
            "G6",
            with(json!({"resumeThreshold": "1e999"})),
            "spec.stages[0].errorBudget.resumeThreshold",
            ["\"1e999\""],
        ),
        row(
            "G8",
            with(json!({"interval": "soon"})),
            "spec.stages[0].errorBudget.interval",
            ["\"soon\""],
        ),
    ]);
}
