//! Validated names: a value of one of these types has passed the rule its type stands for, so
//! nothing that reaches a URL, a header or a label has to be checked again. The text is shared: names
//! are part of every identity, and identities are handed around by the thousand.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// Longest DNS-1123 subdomain, from the Kubernetes object-name rules.
const SUBDOMAIN_MAX: usize = 253;
/// Longest DNS-1123 label, and longest label value.
const LABEL_MAX: usize = 63;

/// Why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a valid {what}: {rule}")]
pub struct InvalidName {
    what: &'static str,
    found: String,
    rule: &'static str,
}

impl InvalidName {
    /// What the text should have been, e.g. `stage name`.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// The rule that it breaks, in words.
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

fn is_label(text: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(&f), Some(&l)) if edge(f) && edge(l))
        && bytes.len() <= LABEL_MAX
        && bytes.iter().all(|&b| edge(b) || b == b'-')
}

fn is_subdomain(text: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    !text.is_empty()
        && text.len() <= SUBDOMAIN_MAX
        && text.split('.').all(|part| {
            let bytes = part.as_bytes();
            matches!((bytes.first(), bytes.last()), (Some(&f), Some(&l)) if edge(f) && edge(l))
                && bytes.iter().all(|&b| edge(b) || b == b'-')
        })
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $check:ident, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks the text against the rule of this name.
            ///
            /// # Errors
            /// [`InvalidName`] with what was found and the rule it breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                if $check(&text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidName { what: $what, found: text, rule: $rule })
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A namespace: a DNS-1123 label.
    Namespace,
    "namespace",
    is_label,
    "lower-case letters, digits and '-', at most 63 characters, starting and ending with a letter or digit"
);
name!(
    /// A ServiceAccount's name: a DNS-1123 subdomain, so it can't name another namespace (S9, A05).
    ServiceAccountName,
    "ServiceAccount name",
    is_subdomain,
    "lower-case letters, digits, '-' and '.', at most 253 characters; the namespace is always the StageSet's own"
);
name!(
    /// A Secret's name: a DNS-1123 subdomain, so it can't name another namespace.
    SecretName,
    "Secret name",
    is_subdomain,
    "lower-case letters, digits, '-' and '.', at most 253 characters; the namespace is always the StageSet's own"
);
name!(
    /// The name of an object that a spec names, where nothing stricter is known of its kind: a
    /// DNS-1123 subdomain.
    ObjectName,
    "object name",
    is_subdomain,
    "lower-case letters, digits, '-' and '.', at most 253 characters, starting and ending with a letter or digit"
);
name!(
    /// A stage's name: a DNS-1123 label, since it becomes a label value (G2).
    StageName,
    "stage name",
    is_label,
    "lower-case letters, digits and '-', at most 63 characters, starting and ending with a letter or digit"
);
name!(
    /// A StageSet's name: a DNS-1123 subdomain of at most 63 characters, since it becomes a label
    /// value (G2).
    StageSetName,
    "StageSet name",
    is_short_subdomain,
    "lower-case letters, digits, '-' and '.', at most 63 characters (it becomes a label value)"
);

fn is_short_subdomain(text: &str) -> bool {
    text.len() <= LABEL_MAX && is_subdomain(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_it_was_to_be_what_was_found_and_the_rule() {
        let refused = StageName::new("a_b").unwrap_err();
        assert_eq!(refused.what(), "stage name");
        let said = "\"a_b\" is not a valid stage name: lower-case letters, digits and '-'";
        assert!(refused.to_string().starts_with(said), "{refused}");
        assert!(refused.to_string().ends_with(refused.rule()), "{refused}");
    }

    #[test]
    fn attack_a05_a_service_account_cannot_leave_its_namespace() {
        for bad in [
            "",
            " ",
            "\t",
            "other:deployer",
            "system:serviceaccount:other:deployer",
            "a/b",
            "%2f",
            "a%2fb",
            "dep\r\nImpersonate-Group: system:masters",
            "déployer",
            "Deployer",
            "-a",
            "a-",
            "a..b",
            ".a",
            "a_b",
        ] {
            assert!(
                ServiceAccountName::new(bad).is_err(),
                "{bad:?} was accepted"
            );
        }
        assert!(ServiceAccountName::new("a".repeat(254)).is_err());
        assert!(ServiceAccountName::new("payments.deployer-2").is_ok());
    }

    #[test]
    fn names_that_become_label_values_are_short() {
        assert!(StageName::new("a".repeat(63)).is_ok());
        assert!(StageName::new("a".repeat(64)).is_err());
        assert!(StageSetName::new("a".repeat(64)).is_err());
        assert!(StageName::new("a.b").is_err());
    }
}
