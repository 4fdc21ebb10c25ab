//! Where the keys and values of generated objects come from.

use std::collections::BTreeMap;

use crate::kustomize::kustomization::{At, Generator};
use crate::kustomize::problem::Fault;
use crate::ledger::Problems;

/// Where files are read from, and what was read is counted.
pub(in crate::kustomize) trait Files {
    /// The bytes of a file that a kustomization names; a problem is noted where there is none.
    fn file(&mut self, path: &At<String>, problems: &mut Problems) -> Option<Vec<u8>>;
}

/// All keys and values of a generator. A key that comes twice is a problem.
pub(in crate::kustomize) fn pairs(
    generator: &Generator,
    files: &mut dyn Files,
    problems: &mut Problems,
) -> Option<BTreeMap<String, Vec<u8>>> {
    let before = problems.len();
    let mut all = Pairs {
        map: BTreeMap::new(),
        complete: true,
    };
    for env in &generator.sources.envs {
        match files.file(env, problems) {
            Some(bytes) => all.env(&bytes, env, problems),
            None => all.complete = false,
        }
    }
    for literal in &generator.sources.literals {
        match literal.value.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                all.add(key, unquoted(value).as_bytes().to_vec(), literal, problems);
            }
            _ => problems.push(literal.place.problem(Fault::Unexpected {
                found: "a literal without a key or without '='".to_owned(),
                expected: "key=value".to_owned(),
            })),
        }
    }
    for file in &generator.sources.files {
        let (key, path) = match source(&file.value) {
            Ok(source) => source,
            Err(found) => {
                problems.push(file.place.problem(Fault::Unexpected {
                    found: found.to_owned(),
                    expected: "a path, or key=path".to_owned(),
                }));
                continue;
            }
        };
        let path = At {
            value: path.to_owned(),
            place: file.place.clone(),
        };
        match files.file(&path, problems) {
            Some(bytes) => all.add(key, bytes, file, problems),
            None => all.complete = false,
        }
    }
    (all.complete && problems.len() == before).then_some(all.map)
}

struct Pairs {
    map: BTreeMap<String, Vec<u8>>,
    complete: bool,
}

impl Pairs {
    fn add(&mut self, key: &str, value: Vec<u8>, at: &At<String>, problems: &mut Problems) {
        if self.map.insert(key.to_owned(), value).is_some() {
            problems.push(at.place.problem(Fault::Other(format!(
                "the key {key:?} comes twice: keep one"
            ))));
        }
    }

    /// A file of `KEY=value` lines. Empty lines and those that begin with `#` don't count.
    fn env(&mut self, bytes: &[u8], at: &At<String>, problems: &mut Problems) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            problems.push(at.place.problem(Fault::Unexpected {
                found: format!("in {:?} text that is not UTF-8", at.value),
                expected: "lines of KEY=value".to_owned(),
            }));
            return;
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for line in text.split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            if !key.is_empty() {
                self.add(key, value.as_bytes().to_vec(), at, problems);
            }
        }
    }
}

/// Key and path of a `files` entry.
fn source(text: &str) -> Result<(&str, &str), &'static str> {
    match text.split('=').collect::<Vec<_>>().as_slice() {
        [path] => Ok((path.rsplit('/').next().unwrap_or(path), path)),
        ["", _] => Err("no key before '='"),
        [_, ""] => Err("no path after '='"),
        [key, path] => Ok((key, path)),
        _ => Err("more than one '='"),
    }
}

/// One pair of quotes around a value doesn't count.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return inner;
        }
    }
    value
}
