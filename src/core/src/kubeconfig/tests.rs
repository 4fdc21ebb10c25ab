//! Each wrong kubeconfig has its own sentence, none of them quotes it, and nothing gets past.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const CANARY: &str = "canary5e7";

fn base64(text: &str) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}

fn pem(label: &str) -> String {
    base64(&format!(
        "-----BEGIN {label}-----\n{CANARY}\n-----END {label}-----\n"
    ))
}

fn config(cluster: Value, user: Value) -> Value {
    let mut base = json!({ "server": format!("https://{CANARY}.example:6443") });
    merge(&mut base, cluster);
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": CANARY,
        "contexts": [{ "name": CANARY, "context": { "cluster": CANARY, "user": CANARY } }],
        "clusters": [{ "name": CANARY, "cluster": base }],
        "users": [{ "name": CANARY, "user": user }],
    })
}

fn merge(base: &mut Value, fields: Value) {
    let (Some(base), Value::Object(fields)) = (base.as_object_mut(), fields) else {
        panic!("objects");
    };
    base.extend(fields);
}

fn with_token() -> Value {
    config(json!({}), json!({ "token": CANARY }))
}

fn read(document: &Value) -> Result<Kubeconfig, KubeconfigProblem> {
    parse(document, Allowed::default())
}

/// A good one with one thing changed, and what the sentence must name.
fn wrong() -> Vec<(Value, KubeconfigProblem, &'static str)> {
    use KubeconfigProblem as P;
    let cluster = |fields| config(fields, json!({ "token": CANARY }));
    let user = |fields: Value| {
        let mut user = json!({ "token": CANARY });
        merge(&mut user, fields);
        config(json!({}), user)
    };
    let only = |fields| config(json!({}), fields);
    let whole = |change: fn(&mut Value)| {
        let mut config = with_token();
        change(&mut config);
        config
    };
    let file = |field, instead| P::File { field, instead };
    vec![
        (json!(null), P::NotAKubeconfig, "isn't a kubeconfig"),
        (json!("text"), P::NotAKubeconfig, "isn't a kubeconfig"),
        (
            json!([with_token()]),
            P::NotAKubeconfig,
            "isn't a kubeconfig",
        ),
        (
            whole(|c| c["kind"] = "Secret".into()),
            P::NotAKubeconfig,
            "kind Config",
        ),
        (json!({}), P::NoContext, "no context"),
        (
            whole(|c| c["contexts"] = json!([])),
            P::NoContext,
            "no context",
        ),
        (
            whole(|c| {
                c["current-context"] = "".into();
                let again = c["contexts"][0].clone();
                c["contexts"].as_array_mut().unwrap().push(again);
            }),
            P::NoCurrentContext,
            "several contexts",
        ),
        (
            whole(|c| c["current-context"] = "other".into()),
            P::UnknownContext,
            "current-context",
        ),
        (
            whole(|c| c["contexts"][0]["context"]["user"] = "other".into()),
            P::UnknownUser,
            "user that isn't there",
        ),
        (
            whole(|c| c["contexts"][0]["context"]["cluster"] = "other".into()),
            P::UnknownCluster,
            "cluster that isn't there",
        ),
        (
            whole(|c| {
                let again = c["users"][0].clone();
                c["users"].as_array_mut().unwrap().push(again);
            }),
            P::Ambiguous("users"),
            "several users",
        ),
        (
            whole(|c| c["users"] = "x".into()),
            P::Shape("users"),
            "users",
        ),
        (cluster(json!({ "server": "" })), P::NoServer, "no server"),
        (
            cluster(json!({ "server": 5 })),
            P::Shape("server"),
            "server",
        ),
        (cluster(json!({ "server": "http://a" })), P::Server, "https"),
        (
            cluster(json!({ "server": "https://u:p@a" })),
            P::Server,
            "https",
        ),
        (
            cluster(json!({ "server": "https://a?x" })),
            P::Server,
            "https",
        ),
        (
            cluster(json!({ "server": "https://a/../b" })),
            P::Server,
            "https",
        ),
        (
            cluster(json!({ "server": "https://a:0" })),
            P::Server,
            "https",
        ),
        (
            cluster(json!({ "server": "https://a b" })),
            P::Server,
            "https",
        ),
        (cluster(json!({ "server": "https://" })), P::Server, "https"),
        (
            cluster(json!({ "server": format!("https://{}.example", "a".repeat(64)) })),
            P::Server,
            "whose host is an address or a DNS name",
        ),
        (
            cluster(json!({ "server": "https://a..example" })),
            P::Server,
            "DNS name",
        ),
        (
            cluster(json!({ "server": "https://-a.example" })),
            P::Server,
            "DNS name",
        ),
        (
            cluster(json!({ "server": "https://a-" })),
            P::Server,
            "DNS name",
        ),
        (
            cluster(json!({ "server": "https://a\r\nb" })),
            P::Server,
            "https",
        ),
        (
            cluster(json!({ "insecure-skip-tls-verify": true })),
            P::Insecure,
            "insecure-skip-tls-verify",
        ),
        (
            cluster(json!({ "insecure-skip-tls-verify": "true" })),
            P::Shape("insecure-skip-tls-verify"),
            "insecure-skip-tls-verify",
        ),
        (
            cluster(json!({ "proxy-url": "http://p" })),
            P::Proxy,
            "proxy-url",
        ),
        (
            cluster(json!({ "certificate-authority": "/etc/ca" })),
            file("certificate-authority", "certificate-authority-data"),
            "certificate-authority names a file",
        ),
        (
            cluster(json!({ "certificate-authority-data": "?" })),
            P::Base64("certificate-authority-data"),
            "base64",
        ),
        (
            cluster(json!({ "certificate-authority-data": base64("x") })),
            P::Pem("certificate-authority-data"),
            "PEM",
        ),
        (
            cluster(json!({ "tls-server-name": "a b" })),
            P::Shape("tls-server-name"),
            "tls-server-name",
        ),
        (
            cluster(json!({ "something-new": "x" })),
            P::UnknownField("the cluster"),
            "isn't known",
        ),
        (
            user(json!({ "exec": { "command": "sh" } })),
            P::Exec,
            "exec",
        ),
        (
            user(json!({ "auth-provider": { "name": "gcp" } })),
            P::AuthProvider,
            "auth-provider",
        ),
        (
            user(json!({ "as": "admin" })),
            P::Impersonates("as"),
            "has as",
        ),
        (
            user(json!({ "as-uid": "1" })),
            P::Impersonates("as-uid"),
            "as-uid",
        ),
        (
            user(json!({ "as-groups": ["system:masters"] })),
            P::Impersonates("as-groups"),
            "as-groups",
        ),
        (
            user(json!({ "as-user-extra": { "a": ["b"] } })),
            P::Impersonates("as-user-extra"),
            "as-user-extra",
        ),
        (
            user(json!({ "tokenFile": "/var/run/secrets/token" })),
            file("tokenFile", "token"),
            "tokenFile names a file",
        ),
        (
            user(json!({ "client-certificate": "/a" })),
            file("client-certificate", "client-certificate-data"),
            "client-certificate names a file",
        ),
        (
            user(json!({ "client-key": "/a" })),
            file("client-key", "client-key-data"),
            "client-key names a file",
        ),
        (
            user(json!({ "colour": "x" })),
            P::UnknownField("the user"),
            "isn't known",
        ),
        (only(json!({})), P::NoCredential, "no credentials"),
        (
            only(json!({ "client-certificate-data": pem("CERTIFICATE") })),
            P::Half {
                has: "client-certificate-data",
                lacks: "client-key-data",
            },
            "without client-key-data",
        ),
        (
            only(json!({ "username": CANARY })),
            P::Half {
                has: "username",
                lacks: "password",
            },
            "without password",
        ),
        (
            user(json!({ "username": CANARY, "password": CANARY })),
            P::SeveralCredentials,
            "more than one kind",
        ),
        (
            only(json!({ "token": "a\nb" })),
            P::Characters("token"),
            "header",
        ),
    ]
}

