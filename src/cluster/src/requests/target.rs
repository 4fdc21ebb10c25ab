//! What a request addresses.
//!
//! Group, kind, names and namespaces may come from a tenant's manifest; so each part is checked by
//! its own rule before it becomes part of a URL, and nothing of it can move the path elsewhere.

use std::fmt::Write as _;

use stageset_api::names;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::object::Reference;

/// An object, a collection or a group version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    group: String,
    version: String,
    plural: String,
    namespace: Option<String>,
    name: Option<String>,
    status: bool,
}

/// A part that can't stand in a URL. Nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} can't be the {part} of an object: {rule}")]
pub struct BadTarget {
    part: &'static str,
    found: String,
    rule: &'static str,
}

impl Target {
    /// A collection: `create` and `list` go there.
    pub fn collection(api_version: &str, plural: &str, namespace: Option<&str>) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group: group.into(),
            version: version.into(),
            plural: plural.into(),
            namespace: namespace.map(Into::into),
            name: None,
            status: false,
        }
    }

    /// An object of the target.
    pub fn object(reference: &Reference) -> Self {
        Self {
            group: reference.key.group.clone(),
            version: reference.version.clone(),
            plural: reference.plural.clone(),
            namespace: reference.key.namespace.clone(),
            name: Some(reference.key.name.clone()),
            status: false,
        }
    }

    /// A StageSet.
    pub fn stage_set(namespace: &str, name: &str) -> Self {
        Self::collection(
            names::API_VERSION,
            names::PLURAL_STAGE_SETS,
            Some(namespace),
        )
        .named(name)
    }

    /// The inventories of a namespace.
    pub fn inventories(namespace: &str) -> Self {
        Self::collection(
            names::API_VERSION,
            names::PLURAL_STAGE_INVENTORIES,
            Some(namespace),
        )
    }

    /// The ledgers of a namespace.
    pub fn ledgers(namespace: &str) -> Self {
        Self::collection(
            names::API_VERSION,
            names::PLURAL_STAGE_LEDGERS,
            Some(namespace),
        )
    }

    /// The collection that an object of the target belongs to.
    pub fn collection_of(reference: &Reference) -> Self {
        Self {
            name: None,
            ..Self::object(reference)
        }
    }

    /// The object of this name in the collection.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Its status.
    #[must_use]
    pub fn status(mut self) -> Self {
        self.status = true;
        self
    }

    pub(super) fn group_version(group: &str, version: &str) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            plural: String::new(),
            namespace: None,
            name: None,
            status: false,
        }
    }

    pub(super) fn group(group: &str) -> Self {
        Self::group_version(group, "")
    }

    /// Whether server messages about it could hold Secret values (A21).
    pub(super) fn is_secret(&self) -> bool {
        self.group.is_empty() && self.plural == "secrets"
    }

    /// Whether the failure says that this very object doesn't exist.
    pub(crate) fn is_missing_itself(&self, failure: &Failure) -> bool {
        match &failure.class {
            FailureClass::Missing { resource, name } => {
                *resource == self.plural && Some(name) == self.name.as_ref()
            }
            _ => false,
        }
    }

    /// The URL's path.
    ///
    /// # Errors
    /// [`BadTarget`] for a part that breaks its rule.
    pub fn path(&self) -> Result<String, BadTarget> {
        let mut path = String::from(if self.group.is_empty() {
            "/api"
        } else {
            "/apis"
        });
        let mut part = |part, text: &str, rule: Rule| -> Result<(), BadTarget> {
            if !(rule.holds)(text) {
                let found = super::clean(text);
                return Err(BadTarget {
                    part,
                    found,
                    rule: rule.text,
                });
            }
            path.push('/');
            path.push_str(&encoded(text));
            Ok(())
        };
        if !self.group.is_empty() {
            part("API group", &self.group, GROUP)?;
        }
        // Without one it is the group itself.
        let group_only = self.version.is_empty() && self.plural.is_empty();
        if !group_only || self.group.is_empty() {
            part("API version", &self.version, LABEL)?;
        }
        if let Some(namespace) = &self.namespace {
            part("kind", "namespaces", LABEL)?;
            part("namespace", namespace, LABEL)?;
        }
        if !self.plural.is_empty() {
            part("resource name", &self.plural, GROUP)?;
        }
        if let Some(name) = &self.name {
            part("name", name, NAME)?;
        }
        if self.status {
            path.push_str("/status");
        }
        Ok(path)
    }
}

