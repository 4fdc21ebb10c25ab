//! Random rules against random requests: what the real authorizer allows, the simulator allows.
//!
//! Each round has users, groups, namespaces and rules of its own. The reason
//! of a review isn't compared: it names one of several bindings that allow, in the order of a
//! cache.

use anyhow::Result;
use serde_json::{Value, json};

use crate::kinds::rights::rule;
use crate::operation::Operation;
use crate::pair::Pair;
use crate::random::Random;
use crate::report::Report;

const ROOT: &str = "/apis/rbac.authorization.k8s.io/v1";
const GROUP: &str = "rbac.authorization.k8s.io";
const JSON: &str = "application/json";

/// How many bindings a round makes.
const BINDINGS: usize = 25;

/// Makes the rules of one round and asks so many questions.
pub(crate) async fn run(
    pair: &mut Pair,
    seed: u64,
    number: usize,
    questions: usize,
    report: &mut Report,
) -> Result<()> {
    let mut random = Random::new(seed);
    let round = Round::new(number);
    round.prepare(pair, &mut random, report).await?;
    for _ in 0..questions {
        let question = round.question(&mut random);
        pair.step(&question, report, |body| {
            if let Some(Value::Object(status)) = body.get_mut("status") {
                status.remove("reason");
            }
        })
        .await?;
    }
    Ok(())
}

struct Round {
    number: usize,
    namespaces: [String; 2],
}

impl Round {
    fn new(number: usize) -> Self {
        let namespaces = [0, 1].map(|at| format!("rbac-{number}-{at}"));
        Self { number, namespaces }
    }

    fn user(&self, at: usize) -> String {
        format!("user-{}-{at}", self.number)
    }

    fn group(&self, at: usize) -> String {
        format!("group-{}-{at}", self.number)
    }

    fn namespace(&self, random: &mut Random) -> &str {
        &self.namespaces[random.below(2)]
    }

    /// Makes the rules and bindings, and waits until the real authorizer has read them.
    async fn prepare(
        &self,
        pair: &mut Pair,
        random: &mut Random,
        report: &mut Report,
    ) -> Result<()> {
        for name in &self.namespaces {
            let namespace = json!({"metadata": {"name": name}});
            pair.set_up("/api/v1/namespaces", namespace).await?;
        }
        for at in 0..BINDINGS {
            self.bind(pair, random, at, report).await?;
        }
        // Every user may write roles, so that the guard against escalation is what answers.
        for at in 0..3 {
            let role = json!({
                "metadata": {"name": format!("writer-{}-{at}", self.number)},
                "rules": [{"verbs": ["create"], "apiGroups": [GROUP], "resources": ["roles"]}],
            });
            let binding = binding(
                &role["metadata"]["name"],
                &json!({"kind": "ClusterRole", "apiGroup": GROUP, "name": role["metadata"]["name"]}),
                &json!({"kind": "User", "apiGroup": GROUP, "name": self.user(at)}),
            );
            pair.set_up(&format!("{ROOT}/clusterroles"), role).await?;
            pair.set_up(&format!("{ROOT}/clusterrolebindings"), binding)
                .await?;
        }
        wait(pair, &self.number.to_string(), &self.namespaces[0]).await
    }

    async fn bind(
        &self,
        pair: &mut Pair,
        random: &mut Random,
        at: usize,
        report: &mut Report,
    ) -> Result<()> {
        let name = json!(format!("r-{}-{at}", self.number));
        let mut rules: Vec<Value> = (0..=random.below(3)).map(|_| rule(random)).collect();
        let home = self.namespace(random).to_owned();
        let cluster = random.percent(50);
        let (kind, path) = if cluster {
            if random.percent(30) {
                rules.push(json!({
                    "verbs": random.few(&["get", "post", "*"]),
                    "nonResourceURLs": random.few(&["/healthz", "/metrics*", "/a/*", "*"]),
                }));
            }
            ("ClusterRole", format!("{ROOT}/clusterroles"))
        } else {
            ("Role", format!("{ROOT}/namespaces/{home}/roles"))
        };
        let role = json!({"metadata": {"name": name}, "rules": rules});
        let operation = Operation::new("create", kind, "POST", path).body(JSON, role);
        pair.step(&operation, report, |_| ()).await?;

        let subject = match random.below(3) {
            0 => json!({"kind": "User", "apiGroup": GROUP, "name": self.user(random.below(3))}),
            1 => json!({"kind": "Group", "apiGroup": GROUP, "name": self.group(random.below(2))}),
            _ => json!({"kind": "ServiceAccount", "name": format!("s{}", random.below(2)),
                        "namespace": self.namespace(random)}),
        };
        let reference = json!({"apiGroup": GROUP, "kind": kind, "name": name});
        let body = binding(&name, &reference, &subject);
        let operation = if cluster && random.percent(50) {
            let path = format!("{ROOT}/clusterrolebindings");
            Operation::new("create", "ClusterRoleBinding", "POST", path)
        } else {
            let path = format!("{ROOT}/namespaces/{home}/rolebindings");
            Operation::new("create", "RoleBinding", "POST", path)
        };
        pair.step(&operation.body(JSON, body), report, |_| ()).await
    }

