//! Two normalised answers side by side.
//!
//! Uids and resourceVersions are paired: what is the same on one server must be the same on the
//! other. So a write that changes nothing on one side and something on the other is seen.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Answer;

/// One field in which two answers differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// `code`, `aborted`, or a JSON pointer.
    pub path: String,
    /// What the real server said; absent there: `None`.
    pub real: Option<Value>,
    /// The same of the simulated server.
    pub simulated: Option<Value>,
}

impl Difference {
    /// The field as the list of known divergences names it: a list's index is `*`, and what lies
    /// in an owned set of fields is the set.
    pub fn field(&self) -> String {
        let mut parts = Vec::new();
        for part in self.path.split('/') {
            let index = !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
            parts.push(if index { "*" } else { part });
            if part == "fieldsV1" {
                break;
            }
        }
        parts.join("/")
    }
}

/// Compares answers and remembers which identity belongs to which.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    pairs: BTreeMap<String, String>,
    back: BTreeMap<String, String>,
}

impl Comparison {
    /// Every difference; none when the two servers said the same.
    pub fn compare(&mut self, real: &Answer, simulated: &Answer) -> Vec<Difference> {
        let mut out = Vec::new();
        if real.code != simulated.code {
            let said = |answer: &Answer| {
                // An answer to a watch that is no stream is the one thing in it.
                let status = answer.body.get(0).unwrap_or(&answer.body);
                let message = status["message"].as_str().unwrap_or_default();
                let message = status.as_str().unwrap_or(message);
                Some(Value::String(format!("{} {message}", answer.code)))
            };
            // A server that broke off said nothing.
            let path = if real.code == 0 { "aborted" } else { "code" };
            out.push(Difference {
                path: path.to_owned(),
                real: said(real),
                simulated: said(simulated),
            });
            return out;
        }
        let list = real.body.get("items").is_some();
        self.walk(Some(&real.body), Some(&simulated.body), "", list, &mut out);
        out
    }

    fn walk(
        &mut self,
        real: Option<&Value>,
        simulated: Option<&Value>,
        path: &str,
        list: bool,
        out: &mut Vec<Difference>,
    ) {
        match (real, simulated) {
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for key in keys {
                    let path = format!("{path}/{key}");
                    self.walk(a.get(key), b.get(key), &path, list, out);
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                for at in 0..a.len().max(b.len()) {
                    self.walk(a.get(at), b.get(at), &format!("{path}/{at}"), list, out);
                }
            }
            (Some(Value::String(a)), Some(Value::String(b))) if self.same(a, b, path, list) => {}
            _ if real == simulated => {}
            _ => out.push(Difference {
                path: path.to_owned(),
                real: real.cloned(),
                simulated: simulated.cloned(),
            }),
        }
    }

    fn same(&mut self, a: &str, b: &str, path: &str, list: bool) -> bool {
        // A list carries the revision of the whole store, in which the real server writes leases.
        if list && path == "/metadata/resourceVersion" {
            return a.is_empty() == b.is_empty();
        }
        let kind = if path.ends_with("/uid") {
            "uid"
        } else if path.ends_with("/metadata/resourceVersion") {
            "version"
        } else {
            return a == b;
        };
        let (a, b) = (format!("{kind} {a}"), format!("{kind} {b}"));
        let known = (self.pairs.get(&a), self.back.get(&b));
        let same = match known {
            (None, None) => true,
            (Some(paired), Some(back)) => *paired == b && *back == a,
            _ => false,
        };
        // After a divergence the new pair is what later answers are held against.
        self.pairs.insert(a.clone(), b.clone());
        self.back.insert(b, a);
        same
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(body: Value) -> Answer {
        Answer { code: 200, body }
    }

    fn fields(comparison: &mut Comparison, real: Value, simulated: Value) -> Vec<String> {
        comparison
            .compare(&answer(real), &answer(simulated))
            .iter()
            .map(Difference::field)
            .collect()
    }

    #[test]
    fn a_wrong_body_is_seen() {
        let mut comparison = Comparison::default();
        let real = json!({"data": {"a": "1", "b": "2"}, "items": [{"x": 1}, {"x": 2}]});
        assert_eq!(fields(&mut comparison, real.clone(), real.clone()), [""; 0]);
        let wrong = json!({"data": {"a": "2"}, "items": [{"x": 1}], "more": null});
        assert_eq!(
            fields(&mut comparison, real, wrong),
            ["/data/a", "/data/b", "/items/*", "/more"]
        );
    }

    #[test]
    fn a_wrong_code_is_seen_with_both_messages() {
        let real = Answer {
            code: 409,
            body: json!({"message": "conflict"}),
        };
        let seen = Comparison::default().compare(&real, &answer(json!({})));
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].field(), "code");
        assert_eq!(seen[0].real, Some(json!("409 conflict")));
    }

    #[test]
    fn a_server_that_broke_off_is_seen_as_such() {
        let real = Answer {
            code: 0,
            body: json!("no answer"),
        };
        let seen = Comparison::default().compare(&real, &answer(json!({})));
        assert_eq!(seen[0].field(), "aborted");
        assert_eq!(seen[0].real, Some(json!("0 no answer")));
    }

    #[test]
    fn a_wrong_message_and_a_wrong_owner_are_seen() {
        let mut comparison = Comparison::default();
        let status = |text: &str| json!({"kind": "Status", "reason": "Invalid", "message": text});
        assert_eq!(
            fields(&mut comparison, status("a"), status("b")),
            ["/message"]
        );
        let owner = |field: &str| json!({"managedFields": [{"fieldsV1": {"f:data": {field: {}}}}]});
        let seen = fields(&mut comparison, owner("f:a"), owner("f:b"));
        assert_eq!(
            seen,
            ["/managedFields/*/fieldsV1", "/managedFields/*/fieldsV1"]
        );
    }

    #[test]
    fn identities_are_paired() {
        let object = |version: &str| json!({"metadata": {"uid": "u", "resourceVersion": version}});
        let mut comparison = Comparison::default();
        assert_eq!(fields(&mut comparison, object("5"), object("1")), [""; 0]);
        assert_eq!(fields(&mut comparison, object("5"), object("1")), [""; 0]);
        // The simulator wrote where the real server didn't, …
        let field = "/metadata/resourceVersion";
        assert_eq!(fields(&mut comparison, object("5"), object("2")), [field]);
        // … and the other way round.
        assert_eq!(fields(&mut comparison, object("9"), object("2")), [field]);
    }
}