#[test]
fn attack_a17_each_wrong_kubeconfig_has_its_own_sentence() {
    for (document, problem, named) in wrong() {
        let found = read(&document).expect_err(named);
        assert_eq!(found, problem, "{document}");
        let said = found.to_string();
        assert!(said.contains(named), "{said:?} doesn't say {named:?}");
        assert!(!said.contains(CANARY), "{said}");
    }
}

#[test]
fn the_sentences_are_told_apart() {
    let mut said: Vec<(String, KubeconfigProblem)> = wrong()
        .into_iter()
        .map(|(_, problem, _)| (problem.to_string(), problem))
        .collect();
    said.sort();
    said.dedup();
    let problems = said.len();
    said.dedup_by(|a, b| a.0 == b.0);
    assert_eq!(said.len(), problems);
}

#[test]
fn self_contained_ones_are_read_with_each_credential() {
    let token = read(&with_token()).unwrap();
    assert_eq!(token.server(), "https://canary5e7.example:6443");
    assert_eq!(*token.credential(), Credential::Token(CANARY.into()));
    let both = json!({
        "client-certificate-data": pem("CERTIFICATE"), "client-key-data": pem("EC PRIVATE KEY"),
    });
    let ca = json!({ "certificate-authority-data": pem("CERTIFICATE"), "tls-server-name": "kubernetes" });
    let certificate = read(&config(ca, both)).unwrap();
    assert!(matches!(
        certificate.credential(),
        Credential::Certificate { .. }
    ));
    assert_eq!(certificate.server_name(), Some("kubernetes"));
    assert!(certificate.authority().is_some());
    let basic = json!({ "username": "u", "password": "p" });
    let basic = read(&config(json!({}), basic)).unwrap();
    assert!(matches!(basic.credential(), Credential::Basic { .. }));
    // What kubectl and others write although it says nothing.
    let empty = json!({ "exec": null, "tokenFile": "", "as-groups": [], "token": "t" });
    assert!(read(&config(json!({ "proxy-url": "", "extensions": [] }), empty)).is_ok());
}

