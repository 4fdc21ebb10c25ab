//! Who asks and as whom: tokens of service accounts, both ways of impersonation, and reviews of
//! one's own and others' rights.
//!
//! Each round has accounts with tokens, rights to impersonate that are drawn for each of them, and
//! users and accounts to impersonate. Requests bear a token, or the administrator's certificate.

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::operation::{JSON, Operation, token_of};
use crate::pair::Pair;
use crate::random::Random;
use crate::rbac::{self, binding};
use crate::report::Report;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const GROUP: &str = "rbac.authorization.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";
const CREDENTIAL: &str = "authentication.kubernetes.io/credential-id";

/// Accounts that ask, and users that they ask as.
const ACCOUNTS: [&str; 3] = ["s0", "s1", "s2"];
const USERS: usize = 3;

/// Sets a round up and asks so many questions.
pub(crate) async fn run(
    pair: &mut Pair,
    seed: u64,
    number: usize,
    questions: usize,
    report: &mut Report,
) -> Result<()> {
    let mut random = Random::new(seed);
    let round = Round {
        number,
        namespace: format!("access-{number}"),
    };
    round.prepare(pair, &mut random, report).await?;
    for _ in 0..questions {
        let question = match random.below(20) {
            0..3 => round.token_request(&mut random),
            3..8 => round.review(&mut random),
            _ => round.request(&mut random),
        };
        pair.step(&question, report, settle_order).await?;
    }
    Ok(())
}

/// Rules come in the order of a cache, and a reason names any of several bindings. The simulator's
/// administrator has no certificate whose fingerprint could be told.
fn settle_order(body: &mut Value) {
    let Some(status) = body.get_mut("status").and_then(Value::as_object_mut) else {
        return;
    };
    for list in ["resourceRules", "nonResourceRules"] {
        if let Some(rules) = status.get_mut(list).and_then(Value::as_array_mut) {
            rules.sort_by_key(Value::to_string);
        }
    }
    if status.contains_key("allowed") {
        status.remove("reason");
    }
    if let Some(user) = status.get_mut("userInfo").and_then(Value::as_object_mut)
        && user
            .get("extra")
            .map_or(&Value::Null, |extra| &extra[CREDENTIAL][0])
            .as_str()
            .is_some_and(|credential| credential.starts_with("X509SHA256="))
    {
        user.remove("extra");
    }
}

struct Round {
    number: usize,
    namespace: String,
}

impl Round {
    fn user(&self, random: &mut Random) -> String {
        format!("access-{}-{}", self.number, random.below(USERS))
    }

    fn account(&self, name: &str) -> String {
        format!("system:serviceaccount:{}:{name}", self.namespace)
    }

    async fn prepare(
        &self,
        pair: &mut Pair,
        random: &mut Random,
        report: &mut Report,
    ) -> Result<()> {
        let namespace = &self.namespace;
        let root = format!("/api/v1/namespaces/{namespace}");
        pair.set_up(
            "/api/v1/namespaces",
            json!({"metadata": {"name": namespace}}),
        )
        .await?;
        for name in ACCOUNTS {
            let accounts = format!("{root}/serviceaccounts");
            pair.set_up(&accounts, json!({"metadata": {"name": name}}))
                .await?;
        }
        let secret = json!({"metadata": {"name": "held"}});
        pair.set_up(&format!("{root}/secrets"), secret).await?;
        for (at, name) in ACCOUNTS.iter().enumerate() {
            let rules: Vec<Value> = (0..=random.below(5))
                .map(|_| self.impersonation(random))
                .collect();
            let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": namespace});
            self.grant(pair, report, &format!("as-{at}"), rules, &subject)
                .await?;
        }
        for at in 0..USERS {
            let verbs = random.few(&["get", "list", "create"]);
            let rule = json!({"verbs": verbs, "apiGroups": [""],
                              "resources": random.few(&["pods", "configmaps"])});
            let user = format!("access-{}-{at}", self.number);
            let subject = json!({"kind": "User", "apiGroup": GROUP, "name": user});
            self.grant(pair, report, &format!("user-{at}"), vec![rule], &subject)
                .await?;
        }
        rbac::wait(pair, &format!("access-{}", self.number), namespace).await?;
        for name in ACCOUNTS {
            let path = format!("{root}/serviceaccounts/{name}/token");
            let request = Operation::new("token", "TokenRequest", "POST", path)
                .body(JSON, json!({"spec": {}}));
            // The bearer is known once the server has read his account.
            pair.settle(&request, |answer| answer.code == 201).await?;
            let asked = self.bearing(Operation::new("get", "whoami", "GET", "/version"), name);
            pair.settle(&asked, |answer| answer.code == 200).await?;
        }
        Ok(())
    }

