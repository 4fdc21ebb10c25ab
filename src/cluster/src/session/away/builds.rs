//! Builds. Failures stay, with what rests on them.

use serde_json::{Value, json};
use stageset_core::failure::Fact;
use stageset_core::few::Few;
use stageset_core::object::Rendered;
use stageset_core::observation::{BuildKey, BuildState};
use stageset_core::time::Timestamp;

use super::text;

type Builds = Few<BuildKey, Fact<BuildState>>;

pub(super) fn lines(builds: &Builds) -> Vec<Value> {
    let lines = builds.iter();
    lines
        .filter_map(|(key, fact)| {
            let objects = objects_of(fact)?;
            let key = json!([key.digest, key.path, key.overlay]);
            Some(json!([key, fact.at.as_millis(), fact.failures, objects]))
        })
        .collect()
}

pub(super) fn forget(builds: &mut Builds) {
    builds.retain(|_, fact| objects_of(fact).is_none());
}

pub(super) fn give_back(value: &Value, builds: &mut Builds) {
    for line in super::lines(value) {
        // What isn't had back is built again.
        if let Some((key, fact)) = read(line) {
            builds.insert(key, fact);
        }
    }
}

/// For each object where it comes from and its text; `None` if one has none that reads as itself.
fn objects_of(fact: &Fact<BuildState>) -> Option<Vec<[&str; 2]>> {
    let BuildState::Built(objects) = &fact.value else {
        return None;
    };
    let objects = objects.iter();
    objects
        .map(|object| Some([&*object.origin, object.body.text()?]))
        .collect()
}

fn read(line: &Value) -> Option<(BuildKey, Fact<BuildState>)> {
    let [key, at, failures, objects] = line.as_array()?.as_slice() else {
        return None;
    };
    let object = |object: &Value| {
        let body = serde_json::from_str(object[1].as_str()?).ok()?;
        Rendered::new(body, text(&object[0])?)
    };
    let key = BuildKey {
        digest: text(&key[0])?,
        path: text(&key[1])?,
        overlay: text(&key[2])?,
    };
    let objects: Option<Vec<Rendered>> = super::lines(objects).map(object).collect();
    let fact = Fact {
        value: BuildState::built(objects?),
        at: Timestamp::from_millis(at.as_i64()?),
        failures: u32::try_from(failures.as_u64()?).ok()?,
    };
    Some((key, fact))
}

#[cfg(test)]
pub(super) mod tests {
    use stageset_core::failure::{Failure, FailureClass};

    use super::*;

    fn key(digest: &str) -> BuildKey {
        BuildKey {
            digest: digest.into(),
            path: "./".into(),
            overlay: "o".into(),
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

    /// A few builds, one with this text; all but the one that failed can be taken.
    pub(crate) fn some(text: &str) -> Builds {
        let failed = BuildState::Failed(Failure::new(FailureClass::Terminal, "no"));
        let builds = [
            (key("a"), built(12, text)),
            (key("b"), fact(failed)),
            (key("c"), built(0, "")),
        ];
        builds.into_iter().collect()
    }

    #[test]
    fn what_is_taken_comes_back_as_it_was() {
        let whole = some("one");
        let lines = Value::from(lines(&whole));
        let mut builds = whole.clone();
        forget(&mut builds);
        let left: Vec<_> = builds.keys().map(|key| &*key.digest).collect();
        assert_eq!(left, ["b"], "what failed");
        give_back(&lines, &mut builds);
        assert_eq!(builds, whole);
    }

    #[test]
    fn what_json_does_not_bring_back_stays() {
        let mut deep = json!("deep");
        for _ in 0..200 {
            deep = json!([deep]);
        }
        let body = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" },
                           "data": deep });
        let objects = vec![Rendered::new(body, "a.yaml".into()).unwrap()];
        let mut builds: Builds = [(key("a"), fact(BuildState::built(objects)))]
            .into_iter()
            .collect();
        let whole = builds.clone();
        assert!(lines(&builds).is_empty());
        forget(&mut builds);
        assert_eq!(builds, whole);
    }
}
