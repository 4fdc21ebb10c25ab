//! From method and path to what is asked for: the attributes that authorization, audit and the
//! verbs work on, as kube-apiserver's request info resolver finds them.

use http::Method;

use crate::selector;

/// Query parameters, decoded, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        let pairs = query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(key), decode(value))
            })
            .collect();
        Self(pairs)
    }

    /// The first value of a parameter, if it isn't empty.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
            .filter(|v| !v.is_empty())
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, key: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
            .collect()
    }

    /// A boolean parameter as Kubernetes reads it: present and neither `false` nor `0`.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.0
            .iter()
            .find(|(k, _)| k == key)
            .is_some_and(|(_, v)| v != "false" && v != "0")
    }
}

/// Percent-decoding, with `+` as a space.
fn decode(text: &str) -> String {
    unescape(&text.replace('+', " "))
}

/// Percent-decoding as paths and header names have it.
pub(crate) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = bytes
            .get(i + 1..i + 3)
            .filter(|_| bytes[i] == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let (byte, length) = hex.map_or((bytes[i], 1), |byte| (byte, 3));
        out.push(byte);
        i += length;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What a request asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestInfo {
    /// False for `/version`, `/healthz`, discovery and everything else outside resources.
    pub(crate) is_resource: bool,
    pub(crate) path: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, or the
    /// lower-case method outside resources.
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) name: String,
    /// The name stood in the path (not only in a field selector).
    pub(crate) named: bool,
    /// More path segments than a subresource has.
    pub(crate) rest: Vec<String>,
    pub(crate) query: Query,
}

const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

impl RequestInfo {
    pub(crate) fn parse(method: &Method, path: &str, query: Option<&str>) -> Self {
        let query = Query::parse(query);
        let mut info = Self {
            path: path.to_owned(),
            verb: method.as_str().to_ascii_lowercase(),
            query,
            ..Self::default()
        };
        let parts: Vec<String> = path
            .split('/')
            .filter(|p| !p.is_empty())
            .map(unescape)
            .collect();
        let rest = match parts.first().map(String::as_str) {
            Some("api") if parts.len() >= 3 => {
                info.version.clone_from(&parts[1]);
                &parts[2..]
            }
            Some("apis") if parts.len() >= 4 => {
                info.group.clone_from(&parts[1]);
                info.version.clone_from(&parts[2]);
                &parts[3..]
            }
            _ => return info,
        };
        info.is_resource = true;
        let rest = if rest[0] == "watch" && rest.len() > 1 {
            &rest[1..]
        } else {
            rest
        };
        let rest = if rest[0] == "namespaces" && rest.len() > 1 {
            info.namespace.clone_from(&rest[1]);
            // The namespace itself, or something in it.
            if rest.len() > 2 && !NAMESPACE_SUBRESOURCES.contains(&rest[2].as_str()) {
                &rest[2..]
            } else {
                rest
            }
        } else {
            rest
        };
        info.resource.clone_from(&rest[0]);
        if let Some(name) = rest.get(1) {
            info.name.clone_from(name);
            info.named = true;
        }
        if let Some(subresource) = rest.get(2) {
            info.subresource.clone_from(subresource);
        }
        info.rest = rest.iter().skip(3).cloned().collect();
        info.verb = info.resource_verb(method, parts.iter().any(|p| p == "watch"));
        if !info.named && matches!(info.verb.as_str(), "list" | "watch" | "deletecollection") {
            let by_name = info
                .query
                .get("fieldSelector")
                .and_then(selector::single_name);
            info.name = by_name.unwrap_or_default();
        }
        info
    }

    fn resource_verb(&self, method: &Method, watch_path: bool) -> String {
        let verb = match *method {
            Method::POST => "create",
            Method::GET | Method::HEAD => {
                if self.named {
                    "get"
                } else if self.query.flag("watch") || watch_path {
                    "watch"
                } else {
                    "list"
                }
            }
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if self.named => "delete",
            Method::DELETE => "deletecollection",
            _ => "",
        };
        verb.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(method: &Method, uri: &str) -> RequestInfo {
        let uri: http::Uri = uri.parse().unwrap();
        RequestInfo::parse(method, uri.path(), uri.query())
    }

    #[test]
    fn finds_what_a_path_names() {
        let i = info(
            &Method::PATCH,
            "/apis/apps/v1/namespaces/a/deployments/b/status?&force=true",
        );
        assert_eq!(
            (
                i.verb.as_str(),
                i.group.as_str(),
                i.namespace.as_str(),
                i.resource.as_str()
            ),
            ("patch", "apps", "a", "deployments")
        );
        assert_eq!((i.name.as_str(), i.subresource.as_str()), ("b", "status"));
        assert!(i.query.flag("force"));
        let i = info(&Method::GET, "/api/v1/namespaces/a");
        assert_eq!(
            (i.resource.as_str(), i.name.as_str(), i.namespace.as_str()),
            ("namespaces", "a", "a")
        );
        let i = info(&Method::DELETE, "/api/v1/namespaces/a/pods");
        assert_eq!(
            (i.verb.as_str(), i.resource.as_str()),
            ("deletecollection", "pods")
        );
        let i = info(
            &Method::GET,
            "/api/v1/pods?watch=1&fieldSelector=metadata.name%3Dx",
        );
        assert_eq!((i.verb.as_str(), i.name.as_str()), ("watch", "x"));
        assert!(!info(&Method::GET, "/apis/apps/v1").is_resource);
    }
}
