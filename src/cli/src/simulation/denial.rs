//! Admission webhooks of a simulation: nobody runs behind them, so a configuration says itself what
//! they answer. Which requests they are asked about is the simulated API server's business.

use serde_json::{Value, json};

use super::cluster::Cluster;
use crate::scenario::{Action, Manifest, Scenario};

/// On a `ValidatingWebhookConfiguration`: its webhooks deny everything that they are asked about, in
/// these words. Without it nobody answers them, and their failure policy decides.
const DENIES: &str = "sim.stages.metio.wtf/denies";

/// Lets the webhooks of a scenario answer.
pub(super) fn answer(cluster: &Cluster, scenario: &Scenario) {
    let stepped = scenario.steps.iter().flat_map(|step| match &step.action {
        Action::Apply(manifests) => manifests.as_slice(),
        _ => &[],
    });
    for Manifest { body, .. } in scenario.cluster.iter().chain(stepped) {
        if body["kind"] != "ValidatingWebhookConfiguration" {
            continue;
        }
        let Some(words) = body["metadata"]["annotations"][DENIES].as_str() else {
            continue;
        };
        for hook in body["webhooks"].as_array().into_iter().flatten() {
            let words = words.to_owned();
            cluster.serve_webhook(endpoint(&hook["clientConfig"]), move |review: &Value| {
                Ok(denial(review, &words))
            });
        }
    }
}

/// Where a webhook is called, as the simulated API server names it.
fn endpoint(called: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let service = &called["service"];
    if service.is_object() {
        let path = text(&service["path"]);
        let (namespace, name) = (text(&service["namespace"]), text(&service["name"]));
        format!("{namespace}/{name}/{}", path.trim_start_matches('/'))
    } else {
        text(&called["url"])
    }
}

fn denial(review: &Value, words: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": review["request"]["uid"],
            "allowed": false,
            "status": {"code": 403, "message": words},
        },
    })
}