#[test]
fn one_context_needs_no_current_one_and_others_have_no_effect() {
    let mut config = with_token();
    config["current-context"] = "".into();
    assert!(read(&config).is_ok());
    config["current-context"] = CANARY.into();
    let alone = read(&config).unwrap();
    for (list, other) in [
        (
            "users",
            json!({ "name": "b", "user": { "exec": { "command": "sh" } } }),
        ),
        (
            "clusters",
            json!({ "name": "b", "cluster": { "proxy-url": "http://p" } }),
        ),
        (
            "contexts",
            json!({ "name": "b", "context": { "cluster": "b", "user": "b" } }),
        ),
    ] {
        config[list].as_array_mut().unwrap().push(other);
    }
    assert!(read(&config).unwrap() == alone);
}

#[test]
fn unchecked_certificates_are_an_operators_to_allow() {
    let config = config(
        json!({ "insecure-skip-tls-verify": true }),
        json!({ "token": "t" }),
    );
    assert!(
        parse(&config, Allowed { insecure: true })
            .unwrap()
            .insecure()
    );
}

#[test]
fn a_cluster_is_its_address_and_ca_and_not_its_credential() {
    let with = |cluster: Value, token: &str| {
        read(&config(cluster, json!({ "token": token })))
            .unwrap()
            .cluster()
    };
    let ca = json!({ "certificate-authority-data": pem("CERTIFICATE") });
    assert_eq!(with(ca.clone(), "a"), with(ca.clone(), "b"));
    assert_ne!(with(ca, "a"), with(json!({}), "a"));
    let at = |server: &str| with(json!({ "server": server }), "a");
    assert_eq!(at("https://A.example"), at("https://a.example/"));
    assert_ne!(at("https://a.example"), at("https://a.example:6444"));
    assert!(at("https://a").starts_with("sha256:") && at("https://a").len() == 71);
}

#[test]
fn nothing_of_it_is_printed() {
    let config = read(&with_token()).unwrap();
    assert!(!format!("{config:?} {:?}", config.credential()).contains(CANARY));
    assert!(config.secrets().iter().any(|secret| secret == CANARY));
}

/// Whatever stands in a kubeconfig.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z:/.@?#\\r\\n -]{0,12}".prop_map(Value::from),
        Just(Value::from("https://a.example")),
        Just(Value::from(pem("CERTIFICATE"))),
        Just(Value::from(pem("PRIVATE KEY"))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(field(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn field() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "server",
        "certificate-authority",
        "certificate-authority-data",
        "proxy-url",
        "insecure-skip-tls-verify",
        "tls-server-name",
        "token",
        "tokenFile",
        "client-certificate",
        "client-certificate-data",
        "client-key",
        "client-key-data",
        "username",
        "password",
        "exec",
        "auth-provider",
        "as",
        "as-uid",
        "as-groups",
        "as-user-extra",
        "name",
        "user",
        "cluster",
        "context",
        "contexts",
        "users",
        "clusters",
        "current-context",
        "extensions",
        "unheard-of",
    ])
    .prop_map(str::to_owned)
}

/// Fields that never have an effect other than a refusal.
const POWERS: [&str; 11] = [
    "certificate-authority",
    "proxy-url",
    "tokenFile",
    "client-certificate",
    "client-key",
    "exec",
    "auth-provider",
    "as",
    "as-uid",
    "as-groups",
    "as-user-extra",
];

proptest! {
    /// What is accepted asks for no power: of cluster and user, only harmless fields say anything.
    #[test]
    fn attack_a17_nothing_that_is_accepted_asks_for_more(
        cluster in prop::collection::btree_map(field(), anything(), 0..4),
        user in prop::collection::btree_map(field(), anything(), 0..4),
    ) {
        let object = |map: std::collections::BTreeMap<String, Value>| Value::Object(map.into_iter().collect());
        let mut with_token = json!({ "token": "t" });
        merge(&mut with_token, object(user));
        let document = config(object(cluster), with_token);
        if let Ok(read) = read(&document) {
            prop_assert!(read.server().starts_with("https://"));
            prop_assert!(!read.insecure());
            for part in [&document["clusters"][0]["cluster"], &document["users"][0]["user"]] {
                for (field, value) in part.as_object().unwrap() {
                    let says = !matches!(value, Value::Null)
                        && value != "" && *value != json!([]) && *value != json!({});
                    prop_assert!(!(says && POWERS.contains(&field.as_str())), "{field}: {value}");
                    prop_assert!(!(says && field == "unheard-of"));
                }
            }
        }
    }

    /// Whatever the document is: an answer, and nothing of it in the answer.
    #[test]
    fn whatever_stands_there_gets_an_answer(document in anything()) {
        if let Err(problem) = read(&document) {
            prop_assert!(!problem.to_string().is_empty());
        }
    }
}
