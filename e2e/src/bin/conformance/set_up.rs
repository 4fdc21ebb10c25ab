//! What both servers need before they are asked: custom kinds, namespaces, and what controllers
//! would put there.

use anyhow::Result;
use serde_json::{Value, json};

use crate::discovery;
use crate::kinds::custom;
use crate::lanes::Mode;
use crate::operation::{JSON, Operation};
use crate::pair::Pair;
use crate::report::Report;

/// Makes a pair ready for a mode. The first one also compares what a server comes with.
pub(crate) async fn server(
    pair: &mut Pair,
    mode: Mode,
    first: bool,
    report: &mut Report,
) -> Result<()> {
    match mode {
        Mode::Objects if first => {
            define(pair).await?;
            discovery::compare(pair, report).await
        }
        Mode::Objects | Mode::Apply | Mode::Webhooks => define(pair).await,
        Mode::Rbac if first => bootstrap(pair, report).await,
        Mode::Lives => {
            pair.run_controllers();
            define(pair).await
        }
        Mode::Rbac | Mode::Access | Mode::Quota => Ok(()),
    }
}

/// The roles and bindings that a fresh server has. What aggregates is empty on a server without
/// controllers, and nobody's fields are followed in what was there before the first request.
async fn bootstrap(pair: &mut Pair, report: &mut Report) -> Result<()> {
    for (kind, plural) in [
        ("ClusterRole", "clusterroles"),
        ("ClusterRoleBinding", "clusterrolebindings"),
        ("Role", "roles"),
        ("RoleBinding", "rolebindings"),
    ] {
        let path = format!("/apis/rbac.authorization.k8s.io/v1/{plural}");
        let selector = "labelSelector=kubernetes.io/bootstrapping".to_owned();
        let list = Operation::new("list", kind, "GET", path).query(&[selector]);
        pair.step(&list, report, |body| {
            for item in body["items"].as_array_mut().into_iter().flatten() {
                if item.get("aggregationRule").is_some() {
                    item["rules"] = Value::Null;
                }
                for field in ["managedFields", "uid", "resourceVersion"] {
                    if let Some(metadata) = item["metadata"].as_object_mut() {
                        metadata.remove(field);
                    }
                }
            }
        })
        .await?;
    }
    Ok(())
}

/// The custom resources, served by both.
pub(crate) async fn define(pair: &mut Pair) -> Result<()> {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    for (kind, definition) in [
        (custom::WIDGET, custom::widget_definition()),
        (custom::GADGET, custom::gadget_definition()),
    ] {
        let known = Operation::new("list", kind.name, "GET", kind.everywhere());
        pair.set_up_missing(&known, path, definition).await?;
        // Watches come from a cache, which answers this when it is there.
        let cached = known.query(&["resourceVersion=0".to_owned()]);
        pair.settle(&cached, |answer| answer.code == 200).await?;
    }
    Ok(())
}

/// A namespace with what controllers would put into it.
pub(crate) async fn namespace(pair: &mut Pair, namespace: &str) -> Result<()> {
    labelled_namespace(pair, namespace, &json!({})).await
}

/// The same, with labels.
pub(crate) async fn labelled_namespace(
    pair: &mut Pair,
    namespace: &str,
    labels: &Value,
) -> Result<()> {
    let object = json!({"metadata": {"name": namespace, "labels": labels}});
    pair.set_up("/api/v1/namespaces", object).await?;
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
    pair.set_up(&path, json!({"metadata": {"name": "default"}}))
        .await?;
    // The admission of pods reads accounts from a watch.
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    let probe = Operation::new("create", "Pod", "POST", pods)
        .query(&["dryRun=All".to_owned()])
        .body(
            JSON,
            json!({
                "metadata": {"name": "probe"},
                "spec": {"containers": [{"name": "a", "image": "i"}]},
            }),
        );
    pair.settle(&probe, |answer| answer.code == 201).await
}
