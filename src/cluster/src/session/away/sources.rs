//! What sources offer. Anything else about them stays.

use serde_json::{Value, json};
use stageset_core::failure::Fact;
use stageset_core::few::Few;
use stageset_core::names::Namespace;
use stageset_core::observation::{Artifact, SourceState};
use stageset_core::spec::SourceReference;
use stageset_core::time::Timestamp;

use super::text;

type Sources = Few<SourceReference, Fact<SourceState>>;

pub(super) fn lines(sources: &Sources) -> Vec<Value> {
    let lines = sources.iter();
    lines
        .filter_map(|(source, fact)| {
            let SourceState::Ready(artifact) = &fact.value else {
                return None;
            };
            Some(json!([
                [
                    source.api_version,
                    source.kind,
                    source.namespace.as_str(),
                    source.name
                ],
                [artifact.url, artifact.digest, artifact.revision],
                fact.at.as_millis(),
                fact.failures,
            ]))
        })
        .collect()
}

pub(super) fn forget(sources: &mut Sources) {
    sources.retain(|_, fact| !matches!(fact.value, SourceState::Ready(_)));
}

pub(super) fn give_back(value: &Value, sources: &mut Sources) {
    for line in super::lines(value) {
        if let Some((source, fact)) = read(line) {
            sources.insert(source, fact);
        }
    }
}

fn read(line: &Value) -> Option<(SourceReference, Fact<SourceState>)> {
    let [source, artifact, at, failures] = line.as_array()?.as_slice() else {
        return None;
    };
    let source = SourceReference {
        api_version: text(&source[0])?,
        kind: text(&source[1])?,
        namespace: Namespace::new(source[2].as_str()?).ok()?,
        name: text(&source[3])?,
    };
    let artifact = Artifact {
        url: text(&artifact[0])?,
        digest: text(&artifact[1])?,
        revision: text(&artifact[2])?,
    };
    let fact = Fact {
        value: SourceState::Ready(artifact),
        at: Timestamp::from_millis(at.as_i64()?),
        failures: u32::try_from(failures.as_u64()?).ok()?,
    };
    Some((source, fact))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Some sources, of which one offers something.
    pub(crate) fn some() -> Sources {
        let of = |name: &str, value: SourceState| {
            let source = SourceReference {
                api_version: "source.toolkit.fluxcd.io/v1".into(),
                kind: "GitRepository".into(),
                namespace: Namespace::new("payments").unwrap(),
                name: name.into(),
            };
            let fact = Fact {
                value,
                at: Timestamp::from_millis(9),
                failures: 1,
            };
            (source, fact)
        };
        let artifact = Artifact {
            url: "http://source/app.tar.gz".into(),
            digest: "sha256:00".into(),
            revision: "main@sha1:1".into(),
        };
        let unready = SourceState::NotReady {
            message: "no".into(),
            artifact: Some(artifact.clone()),
        };
        let sources = [
            of("app", SourceState::Ready(artifact)),
            of("gone", SourceState::Absent),
            of("slow", unready),
        ];
        sources.into_iter().collect()
    }

    #[test]
    fn what_is_taken_comes_back_as_it_was() {
        let whole = some();
        let lines = Value::from(lines(&whole));
        let mut sources = whole.clone();
        forget(&mut sources);
        assert_eq!(sources.len(), 2);
        give_back(&lines, &mut sources);
        assert_eq!(sources, whole);
    }
}
