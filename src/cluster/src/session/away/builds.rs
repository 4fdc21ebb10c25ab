//! Builds.

use std::fmt::Write as _;

use serde_json::Value;
use stageset_core::failure::Fact;
use stageset_core::few::Few;
use stageset_core::object::Rendered;
use stageset_core::observation::{BuildKey, BuildState};

use crate::packed::Packed;

/// A build with more text than this stays as it is: having it back takes a moment on the thread that all
/// share.
const LARGEST: usize = 64 * 1024;

/// Those that are put away.
#[derive(Debug, Default)]
pub(super) struct Builds(Few<BuildKey, Fact<Packed>>);

impl Builds {
    /// Takes what can be taken. Failures stay, with what rests on them.
    pub(super) fn take(&mut self, builds: &mut Few<BuildKey, Fact<BuildState>>) {
        builds.retain(|key, fact| {
            let BuildState::Built(objects) = &fact.value else {
                return true;
            };
            let Some(value) = pack(objects) else {
                return true;
            };
            let (at, failures) = (fact.at, fact.failures);
            let packed = Fact {
                value,
                at,
                failures,
            };
            self.0.insert(key.clone(), packed);
            false
        });
    }

    /// Gives everything back.
    pub(super) fn give_back(&mut self, builds: &mut Few<BuildKey, Fact<BuildState>>) {
        for (key, fact) in &std::mem::take(&mut self.0) {
            // What isn't had back is built again.
            if let Some(objects) = unpack(&fact.value) {
                let built = Fact {
                    value: BuildState::built(objects),
                    at: fact.at,
                    failures: fact.failures,
                };
                builds.insert(key.clone(), built);
            }
        }
    }
}

/// A line for where an object comes from, one for what it is.
fn pack(objects: &[Rendered]) -> Option<Packed> {
    let mut text = String::new();
    for object in objects {
        let body = object.body.text()?;
        writeln!(text, "{}\n{body}", Value::from(&*object.origin)).ok()?;
        if text.len() > LARGEST {
            return None;
        }
    }
    Packed::of(&text)
}

fn unpack(packed: &Packed) -> Option<Vec<Rendered>> {
    let text = packed.text()?;
    let mut lines = text.lines();
    let mut objects = Vec::new();
    while let (Some(origin), Some(body)) = (lines.next(), lines.next()) {
        let origin: String = serde_json::from_str(origin).ok()?;
        objects.push(Rendered::new(serde_json::from_str(body).ok()?, origin)?);
    }
    Some(objects)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stageset_core::failure::{Failure, FailureClass};
    use stageset_core::time::Timestamp;

    use super::*;

    fn key(digest: &str) -> BuildKey {
        BuildKey {
            digest: digest.into(),
            path: "./".into(),
            overlay: String::new(),
        }
    }

    fn fact(value: BuildState) -> Fact<BuildState> {
        Fact {
            value,
            at: Timestamp::from_millis(7),
            failures: 2,
        }
    }

    fn built(objects: usize, text: &str) -> Fact<BuildState> {
        let objects = (0..objects).map(|index| {
            let body = json!({ "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": format!("of-{index}"), "namespace": "payments" },
                "data": { "text": text, "odd": "a\nb\u{2028}\r\n\"" } });
            Rendered::new(body, format!("a\nfile.yaml:{index}")).unwrap()
        });
        fact(BuildState::built(objects.collect()))
    }

    #[test]
    fn what_is_put_away_comes_back_as_it_was() {
        let failed = BuildState::Failed(Failure::new(FailureClass::Terminal, "no"));
        let whole: Few<_, _> = [
            (key("a"), built(12, "one")),
            (key("b"), fact(failed)),
            (key("c"), built(0, "")),
            (key("d"), built(3, &"wide ".repeat(LARGEST / 5))),
        ]
        .into_iter()
        .collect();
        let mut builds = whole.clone();
        let mut away = Builds::default();
        away.take(&mut builds);
        let left: Vec<_> = builds.keys().map(|key| &*key.digest).collect();
        assert_eq!(left, ["b", "c", "d"], "failed, empty, too large");
        // Twice is once.
        away.take(&mut builds);
        away.give_back(&mut builds);
        assert_eq!(builds, whole);
        away.give_back(&mut builds);
        assert_eq!(builds, whole);
    }

    #[test]
    fn what_json_does_not_bring_back_stays() {
        let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" },
            "data": { "float": 0.123_456_789_012_345_67 }, "more": 1.5e300 });
        let mut body = body;
        let mut deep = json!("deep");
        for _ in 0..200 {
            deep = json!([deep]);
        }
        body["deep"] = deep;
        let objects = vec![Rendered::new(body, "a.yaml".into()).unwrap()];
        let mut builds: Few<_, _> = [(key("a"), fact(BuildState::built(objects)))]
            .into_iter()
            .collect();
        let whole = builds.clone();
        Builds::default().take(&mut builds);
        assert_eq!(builds, whole);
    }
}
