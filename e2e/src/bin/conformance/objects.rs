//! Random objects of six kinds, small enough that their fields collide all the time.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// The group of the custom resource.
const GROUP: &str = "conformance.example.com";

/// The kinds that the generator writes.
pub(crate) const KINDS: [Kind; 6] = [
    Kind::ConfigMap,
    Kind::Service,
    Kind::Deployment,
    Kind::Widget,
    Kind::Secret,
    Kind::Role,
];

/// A kind that the generator writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    ConfigMap,
    Service,
    Deployment,
    Widget,
    Secret,
    Role,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::Deployment => "Deployment",
            Self::Widget => "Widget",
            Self::Secret => "Secret",
            Self::Role => "Role",
        }
    }

    fn api_version(self) -> String {
        match self {
            Self::ConfigMap | Self::Service | Self::Secret => "v1".to_owned(),
            Self::Deployment => "apps/v1".to_owned(),
            Self::Widget => format!("{GROUP}/v1"),
            Self::Role => "rbac.authorization.k8s.io/v1".to_owned(),
        }
    }

    /// The path of the collection in a namespace.
    pub(crate) fn collection(self, namespace: &str) -> String {
        let version = self.api_version();
        let root = if version == "v1" { "/api" } else { "/apis" };
        let plural = format!("{}s", self.name().to_lowercase());
        format!("{root}/{version}/namespaces/{namespace}/{plural}")
    }

    /// An object of that kind. A tenth has nothing but its metadata.
    pub(crate) fn object(self, name: &str, random: &mut Random) -> Value {
        let mut object = json!({
            "apiVersion": self.api_version(),
            "kind": self.name(),
            "metadata": metadata(name, random),
        });
        if random.percent(10) {
            return object;
        }
        match self {
            Self::ConfigMap => object["data"] = texts(&["x", "y", "z", "w"], random),
            Self::Service => object["spec"] = service(random),
            Self::Deployment => object["spec"] = deployment(random),
            Self::Widget => object["spec"] = widget(random),
            Self::Secret => {
                let values = random.some(&["x", "y", "z"]);
                object["data"] = map(values, |_| json!(random.pick(&["MQ==", "Mg=="])));
                if random.percent(20) {
                    object["stringData"] = texts(&["x", "s"], random);
                }
            }
            // Never an empty list, which is an open divergence: see known.txt.
            Self::Role => object["rules"] = (0..=random.below(2)).map(|_| rule(random)).collect(),
        }
        object
    }
}

/// The definition of the custom resource: every kind of list and map that apply knows.
pub(crate) fn definition() -> Value {
    let text = json!({"type": "string"});
    let part = json!({"type": "object", "required": ["name"], "properties": {
        "name": text, "p": {"type": "string", "default": "TCP"}, "n": {"type": "integer"},
        "o": {"type": "object", "properties": {"q": text}},
    }});
    let spec = json!({"type": "object", "properties": {
        "size": {"type": "integer", "maximum": 3},
        "color": {"type": "string", "default": "red"},
        "any": {"x-kubernetes-preserve-unknown-fields": true},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": text},
        "plain": {"type": "array", "items": text},
        "atom": {"type": "object", "x-kubernetes-map-type": "atomic",
                 "properties": {"a": text, "b": text}},
        "m": {"type": "object", "additionalProperties":
              {"type": "object", "properties": {"x": text, "y": text}}},
        "parts": {"type": "array", "x-kubernetes-list-type": "map",
                  "x-kubernetes-list-map-keys": ["name", "p"], "items": part},
    }});
    let status = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{GROUP}")},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": spec, "status": status,
                }}},
            }],
        },
    })
}

fn metadata(name: &str, random: &mut Random) -> Value {
    let mut meta = json!({ "name": name });
    if random.percent(40) {
        meta["labels"] = texts(&["a", "b", "c"], random);
    }
    if random.percent(30) {
        meta["annotations"] = texts(&["a", "b", "c"], random);
    }
    meta
}

