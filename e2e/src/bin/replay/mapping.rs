//! What of the simulated cluster is what on the real one: uids, resourceVersions, times of creation.
//! It is learnt from answers that belong together, and put into whatever is sent.

use std::collections::BTreeMap;

use http::Uri;
use hyper::body::Bytes;
use serde_json::Value;

/// How long a uid is.
const UID: usize = 36;

/// What was learnt, by what the simulated cluster calls it.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    uids: BTreeMap<String, String>,
    /// Of objects.
    versions: BTreeMap<String, String>,
    /// Of lists and bookmarks: the store as a whole.
    revisions: BTreeMap<String, String>,
    /// When an object was created there, by its simulated uid.
    created: BTreeMap<String, Value>,
}

impl Mapping {
    /// Learns from two answers to one request.
    pub(crate) fn learn(&mut self, simulated: &Value, real: &Value) {
        match (simulated, real) {
            (Value::Object(a), Value::Object(b)) => {
                self.identify(simulated, real);
                for (key, value) in a {
                    let Some(other) = b.get(key) else { continue };
                    match (value, other) {
                        (Value::Array(a), Value::Array(b)) if key == "items" => {
                            self.learn_items(a, b);
                        }
                        (Value::String(a), Value::String(b)) if key == "uid" => {
                            self.uids.insert(a.clone(), b.clone());
                        }
                        _ => self.learn(value, other),
                    }
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (a, b) in a.iter().zip(b) {
                    self.learn(a, b);
                }
            }
            _ => {}
        }
    }

    fn identify(&mut self, simulated: &Value, real: &Value) {
        let (a, b) = (&simulated["metadata"], &real["metadata"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (version, other) = (text(&a["resourceVersion"]), text(&b["resourceVersion"]));
        if version.is_empty() || other.is_empty() {
            return;
        }
        // A list, or a bookmark.
        if a["name"].is_null() {
            self.revisions.insert(version, other);
        } else {
            self.versions.insert(version, other);
            let created = b["creationTimestamp"].clone();
            self.created.insert(text(&a["uid"]), created);
        }
    }

    /// Items belong together by their names: a real server may have others beside them.
    fn learn_items(&mut self, simulated: &[Value], real: &[Value]) {
        let place = |item: &Value| {
            let metadata = &item["metadata"];
            (metadata["namespace"].clone(), metadata["name"].clone())
        };
        for item in simulated {
            if let Some(other) = real.iter().find(|other| place(other) == place(item)) {
                self.learn(item, other);
            }
        }
    }

    /// A URI for the real server.
    pub(crate) fn uri(&self, uri: &Uri) -> String {
        let text = self.text(&uri.to_string());
        let Some((path, query)) = text.split_once('?') else {
            return text;
        };
        let parameters: Vec<String> = query
            .split('&')
            .map(|parameter| match parameter.split_once('=') {
                Some((name @ "resourceVersion", version)) => {
                    format!("{name}={}", self.place(version))
                }
                _ => parameter.to_owned(),
            })
            .collect();
        format!("{path}?{}", parameters.join("&"))
    }

    /// Where a list or a watch begins. A bookmark's version is nobody's on the real server: between the
    /// newest known one before it and itself nothing happened that the watch would have told.
    fn place<'a>(&'a self, version: &'a str) -> &'a str {
        let known = self.revisions.get(version);
        let known = known.or_else(|| self.versions.get(version));
        let Some(wanted) = version.parse::<u64>().ok().filter(|version| *version > 0) else {
            return known.map_or(version, String::as_str);
        };
        let before = || {
            let all = self.revisions.iter().chain(&self.versions);
            let all = all.filter_map(|(ours, theirs)| Some((ours.parse::<u64>().ok()?, theirs)));
            all.filter(|(ours, _)| *ours <= wanted).max()
        };
        let known = known.or_else(|| before().map(|(_, theirs)| theirs));
        known.map_or(version, String::as_str)
    }

    /// A body for the real server; byte for byte the same where there is nothing to replace.
    pub(crate) fn body(&self, body: &Bytes) -> Bytes {
        let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
            return body.clone();
        };
        let before = value.clone();
        self.replace(&mut value);
        if value == before {
            body.clone()
        } else {
            value.to_string().into()
        }
    }

    /// Replaces in a value whatever the real server calls otherwise.
    pub(crate) fn replace(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                // It belongs to an object's identity; a full update has to repeat it.
                let uid = fields.get("uid").and_then(Value::as_str);
                let created = uid.and_then(|uid| self.created.get(uid));
                if let (Some(created), Some(sent)) = (created, fields.get_mut("creationTimestamp"))
                    && sent.is_string()
                {
                    *sent = created.clone();
                }
                let patched = fields.get("path").and_then(Value::as_str);
                let version = patched.is_some_and(|path| path.ends_with("/resourceVersion"));
                for (key, value) in fields {
                    match value {
                        Value::String(text)
                            if key == "resourceVersion" || (version && key == "value") =>
                        {
                            if let Some(known) = self.versions.get(text) {
                                text.clone_from(known);
                            }
                        }
                        value => self.replace(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.replace(item)),
            Value::String(text) => *text = self.text(text),
            _ => {}
        }
    }

    /// Replaces uids in names of fields: managed fields name members of lists by them.
    pub(crate) fn rename_fields(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                let renamed = std::mem::take(fields).into_iter();
                *fields = renamed
                    .map(|(key, mut value)| {
                        self.rename_fields(&mut value);
                        (self.text(&key), value)
                    })
                    .collect();
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.rename_fields(item)),
            _ => {}
        }
    }

    /// A text with every uid that is known replaced.
    fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some(known) = rest.get(..UID).and_then(|uid| self.uids.get(uid)) {
                out.push_str(known);
                rest = &rest[UID..];
            } else {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OURS: &str = "01234567-89ab-4def-8123-456789abcdef";
    const THEIRS: &str = "fedcba98-7654-4210-8edc-ba9876543210";

    fn object(uid: &str, version: &str, created: &str) -> Value {
        json!({ "metadata": {
            "name": "a", "uid": uid, "resourceVersion": version, "creationTimestamp": created,
        }})
    }

    fn learnt() -> Mapping {
        let mut mapping = Mapping::default();
        mapping.learn(&object(OURS, "7", "then"), &object(THEIRS, "70", "now"));
        mapping
    }

    #[test]
    fn identities_are_put_into_what_is_sent() {
        let mapping = learnt();
        let mut sent = json!({
            "metadata": { "uid": OURS, "resourceVersion": "7", "creationTimestamp": "then" },
            "note": format!("of {OURS}."), "port": "7",
            "unknown": { "resourceVersion": "8" },
        });
        mapping.replace(&mut sent);
        assert_eq!(
            sent,
            json!({
                "metadata": { "uid": THEIRS, "resourceVersion": "70", "creationTimestamp": "now" },
                "note": format!("of {THEIRS}."), "port": "7",
                "unknown": { "resourceVersion": "8" },
            })
        );
        let mut patch =
            json!([{ "op": "test", "path": "/metadata/resourceVersion", "value": "7" }]);
        mapping.replace(&mut patch);
        assert_eq!(patch[0]["value"], "70");
    }

    #[test]
    fn uids_in_names_of_fields_are_replaced_and_those_in_values_are_left_to_the_comparison() {
        let mut owned = json!({ format!("k:{{\"uid\":\"{OURS}\"}}"): { "uid": OURS } });
        learnt().rename_fields(&mut owned);
        let wanted = json!({ format!("k:{{\"uid\":\"{THEIRS}\"}}"): { "uid": OURS } });
        assert_eq!(owned, wanted);
    }

    #[test]
    fn what_has_nothing_to_replace_stays_byte_for_byte() {
        let mapping = learnt();
        for text in ["{ \"b\": 1,  \"a\": 2 }", "no: json", ""] {
            let body = Bytes::from_static(text.as_bytes());
            assert_eq!(mapping.body(&body), body);
        }
    }

    #[test]
    fn items_belong_together_by_name_and_a_list_has_a_revision_of_its_own() {
        let mut mapping = learnt();
        let item = |name: &str, version: &str| json!({ "metadata": { "name": name, "resourceVersion": version }});
        let list = |version: &str, items: &[Value]| json!({ "metadata": { "resourceVersion": version }, "items": items });
        mapping.learn(
            &list("7", &[item("b", "5")]),
            &list("99", &[item("a", "40"), item("b", "50")]),
        );
        let asked = |query: &str| mapping.uri(&format!("/api/v1/pods?{query}").parse().unwrap());
        assert_eq!(
            asked("limit=7&resourceVersion=7"),
            "/api/v1/pods?limit=7&resourceVersion=99"
        );
        assert_eq!(asked("resourceVersion=0"), "/api/v1/pods?resourceVersion=0");
        let of_a_bookmark = asked("watch=1&resourceVersion=6");
        assert_eq!(of_a_bookmark, "/api/v1/pods?watch=1&resourceVersion=50");
        let mut sent = item("b", "5");
        mapping.replace(&mut sent);
        assert_eq!(sent["metadata"]["resourceVersion"], "50");
        let mut sent = item("a", "7");
        mapping.replace(&mut sent);
        assert_eq!(sent["metadata"]["resourceVersion"], "70");
    }

    /// A real server writes of its own accord, so that its store may be further when it says how far that is. The
    /// object isn't.
    #[test]
    fn a_bookmark_is_of_the_store_and_of_no_object() {
        let mut mapping = learnt();
        let bookmark =
            |version: &str| json!({ "kind": "Pod", "metadata": { "resourceVersion": version }});
        mapping.learn(&bookmark("7"), &bookmark("75"));
        let mut sent = object(OURS, "7", "then");
        mapping.replace(&mut sent);
        assert_eq!(sent["metadata"]["resourceVersion"], "70");
        let after = "/api/v1/pods?watch=1&resourceVersion=7".parse().unwrap();
        assert_eq!(
            mapping.uri(&after),
            "/api/v1/pods?watch=1&resourceVersion=75"
        );
    }
}