    fn question(&self, random: &mut Random) -> Operation {
        match random.below(10) {
            0..7 => self.subject_access_review(random),
            7 => {
                let namespace = self.namespace(random);
                let path = random.pick(&[
                    "/api/v1/namespaces/NS/pods",
                    "/api/v1/namespaces/NS/secrets/x",
                    "/apis/apps/v1/namespaces/NS/deployments/y",
                    "/apis/apps/v1/deployments",
                    "/apis/batch/v1/namespaces/NS/jobs",
                ]);
                let path = path.replace("NS", namespace);
                Operation::new("impersonate", "request", "GET", path)
                    .impersonate(self.user(random.below(3)))
            }
            _ => {
                let path = format!("{ROOT}/namespaces/{}/roles", self.namespace(random));
                let rules: Vec<Value> = (0..=random.below(2)).map(|_| rule(random)).collect();
                let name = format!("escalated-{}", random.below(1000));
                let role = json!({"metadata": {"name": name}, "rules": rules});
                Operation::new("escalate", "Role", "POST", path)
                    .body(JSON, role)
                    .query(&["dryRun=All".to_owned()])
                    .impersonate(self.user(random.below(3)))
            }
        }
    }

    fn subject_access_review(&self, random: &mut Random) -> Operation {
        let user = if random.percent(60) {
            self.user(random.below(3))
        } else {
            let namespace = self.namespace(random);
            format!("system:serviceaccount:{namespace}:s{}", random.below(2))
        };
        let mut spec = json!({ "user": user });
        if random.percent(30) {
            spec["groups"] = json!([self.group(random.below(2))]);
        }
        if random.percent(10) {
            spec["nonResourceAttributes"] = json!({
                "verb": random.pick(&["get", "post"]),
                "path": random.pick(&["/healthz", "/metrics/x", "/a/b", "/a"]),
            });
            return review(spec);
        }
        let mut attributes = json!({
            "verb": random.pick(&["get", "list", "create", "patch"]),
            "group": random.pick(&["", "apps", "batch"]),
            "resource": random.pick(&["pods", "deployments", "jobs", "secrets"]),
        });
        if random.percent(70) {
            attributes["namespace"] = json!(self.namespace(random));
        }
        if random.percent(50) {
            attributes["name"] = json!(random.pick(&["x", "y", "z"]));
        }
        if random.percent(30) {
            attributes["subresource"] = json!(random.pick(&["log", "status"]));
        }
        spec["resourceAttributes"] = attributes;
        review(spec)
    }
}

/// The authorizer reads four kinds from four watches; one object of each, made last, tells that it
/// has seen all that came before.
pub(crate) async fn wait(pair: &mut Pair, round: &str, home: &str) -> Result<()> {
    let name = json!(format!("last-{round}"));
    let user = format!("last-{round}");
    let subject = json!({"kind": "User", "apiGroup": GROUP, "name": user});
    for (kind, roles, bindings, resource) in [
        (
            "ClusterRole",
            format!("{ROOT}/clusterroles"),
            format!("{ROOT}/clusterrolebindings"),
            "pods",
        ),
        (
            "Role",
            format!("{ROOT}/namespaces/{home}/roles"),
            format!("{ROOT}/namespaces/{home}/rolebindings"),
            "jobs",
        ),
    ] {
        let rules = json!([{"verbs": ["get"], "apiGroups": [""], "resources": [resource]}]);
        let role = json!({"metadata": {"name": name}, "rules": rules});
        pair.set_up(&roles, role).await?;
        let reference = json!({"apiGroup": GROUP, "kind": kind, "name": name});
        pair.set_up(&bindings, binding(&name, &reference, &subject))
            .await?;
        let attributes = json!({"verb": "get", "resource": resource, "namespace": home});
        let question = review(json!({"user": user, "resourceAttributes": attributes}));
        pair.settle(&question, |answer| {
            answer.body["status"]["allowed"] == json!(true)
        })
        .await?;
    }
    Ok(())
}

pub(crate) fn binding(name: &Value, reference: &Value, subject: &Value) -> Value {
    json!({"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]})
}

fn review(spec: Value) -> Operation {
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let mut body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"});
    body["spec"] = spec;
    Operation::new("review", "SubjectAccessReview", "POST", path).body(JSON, body)
}