fn texts(keys: &[&'static str], random: &mut Random) -> Value {
    let keys = random.some(keys);
    map(keys, |_| json!(random.pick(&["1", "2", "3"])))
}

fn map(keys: Vec<&'static str>, mut value: impl FnMut(&str) -> Value) -> Value {
    let fields: Map<String, Value> = keys
        .into_iter()
        .map(|key| (key.to_owned(), value(key)))
        .collect();
    Value::Object(fields)
}

fn service(random: &mut Random) -> Value {
    let mut spec = json!({});
    if random.percent(60) {
        spec["selector"] = texts(&["a", "b"], random);
    }
    if random.percent(80) {
        let ports = [
            (80, Some("TCP")),
            (80, Some("UDP")),
            (81, Some("TCP")),
            (82, None),
        ];
        let mut out = Vec::new();
        for (port, protocol) in random.some(&ports) {
            let name = format!("p{port}{}", protocol.unwrap_or("TCP").to_lowercase());
            let mut entry = json!({"port": port, "name": name});
            if let Some(protocol) = protocol {
                entry["protocol"] = json!(protocol);
            }
            if random.percent(40) {
                let target = [json!(8080), json!(8081), json!("http")];
                entry["targetPort"] = target[random.below(target.len())].clone();
            }
            out.push(entry);
        }
        spec["ports"] = out.into();
    }
    if random.percent(20) {
        spec["sessionAffinity"] = json!(random.pick(&["None", "ClientIP"]));
    }
    spec
}

fn deployment(random: &mut Random) -> Value {
    let mut containers = Vec::new();
    for name in random.some(&["a", "b", "c"]) {
        let mut entry = json!({ "name": name });
        if random.percent(70) {
            entry["image"] = json!(random.pick(&["i:1", "i:2"]));
        }
        if random.percent(40) {
            let names = random.some(&["E", "F"]);
            let value = random.pick(&["1", "2"]);
            entry["env"] = names
                .iter()
                .map(|name| json!({"name": name, "value": value}))
                .collect();
        }
        if random.percent(30) {
            entry["args"] = json!(random.some(&["x", "y"]));
        }
        if random.percent(30) {
            let ports = random.some(&[80, 81]);
            entry["ports"] = ports.iter().map(|p| json!({"containerPort": p})).collect();
        }
        if random.percent(30) {
            let limits = random.some(&["cpu", "memory"]);
            let limits = map(limits, |_| json!(random.pick(&["1", "2"])));
            entry["resources"] = json!({ "limits": limits });
        }
        containers.push(entry);
    }
    let mut spec = json!({"template": {"spec": {"containers": containers}}});
    if random.percent(90) {
        spec["selector"] = json!({"matchLabels": {"a": "b"}});
        spec["template"]["metadata"] = json!({"labels": {"a": "b"}});
    }
    if random.percent(30) {
        spec["replicas"] = json!(random.pick(&[1, 2, 3]));
    }
    let pod = &mut spec["template"]["spec"];
    if random.percent(20) {
        pod["nodeSelector"] = json!({"k": random.pick(&["1", "2"])});
    }
    if random.percent(20) {
        pod["tolerations"] = json!([{"key": random.pick(&["1", "2"]), "operator": "Exists"}]);
    }
    if random.percent(20) {
        let volumes = random.some(&["v", "w"]);
        pod["volumes"] = volumes
            .iter()
            .map(|name| json!({"name": name, "emptyDir": {}}))
            .collect();
    }
    spec
}

fn widget(random: &mut Random) -> Value {
    let mut spec = json!({});
    if random.percent(40) {
        spec["size"] = json!(random.pick(&[1, 2, 3, 3, 2, 4]));
    }
    if random.percent(30) {
        spec["color"] = json!(random.pick(&["red", "blue"]));
    }
    if random.percent(30) {
        let any = [
            json!({"a": 1, "l": [1, {"b": 2}]}),
            json!({"a": 2, "c": {"d": 1}}),
            json!(5),
            json!([1, 2]),
            json!({}),
        ];
        spec["any"] = any[random.below(any.len())].clone();
    }
    if random.percent(50) {
        spec["tags"] = json!(random.some(&["a", "b", "c"]));
    }
    if random.percent(30) {
        spec["plain"] = json!(random.some(&["a", "b", "c"]));
    }
    if random.percent(30) {
        spec["atom"] = texts(&["a", "b"], random);
    }
    if random.percent(40) {
        let keys = random.some(&["k", "l"]);
        spec["m"] = map(keys, |_| texts(&["x", "y"], random));
    }
    if random.percent(60) {
        let keys = [
            ("a", None),
            ("a", Some("UDP")),
            ("b", None),
            ("c", Some("TCP")),
        ];
        let mut parts = Vec::new();
        for (name, protocol) in random.some(&keys) {
            let mut part = json!({ "name": name });
            if let Some(protocol) = protocol {
                part["p"] = json!(protocol);
            }
            if random.percent(50) {
                part["n"] = json!(random.pick(&[1, 2]));
            }
            if random.percent(30) {
                part["o"] = texts(&["q"], random);
            }
            parts.push(part);
        }
        spec["parts"] = parts.into();
    }
    spec
}

/// A rule of RBAC about resources.
pub(crate) fn rule(random: &mut Random) -> Value {
    let resources = [
        "pods",
        "pods/log",
        "deployments",
        "deployments/status",
        "*/status",
        "*",
        "jobs",
        "secrets",
    ];
    let mut rule = json!({
        "verbs": random.few(&["get", "list", "create", "patch", "*", "delete"]),
        "apiGroups": random.few(&["", "apps", "batch", "*"]),
        "resources": random.few(&resources),
    });
    if random.percent(30) {
        rule["resourceNames"] = json!(random.few(&["x", "y"]));
    }
    rule
}
