//! What two honest servers may say differently is made equal: times, uids, addresses, and the
//! order of what has none.
//!
//! Uids and resourceVersions in objects stay as they are: the comparison pairs them.

use serde_json::Value;

use super::Answer;

/// `h` is a hexadecimal digit, `d` a decimal one, anything else itself.
const PATTERNS: [(&str, &str); 3] = [
    ("hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh", "UID"),
    ("dddd-dd-ddTdd:dd:dd.ddddddZ", "TIME"),
    ("dddd-dd-ddTdd:dd:ddZ", "TIME"),
];

/// Makes an answer comparable.
pub fn normalise(answer: &mut Answer) {
    walk(&mut answer.body, "");
    if let Some(Value::Array(causes)) = answer.body.pointer_mut("/details/causes") {
        // An error that two validations find is in it twice, on updates more often.
        causes.sort_by_key(Value::to_string);
        causes.dedup();
    }
}

fn walk(value: &mut Value, key: &str) {
    match value {
        Value::Object(fields) => {
            // A bookmark tells how far its server is, and each counts on its own.
            if fields.get("type").is_some_and(|t| t == "BOOKMARK")
                && let Some(version) = fields
                    .get_mut("object")
                    .and_then(|o| o.pointer_mut("/metadata/resourceVersion"))
            {
                *version = Value::from("VERSION");
            }
            // A namespace that is told how to go keeps its finalizers in a Go map on the way.
            if fields
                .get("spec")
                .is_some_and(|spec| spec.get("finalizers").is_some())
                && let Some(Value::Array(finalizers)) = fields
                    .get_mut("metadata")
                    .and_then(|meta| meta.get_mut("finalizers"))
            {
                finalizers.sort_by_key(Value::to_string);
            }
            for (key, value) in fields {
                walk(value, key);
            }
        }
        Value::Array(items) => {
            for item in items.iter_mut() {
                walk(item, key);
            }
        }
        Value::Number(_) if key == "nodePort" || key == "healthCheckNodePort" => {
            *value = Value::from("PORT");
        }
        Value::String(text) => match key {
            "continue" | "token" if !text.is_empty() => "TOKEN".clone_into(text),
            "uid" | "resourceVersion" => {}
            "clusterIP" | "clusterIPs" if text.parse::<std::net::IpAddr>().is_ok() => {
                "ADDRESS".clone_into(text);
            }
            "name" => *text = generated(text),
            "message" => *text = sorted(&generated(&without_structs(&masked(text)))),
            _ => *text = generated(&masked(text)),
        },
        _ => {}
    }
}

/// The text with its uids and times replaced, and the revision in the message of a precondition.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    'text: while let Some(first) = rest.chars().next() {
        for (pattern, name) in PATTERNS {
            if fits(rest, pattern) {
                out.push_str(name);
                rest = &rest[pattern.len()..];
                continue 'text;
            }
        }
        let before_numbers = [
            "ResourceVersion in object meta: ",
            "in record (",
            "in the precondition (",
            // A patch in Go's notation.
            "resourceVersion:",
            // What a server gives away.
            "IPAddress.networking.k8s.io \"",
            "duplicate nodePort: {TCP ",
            "duplicate nodePort: {UDP ",
        ];
        if first.is_ascii_digit() && before_numbers.iter().any(|before| out.ends_with(before)) {
            out.push_str("NUMBER");
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            continue;
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

fn fits(text: &str, pattern: &str) -> bool {
    text.len() >= pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(c, p)| match p {
            b'h' => c.is_ascii_hexdigit(),
            b'd' => c.is_ascii_digit(),
            p => c == p,
        })
}

/// Several errors of one object in a fixed order: the real server walks a Go map in none.
fn sorted(text: &str) -> String {
    if let Some((head, lines)) = text.split_once("errors:\n") {
        let mut lines: Vec<&str> = lines.lines().collect();
        lines.sort_unstable();
        return format!("{head}errors:\n{}", lines.join("\n"));
    }
    let Some((head, errors)) = text
        .strip_suffix(']')
        .and_then(|text| text.split_once(" is invalid: ["))
    else {
        return text.to_owned();
    };
    let mut errors: Vec<&str> = errors.split(", ").collect();
    errors.sort_unstable();
    format!("{head} is invalid: [{}]", errors.join(", "))
}

/// The generator's prefix for generated names, and what servers append to it.
pub const GENERATE: &str = "generated-";

/// Where the name of a pod's token volume begins.
const TOKEN_VOLUME: &str = "kube-api-access-";

fn generated(text: &str) -> String {
    let mut out = text.to_owned();
    for prefix in [GENERATE, TOKEN_VOLUME] {
        let mut from = 0;
        while let Some(at) = out[from..].find(prefix) {
            from += at + prefix.len();
            if let Some(suffix) = out[from..].get(..5)
                && suffix.bytes().all(|c| c.is_ascii_alphanumeric())
            {
                out.replace_range(from..from + 5, "NAME");
            }
        }
    }
    out
}

