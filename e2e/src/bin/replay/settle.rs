//! Waiting until the real server knows what was just written: its authorizer reads from watches, and
//! it serves a definition a moment after that was accepted. The simulated one knows at once.

use anyhow::{Result, bail};
use http::Method;
use serde_json::{Value, json};

use crate::change::{CLEANUP, finalizers};
use crate::server::Real;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
/// What the role and the binding are called by which the authorizer is asked how far it is.
const PROBE: &str = "replay-probe";
/// Where the roles are by which it is asked; every server comes with it.
const PROBED: &str = "default";

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

/// Where rights are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// By cluster roles and their bindings.
    Cluster,
    /// By roles and their bindings.
    Namespace,
}

impl Place {
    /// Where the probe's role is, and where its binding.
    fn collections(self) -> (String, String) {
        match self {
            Self::Cluster => (
                format!("{RBAC}/clusterroles"),
                format!("{RBAC}/clusterrolebindings"),
            ),
            Self::Namespace => (
                format!("{RBAC}/namespaces/{PROBED}/roles"),
                format!("{RBAC}/namespaces/{PROBED}/rolebindings"),
            ),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Cluster => "ClusterRole",
            Self::Namespace => "Role",
        }
    }
}

/// What was last allowed to whom, to ask whether the authorizer knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    verb: u64,
    user: u64,
}

impl Probe {
    fn rules(self) -> Value {
        let verb = format!("look-{}", self.verb);
        json!([{ "apiGroups": ["replay"], "resources": ["probes"], "verbs": [verb] }])
    }

    fn subjects(self) -> Value {
        let user = format!("{PROBE}-{}", self.user);
        json!([{ "kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user }])
    }

    fn question(self, place: Place) -> Value {
        let (user, verb) = (
            format!("{PROBE}-{}", self.user),
            format!("look-{}", self.verb),
        );
        let mut attributes = json!({ "group": "replay", "resource": "probes", "verb": verb });
        if place == Place::Namespace {
            attributes["namespace"] = PROBED.into();
        }
        json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": { "user": user, "resourceAttributes": attributes },
        })
    }
}

impl Real {
    /// Waits until the authorizer has seen all writes of a kind so far: it has when it has seen
    /// another one, made now.
    pub(crate) async fn wait_for_rights(&mut self, plural: &str) -> Result<()> {
        let (place, is_role) = match plural {
            "clusterroles" => (Place::Cluster, true),
            "clusterrolebindings" => (Place::Cluster, false),
            "roles" => (Place::Namespace, true),
            "rolebindings" => (Place::Namespace, false),
            other => bail!("waiting for what the authorizer knows of {other} isn't written"),
        };
        self.barriers += 1;
        let number = self.barriers;
        let known = self.probes.get(&place).copied();
        let mut probe = known.unwrap_or(Probe {
            verb: number,
            user: number,
        });
        let (role, binding) = place.collections();
        let json = "application/json";
        if known.is_none() {
            let object = json!({ "metadata": { "name": PROBE }, "rules": probe.rules() });
            self.must(Method::POST, &role, json, &object).await?;
            let object = json!({
                "metadata": { "name": PROBE }, "subjects": probe.subjects(),
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io", "kind": place.kind(), "name": PROBE,
                },
            });
            self.must(Method::POST, &binding, json, &object).await?;
        } else {
            let (path, patch) = if is_role {
                probe.verb = number;
                (role, json!({ "rules": probe.rules() }))
            } else {
                probe.user = number;
                (binding, json!({ "subjects": probe.subjects() }))
            };
            let path = format!("{path}/{PROBE}");
            let merge = "application/merge-patch+json";
            self.must(Method::PATCH, &path, merge, &patch).await?;
        }
        self.probes.insert(place, probe);
        let allowed = |answer: &stageset_e2e::answers::Answer| {
            answer.body["status"]["allowed"] == Value::Bool(true)
        };
        self.settle(Method::POST, REVIEWS, &probe.question(place), allowed)
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

    /// Waits until the objects of a definition that somebody holds are gone, and answers with it.
    pub(crate) async fn wait_for_cleanup(&self, path: &str) -> Result<Value> {
        let cleaned = self.settle(Method::GET, path, &Value::Null, |answer| {
            answer.code == 200 && !finalizers(&answer.body).contains(&CLEANUP)
        });
        Ok(cleaned.await?.body)
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