    async fn grant(
        &self,
        pair: &mut Pair,
        report: &mut Report,
        name: &str,
        rules: Vec<Value>,
        subject: &Value,
    ) -> Result<()> {
        let name = json!(format!("access-{}-{name}", self.number));
        let role = json!({"metadata": {"name": name}, "rules": rules});
        let reference = json!({"apiGroup": GROUP, "kind": "ClusterRole", "name": name});
        for (kind, plural, body) in [
            ("ClusterRole", "clusterroles", role),
            (
                "ClusterRoleBinding",
                "clusterrolebindings",
                binding(&name, &reference, subject),
            ),
        ] {
            let operation = Operation::new("create", kind, "POST", format!("{RBAC}/{plural}"));
            pair.step(&operation.body(JSON, body), report, |_| ())
                .await?;
        }
        Ok(())
    }

    /// A rule that one of the two ways of impersonation asks for.
    fn impersonation(&self, random: &mut Random) -> Value {
        let mode = random.pick(&["user-info", "user-info", "serviceaccount", "arbitrary-node"]);
        let resource = random.pick(&["users", "users", "groups", "serviceaccounts", "nodes"]);
        let mut rule = match random.below(6) {
            0 => json!({"verbs": ["impersonate"], "apiGroups": [""],
                        "resources": random.few(&["users", "groups", "serviceaccounts"])}),
            1 => json!({"verbs": ["impersonate", format!("impersonate:{mode}")],
                        "apiGroups": [AUTHENTICATION],
                        "resources": random.few(&["uids", "userextras/scopes", "userextras/*"])}),
            2 | 3 => json!({"verbs": [format!("impersonate:{mode}")],
                            "apiGroups": [AUTHENTICATION], "resources": [resource]}),
            _ => json!({"verbs": [format!("impersonate-on:{mode}:{}",
                                          random.pick(&["get", "list", "create", "*"]))],
                        "apiGroups": random.few(&["", AUTHORIZATION]),
                        "resources": random.few(&["pods", "configmaps", "*",
                                                  "selfsubjectaccessreviews"])}),
        };
        if random.percent(25) {
            rule["resourceNames"] = json!([self.user(random), "s1", "team"]);
        }
        rule
    }

    /// The request as one of the accounts.
    fn bearing(&self, operation: Operation, name: &str) -> Operation {
        let path = format!(
            "/api/v1/namespaces/{}/serviceaccounts/{name}/token",
            self.namespace
        );
        operation.header("authorization", format!("Bearer {}", token_of(&path)))
    }

    /// Somebody, perhaps as somebody else.
    fn as_somebody(&self, mut operation: Operation, random: &mut Random) -> Operation {
        if random.percent(85) {
            operation = self.bearing(operation, random.pick(&ACCOUNTS));
        }
        if random.percent(15) {
            return operation;
        }
        let named = match random.below(10) {
            0..5 => self.user(random),
            5 | 6 => self.account(random.pick(&ACCOUNTS)),
            7 => "system:node:n0".to_owned(),
            8 => random
                .pick(&[
                    "system:anonymous",
                    "system:serviceaccount:x",
                    "system:node:A",
                ])
                .to_owned(),
            _ => String::new(),
        };
        if !named.is_empty() {
            operation = operation.impersonate(named);
        }
        if random.percent(25) {
            for group in random.few(&["team", "system:masters", "a b", "system:authenticated"]) {
                operation = operation.header("impersonate-group", group);
            }
        }
        if random.percent(10) {
            operation = operation.header("impersonate-uid", random.pick(&["u1", "u2"]));
        }
        if random.percent(15) {
            let value = random.pick(&["view", "edit"]);
            operation = operation.header("impersonate-extra-scopes", value);
        }
        operation
    }