/// A message without the objects that Go prints in it: their form is that of the real server's
/// own structs. What is said of them stays.
fn without_structs(text: &str) -> String {
    let mut out = text.to_owned();
    for (before, open, close) in [
        ("Invalid value: ", "{", "}: "),
        ("Invalid value: ", "[{", "}]: "),
        ("Invalid value: ", "\"{", "}\": "),
        ("Duplicate value: ", "{", "}"),
    ] {
        let mut from = 0;
        while let Some(at) = out[from..].find(&format!("{before}{open}")) {
            let start = from + at + before.len();
            from = start;
            if let Some(end) = out[start..].find(close) {
                let end = start + end + close.len();
                let close = close.trim_start_matches(['}', ']', '"']);
                out.replace_range(start..end, &format!("OBJECT{close}"));
            }
        }
    }
    // What changed in a claim, line by line.
    if let Some(at) = out.find("\n@@ ") {
        let rest = out.split_off(at);
        match rest.find(", spec.") {
            Some(next) => out.push_str(&rest[next..]),
            None if out.contains(" is invalid: [") => out.push(']'),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn normal(body: Value) -> Value {
        let mut answer = Answer { code: 200, body };
        normalise(&mut answer);
        answer.body
    }

    #[test]
    fn times_uids_and_revisions_in_messages_are_masked_and_nothing_else() {
        let uid = "01234567-89ab-cdef-0123-456789abcdef";
        let message = format!("uid {uid} at 2026-01-01T00:00:00Z ü 12345678-1234");
        assert_eq!(
            normal(json!({ "message": message })),
            json!({"message": "uid UID at TIME ü 12345678-1234"})
        );
        let message = "ResourceVersion in precondition: 1, ResourceVersion in object meta: 345";
        assert_eq!(
            normal(json!({ "message": message }))["message"],
            "ResourceVersion in precondition: 1, ResourceVersion in object meta: NUMBER"
        );
    }

    #[test]
    fn several_errors_are_sorted_and_none_is_lost() {
        let message = |errors: &str| json!({"message": format!("X \"a\" is invalid: [{errors}]")});
        assert_eq!(normal(message("b: 2, a: 1")), message("a: 1, b: 2"));
        assert_ne!(normal(message("b: 2, a: 1")), normal(message("b: 2")));
    }

    #[test]
    fn what_the_comparison_pairs_stays() {
        let uid = "01234567-89ab-cdef-0123-456789abcdef";
        let meta = json!({"metadata": {"uid": uid, "resourceVersion": "7"}});
        assert_eq!(normal(meta.clone()), meta);
    }

    #[test]
    fn only_the_suffix_of_a_generated_name_goes() {
        assert_eq!(
            normal(json!({"name": "generated-x1y2z"})),
            json!({"name": "generated-NAME"})
        );
        assert_eq!(
            normal(json!({"name": "generated-x"})),
            json!({"name": "generated-x"})
        );
    }

    #[test]
    fn every_generated_name_in_a_text_goes() {
        let message = |a: &str, b: &str| json!({"message": format!("kube-api-access-{a}, kube-api-access-{b}")});
        assert_eq!(normal(message("aaaaa", "bbbbb")), message("NAME", "NAME"));
    }

    #[test]
    fn an_address_goes_and_a_headless_service_stays() {
        assert_eq!(
            normal(json!({"clusterIPs": ["10.0.0.1"], "clusterIP": "None"})),
            json!({"clusterIPs": ["ADDRESS"], "clusterIP": "None"})
        );
    }

    #[test]
    fn lists_keep_their_order_but_for_the_finalizers_of_a_namespace() {
        let ordered =
            json!({"managedFields": [{"manager": "b"}, {"manager": "a"}], "args": ["b", "a"]});
        assert_eq!(normal(ordered.clone()), ordered);
        let pod = json!({"metadata": {"finalizers": ["b", "a"]}, "spec": {}});
        assert_eq!(normal(pod.clone()), pod);
        let namespace = |finalizers: [&str; 2]| json!({"metadata": {"finalizers": finalizers}, "spec": {"finalizers": ["kubernetes"]}});
        assert_eq!(normal(namespace(["b", "a"])), namespace(["a", "b"]));
    }

    #[test]
    fn the_lines_of_a_configuration_that_does_not_fit_are_sorted() {
        let message = |lines: &str| json!({"message": format!("failed: errors:\n{lines}")});
        assert_eq!(
            normal(message("  .b: x\n  .a: y")),
            message("  .a: y\n  .b: x")
        );
    }
}