#[derive(Clone, Copy)]
struct Rule {
    holds: fn(&str) -> bool,
    text: &'static str,
}

const LABEL: Rule = Rule {
    holds: |text| text.len() <= 63 && is_subdomain(text) && !text.contains('.'),
    text: "lower-case letters, digits and '-', at most 63 characters",
};
const GROUP: Rule = Rule {
    holds: |text| text.len() <= 253 && is_subdomain(text),
    text: "lower-case letters, digits, '-' and '.', at most 253 characters",
};
/// What Kubernetes itself asks of every name; kinds are stricter each in their own way.
const NAME: Rule = Rule {
    holds: |text| {
        !text.is_empty()
            && text.len() <= 253
            && text != "."
            && text != ".."
            && !text.contains(['/', '%'])
            && !text.chars().any(char::is_control)
    },
    text: "1 to 253 characters, not '.' or '..', without '/', '%' and control characters",
};

fn is_subdomain(text: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.split('.').all(|part| {
        let bytes = part.as_bytes();
        matches!((bytes.first(), bytes.last()), (Some(&f), Some(&l)) if edge(f) && edge(l))
            && bytes.iter().all(|&b| edge(b) || b == b'-')
    })
}

/// Percent-encodes everything but letters, digits and `-._~`.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let inventory = Target::inventories("shop").named("a-b-00-0123456789");
        for (target, path) in [
            (
                Target::stage_set("shop", "web").status(),
                "/apis/stages.metio.wtf/v1/namespaces/shop/stagesets/web/status",
            ),
            (
                inventory,
                "/apis/stages.metio.wtf/v1/namespaces/shop/stageinventories/a-b-00-0123456789",
            ),
            (
                Target::collection("v1", "namespaces", None).named("shop"),
                "/api/v1/namespaces/shop",
            ),
            (
                Target::collection("rbac.authorization.k8s.io/v1", "clusterroles", None)
                    .named("system:node"),
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
            ),
            (Target::group_version("", "v1"), "/api/v1"),
            (Target::group_version("apps", "v1"), "/apis/apps/v1"),
            (Target::group("apps"), "/apis/apps"),
        ] {
            assert_eq!(target.path().as_deref(), Ok(path));
        }
    }

    #[test]
    fn nothing_that_a_tenant_writes_moves_a_path() {
        let good = Target::collection("apps/v1", "deployments", Some("shop")).named("web");
        let bad = [
            "",
            ".",
            "..",
            "../secrets/x",
            "a/b",
            "a%2fb",
            "a\r\nb",
            "\0",
            "a/../../x",
        ];
        for text in bad {
            let with = |change: fn(&mut Target, String)| {
                let mut target = good.clone();
                change(&mut target, text.to_owned());
                target.path()
            };
            assert!(
                with(|target, text| target.name = Some(text)).is_err(),
                "{text:?}"
            );
            assert!(
                with(|target, text| target.namespace = Some(text)).is_err(),
                "{text:?}"
            );
            assert!(
                with(|target, text| target.version = text).is_err(),
                "{text:?}"
            );
            if !text.is_empty() {
                // Empty: the core group, and a group version of its own.
                assert!(
                    with(|target, text| target.group = text).is_err(),
                    "{text:?}"
                );
                assert!(
                    with(|target, text| target.plural = text).is_err(),
                    "{text:?}"
                );
            }
        }
        let query = Target::collection("v1", "pods", Some("shop")).named("web?dryRun=All#x");
        assert_eq!(
            query.path().as_deref(),
            Ok("/api/v1/namespaces/shop/pods/web%3FdryRun%3DAll%23x")
        );
    }
}