    fn request(&self, random: &mut Random) -> Operation {
        let root = format!("/api/v1/namespaces/{}", self.namespace);
        let operation = match random.below(6) {
            0 => Operation::new("list", "Pod", "GET", format!("{root}/pods")),
            1 => Operation::new("get", "ConfigMap", "GET", format!("{root}/configmaps/x")),
            2 => Operation::new("list", "ConfigMap", "GET", format!("{root}/configmaps")),
            3 => Operation::new("get", "Secret", "GET", format!("{root}/secrets/held")),
            4 => {
                let map = json!({"metadata": {"name": "x"}});
                Operation::new("create", "ConfigMap", "POST", format!("{root}/configmaps"))
                    .body(JSON, map)
                    .query(&["dryRun=All".to_owned()])
            }
            _ => return self.own_review(random),
        };
        self.as_somebody(operation, random)
    }

    fn attributes(&self, random: &mut Random) -> Map<String, Value> {
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| out.insert(key.to_owned(), value);
        put(
            "verb",
            random
                .pick(&["get", "list", "create", "*", "impersonate"])
                .into(),
        );
        put(
            "resource",
            random.pick(&["pods", "configmaps", "users", "*"]).into(),
        );
        if random.percent(40) {
            put("group", random.pick(&["", "apps", AUTHENTICATION]).into());
        }
        if random.percent(70) {
            put("namespace", self.namespace.clone().into());
        }
        if random.percent(30) {
            put("name", random.pick(&["x", "team"]).into());
        }
        if random.percent(15) {
            put("subresource", random.pick(&["status", "log"]).into());
        }
        if random.percent(10) {
            let raw = random.pick(&["a=1", "a=(", ""]);
            put("labelSelector", json!({ "rawSelector": raw }));
        }
        out
    }

    /// Questions about one's own rights, by whoever asks.
    fn own_review(&self, random: &mut Random) -> Operation {
        let group = |kind| match kind {
            "SelfSubjectReview" => AUTHENTICATION,
            _ => AUTHORIZATION,
        };
        let (kind, plural, spec) = match random.below(6) {
            0 | 1 => {
                let namespace = random.pick(&[self.namespace.as_str(), "default", ""]);
                let spec = json!({ "namespace": namespace });
                ("SelfSubjectRulesReview", "selfsubjectrulesreviews", spec)
            }
            2 => ("SelfSubjectReview", "selfsubjectreviews", Value::Null),
            _ => {
                let spec = self.question(random);
                ("SelfSubjectAccessReview", "selfsubjectaccessreviews", spec)
            }
        };
        let path = format!("/apis/{}/v1/{plural}", group(kind));
        let mut body = json!({"apiVersion": format!("{}/v1", group(kind)), "kind": kind});
        if !spec.is_null() {
            body["spec"] = spec;
        }
        let operation = Operation::new("review", kind, "POST", path).body(JSON, body);
        self.as_somebody(operation, random)
    }

    /// What a review asks; a few ask nonsense.
    fn question(&self, random: &mut Random) -> Value {
        let mut spec = json!({});
        let roll = random.below(20);
        if roll != 0 {
            if roll < 17 {
                spec["resourceAttributes"] = Value::Object(self.attributes(random));
            }
            if roll >= 16 {
                spec["nonResourceAttributes"] = json!({
                    "verb": random.pick(&["get", "post"]),
                    "path": random.pick(&["/version", "/healthz", "/metrics"]),
                });
            }
        }
        spec
    }

