//! Names: what Kubernetes allows as a name, label or path, and what it says otherwise.

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
    characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
    'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters \
    or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', \
    regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const KEY: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and \
    end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used \
    for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, \
    '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or \
    'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or \
    '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
    '[-._a-zA-Z0-9]+')";

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// Names are counted in characters, labels in bytes; both are bytes.
fn too_long(limit: usize, unit: &str) -> String {
    format!("must be no more than {limit} {unit}")
}

/// What is wrong with a DNS label.
pub(crate) fn dns_label(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push(too_long(63, "characters"));
    }
    if !is_label(text) {
        let dotted = is_subdomain(text);
        problems.push(if dotted {
            "must not contain dots".into()
        } else {
            LABEL.into()
        });
    }
    problems
}

/// What is wrong with a DNS subdomain.
pub(crate) fn subdomain(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 253 {
        problems.push(too_long(253, "characters"));
    }
    if !is_subdomain(text) {
        problems.push(SUBDOMAIN.into());
    }
    problems
}

/// What is wrong with a name that is a path segment and nothing more.
pub(crate) fn path_segment(name: &str) -> Vec<String> {
    if name == "." || name == ".." {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"]
        .iter()
        .filter(|c| name.contains(**c))
        .map(|c| format!("may not contain '{c}'"))
        .collect()
}

/// What is wrong with the name of an object of a kind.
pub(crate) fn problems(group: &str, plural: &str, name: &str) -> Vec<String> {
    match (group, plural) {
        // A Service may be any label since 1.34, and a StatefulSet's name is part of its pods'.
        ("", "namespaces" | "services") | ("apps", "statefulsets") => dns_label(name),
        ("rbac.authorization.k8s.io", _) | ("policy", "poddisruptionbudgets") => path_segment(name),
        _ => subdomain(name),
    }
}

/// The first thing that is wrong with a name.
pub(crate) fn problem(group: &str, plural: &str, name: &str) -> Option<String> {
    problems(group, plural, name).into_iter().next()
}

/// A prefix of names as the rules for whole names look at it: a dash at its end is fine.
pub(crate) fn masked_prefix(prefix: &str) -> String {
    match prefix.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => {
            let kept = rest.char_indices().next_back().map_or(0, |(i, _)| i);
            format!("{}a", &rest[..kept])
        }
        _ => prefix.to_owned(),
    }
}

fn is_key_part(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && edge(text.chars().next())
        && edge(text.chars().last())
}

/// What is wrong with a label or annotation key, or any other qualified name.
pub(crate) fn label_key(key: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let parts: Vec<&str> = key.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".into());
            } else {
                problems.extend(subdomain(prefix).iter().map(|p| format!("prefix part {p}")));
            }
            *name
        }
        _ => {
            return vec![format!(
                "a valid label key {KEY} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        problems.push(format!("name part {}", too_long(63, "bytes")));
    }
    if !is_key_part(name) {
        problems.push(format!("name part {KEY}"));
    }
    problems
}

/// What is wrong with a label's value.
pub(crate) fn label_value(value: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if value.len() > 63 {
        problems.push(too_long(63, "bytes"));
    }
    if !value.is_empty() && !is_key_part(value) {
        problems.push(VALUE.into());
    }
    problems
}

/// What is wrong with a key of a ConfigMap's or Secret's data.
pub(crate) fn config_key(key: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if key.len() > 253 {
        problems.push(too_long(253, "characters"));
    }
    let fits = !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if !fits {
        problems.push(CONFIG_KEY.into());
    }
    if key == "." {
        problems.push("must not be '.'".into());
    } else if key == ".." {
        problems.push("must not be '..'".into());
    } else if key.starts_with("..") {
        problems.push("must not start with '..'".into());
    }
    problems
}

/// What is wrong with a path that starts with a domain (`example.com/x`), as one error's text.
pub(crate) fn domain_path_problem(field: &str, path: &str) -> Option<String> {
    let invalid = |value: &str, what: &str| format!("{field}: Invalid value: {value:?}: {what}");
    let (host, rest) = path.split_once('/').unwrap_or((path, ""));
    if host.is_empty() || rest.is_empty() {
        let what = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        return Some(invalid(path, what));
    }
    if let Some(what) = subdomain(host).first() {
        return Some(invalid(host, what));
    }
    let fine = rest
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&b));
    let what = "Invalid path (regex used for validation is \
                '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";
    (!fine).then(|| invalid(rest, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_their_kind() {
        assert!(problems("", "configmaps", "a.b-c").is_empty());
        assert_eq!(problems("", "configmaps", "A"), [SUBDOMAIN]);
        assert_eq!(problems("", "services", "a.b"), ["must not contain dots"]);
        assert_eq!(problems("", "namespaces", "-a"), [LABEL]);
        assert!(problems("rbac.authorization.k8s.io", "roles", "A:b c").is_empty());
        assert_eq!(
            problems("rbac.authorization.k8s.io", "roles", "a/b%"),
            ["may not contain '/'", "may not contain '%'"]
        );
        let long = "a".repeat(64);
        assert_eq!(dns_label(&long), ["must be no more than 63 characters"]);
    }

    #[test]
    fn keys_and_values_of_labels() {
        assert!(label_key("example.com/My_Name.1").is_empty());
        assert_eq!(label_key("/x"), ["prefix part must be non-empty"]);
        assert_eq!(label_key("a/b/c").len(), 1);
        assert_eq!(label_key("").len(), 2);
        assert!(label_value("").is_empty());
        assert_eq!(label_value("-x"), [VALUE]);
    }

    #[test]
    fn a_prefix_may_end_with_a_dash() {
        assert_eq!(masked_prefix("abc-"), "aba");
        assert_eq!(masked_prefix("-"), "-");
        assert_eq!(masked_prefix("abc"), "abc");
    }
}
