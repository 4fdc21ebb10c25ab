//! Names: what Kubernetes allows as a DNS label or subdomain, and what it says otherwise.

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
    characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
    'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters \
    or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', \
    regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or \
    '-', start with an alphabetic character, and end with an alphanumeric character (e.g. \
    'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Why a name isn't allowed for a kind, if it isn't.
pub(crate) fn problem(group: &str, plural: &str, name: &str) -> Option<String> {
    match (group, plural) {
        ("", "namespaces" | "services") if name.len() > 63 => {
            Some("must be no more than 63 characters".into())
        }
        ("", "namespaces") if !is_label(name) => Some(LABEL.into()),
        // Since 1.34 a Service may be any RFC 1123 label.
        ("", "services") if !is_label(name) => Some(
            if name.starts_with(|c: char| c.is_ascii_digit()) {
                LABEL_1035
            } else {
                LABEL
            }
            .into(),
        ),
        ("rbac.authorization.k8s.io", _) => path_segment(name),
        _ if name.len() > 253 => Some("must be no more than 253 characters".into()),
        _ if !name.split('.').all(is_label) => Some(SUBDOMAIN.into()),
        _ => None,
    }
}

/// RBAC names are path segments and nothing more.
fn path_segment(name: &str) -> Option<String> {
    if name == "." || name == ".." {
        return Some(format!("may not be '{name}'"));
    }
    ["/", "%"]
        .iter()
        .find(|c| name.contains(**c))
        .map(|c| format!("may not contain '{c}'"))
}

fn is_qualified_part(text: &str, empty: bool) -> bool {
    if text.is_empty() {
        return empty;
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && edge(text.chars().next())
        && edge(text.chars().last())
}

/// Whether a label or annotation key is allowed.
pub(crate) fn is_qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => {
            prefix.len() <= 253 && prefix.split('.').all(is_label) && is_qualified_part(name, false)
        }
        None => is_qualified_part(key, false),
    }
}

/// Whether a label value is allowed.
pub(crate) fn is_label_value(value: &str) -> bool {
    is_qualified_part(value, true)
}
