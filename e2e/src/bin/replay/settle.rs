//! Waiting until the real server knows what was just written: its authorizer reads from watches, and
//! it serves a definition a moment after that was accepted. The simulated one knows at once.

use anyhow::{Result, bail};
use http::Method;
use serde_json::{Value, json};

use crate::server::Real;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
/// What the role and the binding are called by which the authorizer is asked how far it is.
const PROBE: &str = "replay-probe";

/// What a path says that a server needs a moment for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slow {
    /// A kind that the authorizer reads.
    Rights(String),
    /// A definition.
    Definition(String),
}

impl Slow {
    /// What the object at a path, or in a collection, is of these.
    pub(crate) fn of(path: &str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix(RBAC) {
            let mut parts = rest.trim_start_matches('/').split('/');
            let plural = match parts.next()? {
                "namespaces" => parts.nth(1)?,
                plural => plural,
            };
            return Some(Self::Rights(plural.to_owned()));
        }
        let name = path.strip_prefix(DEFINITIONS)?;
        let name = name.split('/').next()?;
        Some(Self::Definition(name.to_owned()))
    }
}

impl Real {
    /// Waits until the authorizer has seen all writes of a kind so far: it has when it has seen
    /// another one, made now.
    pub(crate) async fn wait_for_rights(&mut self, plural: &str) -> Result<()> {
        self.barriers += 1;
        let number = self.barriers;
        let (role, binding) = (
            format!("{RBAC}/clusterroles"),
            format!("{RBAC}/clusterrolebindings"),
        );
        let rules = |number: u64| {
            json!([{
                "apiGroups": ["replay"], "resources": ["probes"], "verbs": [format!("look-{number}")],
            }])
        };
        let subjects = |number: u64| {
            json!([{
                "kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": format!("{PROBE}-{number}"),
            }])
        };
        let (verb, user) = match plural {
            "clusterroles" => (number, self.user),
            "clusterrolebindings" => (self.verb, number),
            other => bail!("waiting for what the authorizer knows of {other} isn't written"),
        };
        if number == 1 {
            let object = json!({ "metadata": { "name": PROBE }, "rules": rules(verb) });
            self.must(Method::POST, &role, "application/json", &object)
                .await?;
            let object = json!({
                "metadata": { "name": PROBE }, "subjects": subjects(user),
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": PROBE,
                },
            });
            self.must(Method::POST, &binding, "application/json", &object)
                .await?;
        } else {
            let (path, patch) = match plural {
                "clusterroles" => (role, json!({ "rules": rules(verb) })),
                _ => (binding, json!({ "subjects": subjects(user) })),
            };
            let path = format!("{path}/{PROBE}");
            let merge = "application/merge-patch+json";
            self.must(Method::PATCH, &path, merge, &patch).await?;
        }
        (self.verb, self.user) = (verb, user);
        let question = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": { "user": format!("{PROBE}-{user}"), "resourceAttributes": {
            "group": "replay", "resource": "probes", "verb": format!("look-{verb}"),
        }}});
        let allowed = |answer: &stageset_e2e::answers::Answer| {
            answer.body["status"]["allowed"] == Value::Bool(true)
        };
        self.settle(Method::POST, REVIEWS, &question, allowed)
            .await?;
        Ok(())
    }

    /// Waits until a definition is established and its kind served and listed, and answers with it.
    pub(crate) async fn wait_for_definition(&self, name: &str) -> Result<Value> {
        let path = format!("{DEFINITIONS}{name}");
        let established = self
            .settle(Method::GET, &path, &Value::Null, |answer| {
                let conditions = answer.body["status"]["conditions"].as_array();
                let mut conditions = conditions.into_iter().flatten();
                conditions.any(|c| c["type"] == "Established" && c["status"] == "True")
            })
            .await?;
        let spec = &established.body["spec"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (group, plural) = (text(&spec["group"]), text(&spec["names"]["plural"]));
        for version in spec["versions"].as_array().into_iter().flatten() {
            let version = text(&version["name"]);
            let root = format!("/apis/{group}/{version}");
            self.settle(Method::GET, &root, &Value::Null, |answer| {
                let listed = answer.body["resources"].as_array().into_iter().flatten();
                listed
                    .into_iter()
                    .any(|resource| resource["name"] == plural.as_str())
            })
            .await?;
            let all = format!("{root}/{plural}");
            self.settle(Method::GET, &all, &Value::Null, |answer| answer.code == 200)
                .await?;
            // Lists from version 0 come from a cache, which has to be there.
            let cached = format!("{all}?resourceVersion=0");
            self.settle(Method::GET, &cached, &Value::Null, |answer| {
                answer.code == 200
            })
            .await?;
        }
        Ok(established.body)
    }

    /// Waits until nothing is at a path any more.
    pub(crate) async fn wait_until_gone(&self, path: &str) -> Result<()> {
        self.settle(Method::GET, path, &Value::Null, |answer| answer.code == 404)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_what_the_server_needs_a_moment_for() {
        let rights = |plural: &str| Some(Slow::Rights(plural.to_owned()));
        assert_eq!(
            Slow::of(&format!("{RBAC}/clusterroles/a")),
            rights("clusterroles")
        );
        assert_eq!(
            Slow::of(&format!("{RBAC}/clusterrolebindings")),
            rights("clusterrolebindings")
        );
        assert_eq!(
            Slow::of(&format!("{RBAC}/namespaces/n/roles/a")),
            rights("roles")
        );
        assert_eq!(
            Slow::of(&format!("{DEFINITIONS}as.b.c/status")),
            Some(Slow::Definition("as.b.c".to_owned()))
        );
        assert_eq!(Slow::of("/api/v1/namespaces/n/configmaps/a"), None);
    }
}