    /// Questions about others, by the administrator.
    fn review(&self, random: &mut Random) -> Operation {
        let mut spec = self.question(random);
        if random.percent(90) {
            spec["user"] = match random.below(3) {
                0 => self.account(random.pick(&ACCOUNTS)).into(),
                _ => self.user(random).into(),
            };
        }
        if random.percent(30) {
            spec["groups"] =
                json!(random.some(&["team", "system:masters", "system:authenticated"]));
        }
        if random.percent(10) {
            spec["extra"] = json!({"scopes": ["view"]});
        }
        if random.percent(10) {
            spec["uid"] = json!("u1");
        }
        let local = random.percent(30);
        let (kind, path) = if local {
            let path = format!("namespaces/{}/localsubjectaccessreviews", self.namespace);
            ("LocalSubjectAccessReview", path)
        } else {
            ("SubjectAccessReview", "subjectaccessreviews".to_owned())
        };
        let mut body = json!({"apiVersion": format!("{AUTHORIZATION}/v1"), "kind": kind});
        if local && random.percent(80) {
            body["metadata"] = json!({"namespace": self.namespace});
        }
        body["spec"] = spec;
        Operation::new(
            "review",
            kind,
            "POST",
            format!("/apis/{AUTHORIZATION}/v1/{path}"),
        )
        .body(JSON, body)
    }

    fn token_request(&self, random: &mut Random) -> Operation {
        let mut spec = json!({});
        if random.percent(60) {
            let seconds: [i64; 6] = [600, 3600, 599, 0, -1, 1 << 33];
            spec["expirationSeconds"] = json!(random.pick(&seconds));
        }
        if random.percent(40) {
            spec["audiences"] = json!(random.some(&["x", "https://kubernetes.default.svc"]));
        }
        if random.percent(40) {
            let (kind, version) = random.pick(&[
                ("Secret", "v1"),
                ("Secret", "v1"),
                ("Pod", "v1"),
                ("Node", "v1"),
                ("Deployment", "apps/v1"),
            ]);
            let mut reference = json!({"kind": kind, "apiVersion": version,
                                       "name": random.pick(&["held", "missing"])});
            if random.percent(30) {
                reference["uid"] = json!("00000000-0000-0000-0000-000000000001");
            }
            spec["boundObjectRef"] = reference;
        }
        let mut body = json!({ "spec": spec });
        if random.percent(20) {
            body["metadata"] = json!({"name": random.pick(&["s0", "s1"])});
        }
        // An account of its own, so that nobody's token changes.
        let name = random.pick(&["s2", "s2", "nobody"]);
        let path = format!(
            "/api/v1/namespaces/{}/serviceaccounts/{name}/token",
            self.namespace
        );
        Operation::new("token", "TokenRequest", "POST", path)
            .body(JSON, body)
            .query(&["dryRun=All".to_owned()])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_way_to_ask_is_asked() {
        let round = Round {
            number: 0,
            namespace: "n".to_owned(),
        };
        let mut random = Random::new(1);
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for _ in 0..2000 {
            let operation = match random.below(3) {
                0 => round.token_request(&mut random),
                1 => round.review(&mut random),
                _ => round.request(&mut random),
            };
            seen.insert(format!("kind {}", operation.kind));
            for (name, _) in &operation.headers {
                seen.insert(format!("header {name}"));
            }
            {
                let rule = round.impersonation(&mut random);
                let verb = rule["verbs"][0].as_str().unwrap_or_default();
                seen.insert(format!(
                    "verb {}",
                    verb.split(':').next().unwrap_or_default()
                ));
            }
        }
        for wanted in [
            "kind SelfSubjectAccessReview",
            "kind SelfSubjectRulesReview",
            "kind SelfSubjectReview",
            "kind SubjectAccessReview",
            "kind LocalSubjectAccessReview",
            "kind TokenRequest",
            "header authorization",
            "header impersonate-user",
            "header impersonate-group",
            "header impersonate-uid",
            "header impersonate-extra-scopes",
            "verb impersonate",
            "verb impersonate-on",
        ] {
            assert!(seen.contains(wanted), "{wanted}");
        }
    }
}
