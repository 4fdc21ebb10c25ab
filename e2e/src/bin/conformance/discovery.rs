//! What a server says of itself: its groups, versions and resources, as `kubectl` asks for them.

use anyhow::Result;
use serde_json::Value;

use crate::operation::Operation;
use crate::pair::Pair;
use crate::report::Report;

/// Group versions that the simulator serves; two resources of the core group it doesn't.
const SERVED: [&str; 21] = [
    "/api/v1",
    "/apis/admissionregistration.k8s.io/v1",
    "/apis/apiextensions.k8s.io/v1",
    "/apis/apps",
    "/apis/apps/v1",
    "/apis/authentication.k8s.io/v1",
    "/apis/authorization.k8s.io/v1",
    "/apis/autoscaling/v2",
    "/apis/batch",
    "/apis/batch/v1",
    "/apis/certificates.k8s.io/v1",
    "/apis/conformance.example.com",
    "/apis/conformance.example.com/v1",
    "/apis/coordination.k8s.io/v1",
    "/apis/discovery.k8s.io/v1",
    "/apis/events.k8s.io/v1",
    "/apis/networking.k8s.io/v1",
    "/apis/node.k8s.io/v1",
    "/apis/policy/v1",
    "/apis/rbac.authorization.k8s.io/v1",
    "/apis/storage.k8s.io/v1",
];

/// What isn't there.
const ABSENT: [&str; 8] = [
    "/apis/nothing",
    "/apis/nothing/v1",
    "/apis/apps/v9",
    "/apis/apps/v9/deployments",
    "/apis/apps/v1/nothing",
    "/api/v2",
    "/api/v1/nothing/x",
    "/nothing",
];

/// Asks both servers once.
pub(crate) async fn compare(pair: &mut Pair, report: &mut Report) -> Result<()> {
    for path in SERVED.into_iter().chain(ABSENT).chain(["/api", "/version"]) {
        let get = Operation::new("discover", "discovery", "GET", path);
        pair.step(&get, report, |body| forget(path, body)).await?;
    }
    Ok(())
}

/// Resources come in the order of a Go map; the hash of a storage version says nothing to
/// clients but whether it changed; how the program was built is its own affair.
fn forget(path: &str, body: &mut Value) {
    let resources = body.get_mut("resources").and_then(Value::as_array_mut);
    if let Some(resources) = resources {
        for resource in resources.iter_mut().filter_map(Value::as_object_mut) {
            resource.remove("storageVersionHash");
        }
        resources.retain(|resource| {
            let name = resource["name"].as_str().unwrap_or_default();
            path != "/api/v1" || !["bindings", "componentstatuses"].contains(&name)
        });
        resources.sort_by_key(|resource| resource["name"].to_string());
    }
    let built: &[&str] = match path {
        "/version" => &[
            "buildDate",
            "compiler",
            "gitCommit",
            "gitTreeState",
            "goVersion",
            "platform",
        ],
        "/api" => &["serverAddressByClientCIDRs"],
        _ => &[],
    };
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|field, _| !built.contains(&field.as_str()));
    }
}
