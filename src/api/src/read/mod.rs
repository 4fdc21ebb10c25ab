//! JSON into the types of this crate, without giving up at the first fault.
//!
//! Anybody may have written what we read: a bypassed admission, an older controller, an attacker.
//! Two answers are needed, and both come from one reader:
//!
//! - [`strict`] for specs: the value *and* every fault with the path of its field. A faulty field
//!   reads as blank (`None`, `""`, `0`, an empty list), so the rules about all other fields still
//!   run and everything that is wrong can be reported at once. Unknown fields are faults.
//! - [`tolerant`] for status, metadata and records: faulty fields and list elements are left out
//!   silently, and unknown fields don't matter.
//!
//! A field is tried until its value fits, so the number of attempts is bounded
//! ([`MOST_FAULTS`]); beyond it whole top-level fields are given up.

mod reader;

use std::collections::BTreeSet;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use reader::{Amends, ReadError, Reader};

/// So many faults are told apart; a value with more of them is reported as such.
pub const MOST_FAULTS: usize = 50;

/// One step from a value into a part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Field of an object, or key of a map.
    Field(String),
    /// Element of a list.
    Index(usize),
}

/// Where a part of a value is.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The path as people write it, below `root`: `spec.stages[1].name`.
    pub fn below(&self, root: &str) -> String {
        let mut text = root.to_owned();
        for step in &self.0 {
            match step {
                Step::Field(name) if plain(name) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(name);
                }
                Step::Field(name) => {
                    let short: String = name.chars().take(64).collect();
                    text.extend(["[", &format!("{short:?}"), "]"]);
                }
                Step::Index(index) => text.extend(["[", &index.to_string(), "]"]),
            }
        }
        text
    }
}

fn plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.below(""))
    }
}

/// A part of a value that doesn't fit its type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where.
    pub path: Path,
    /// What was found, and what is wanted.
    pub message: String,
}

/// Reads a value, and says everything that is wrong with its shape, in the order of its paths.
///
/// The value answers `None` only if there are more than [`MOST_FAULTS`] misfits.
pub fn strict<T: DeserializeOwned>(value: &Value) -> (Option<T>, Vec<Fault>) {
    let mut amends = Amends::default();
    let mut faults: BTreeSet<Fault> = BTreeSet::new();
    loop {
        let reader = Reader::strict(value, &amends);
        let outcome = T::deserialize(&reader);
        match outcome {
            Ok(read) => {
                faults.extend(reader.into_unknown());
                return (Some(read), faults.into_iter().collect());
            }
            Err(ReadError { path, message }) => {
                let path = Path(path.into_iter().rev().collect());
                faults.insert(Fault {
                    path: path.clone(),
                    message,
                });
                // A second fault at one place means that not even a blank fits.
                if faults.len() > MOST_FAULTS || !amends.blank(path) {
                    return (None, faults.into_iter().collect());
                }
            }
        }
    }
}

/// Reads what can be read of a value, and leaves out the rest.
pub fn tolerant<T: DeserializeOwned + Default>(value: &Value) -> T {
    let mut amends = Amends::default();
    let mut attempts = 0;
    loop {
        match T::deserialize(&Reader::tolerant(value, &amends)) {
            Ok(read) => return read,
            Err(ReadError { mut path, .. }) => {
                attempts += 1;
                path.reverse();
                if attempts > MOST_FAULTS {
                    path.truncate(1);
                }
                // Left out and still a misfit: it is required, so what it belongs to goes.
                loop {
                    if path.is_empty() {
                        return T::default();
                    }
                    if amends.blank(Path(path.clone())) {
                        break;
                    }
                    path.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Outer {
        title: String,
        #[serde(default)]
        inner: Option<Inner>,
        #[serde(default)]
        list: Vec<Inner>,
        #[serde(default)]
        texts: BTreeMap<String, String>,
        #[serde(default)]
        numbers: Vec<i32>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Inner {
        name: String,
        #[serde(default)]
        count: Option<i32>,
    }

    fn faults(value: &Value) -> Vec<String> {
        strict::<Outer>(value)
            .1
            .into_iter()
            .map(|f| format!("{}: {}", f.path.below("spec"), f.message))
            .collect()
    }

    #[test]
    fn every_misfit_is_told_with_its_path() {
        let value = json!({
            "inner": {"name": 7, "count": "many", "extra": 1},
            "list": [{"name": "a"}, {"count": 3_000_000_000_u64}, null, "x"],
            "texts": {"a": 1, "b.c/d": "ok", "b c": []},
            "numbers": [1, "two"],
        });
        assert_eq!(
            faults(&value),
            [
                "spec.inner.count: a whole number is expected, found the text \"many\"",
                "spec.inner.extra: unknown field; the fields here are name, count",
                "spec.inner.name: a text is expected, found the number 7",
                "spec.list[1].count: a whole number from -2147483648 to 2147483647 is expected, found the number 3000000000",
                "spec.list[1].name: is required",
                "spec.list[2]: an object is expected, found null",
                "spec.list[2].name: is required",
                "spec.list[3]: an object is expected, found the text \"x\"",
                "spec.list[3].name: is required",
                "spec.numbers[1]: a whole number is expected, found the text \"two\"",
                "spec.texts.a: a text is expected, found the number 1",
                "spec.texts[\"b c\"]: a text is expected, found a list",
                "spec.title: is required",
            ]
        );
    }

    #[test]
    fn what_fits_survives_beside_what_does_not() {
        let value = json!({"title": "t", "list": [5, {"name": "b", "count": 2}], "inner": null});
        let (read, faults) = strict::<Outer>(&value);
        let read = read.unwrap();
        assert_eq!(read.title, "t");
        assert_eq!(
            read.list[1],
            Inner {
                name: "b".into(),
                count: Some(2)
            }
        );
        assert_eq!(read.list.len(), 2, "indexes must not shift");
        assert!(
            faults.iter().any(|f| f.path.below("") == "inner"),
            "{faults:?}"
        );
    }

    #[test]
    fn the_tolerant_reader_leaves_out_the_smallest_part() {
        let value = json!({
            "title": "t",
            "unknown": {"a": [1]},
            "inner": {"name": "n", "count": "many"},
            "list": [{"name": "a"}, 5, {"count": 1}, {"name": "c", "count": false}],
            "texts": {"a": 1, "b": "ok"},
            "numbers": "none",
        });
        let read: Outer = tolerant(&value);
        assert_eq!(read.title, "t");
        assert_eq!(
            read.inner,
            Some(Inner {
                name: "n".into(),
                count: None
            })
        );
        assert_eq!(
            read.list,
            [
                Inner {
                    name: "a".into(),
                    count: None
                },
                Inner {
                    name: "c".into(),
                    count: None
                }
            ]
        );
        assert_eq!(
            read.texts,
            BTreeMap::from([("b".to_owned(), "ok".to_owned())])
        );
        assert!(read.numbers.is_empty());
    }

    #[test]
    fn a_flood_of_faults_ends() {
        let list: Vec<Value> = (0..5_000).map(|i| json!({"name": i})).collect();
        let value = json!({"title": "t", "list": list, "texts": {"a": "b"}});
        let (read, faults) = strict::<Outer>(&value);
        assert!(read.is_none());
        assert_eq!(faults.len(), MOST_FAULTS + 1);
        let read: Outer = tolerant(&value);
        assert_eq!(
            (read.title.as_str(), read.list.len(), read.texts.len()),
            ("t", 0, 1)
        );
    }

    #[test]
    fn no_root_is_too_odd() {
        for value in [
            json!(null),
            json!([]),
            json!("x"),
            json!(1e300),
            json!(true),
        ] {
            assert_eq!(tolerant::<Outer>(&value), Outer::default());
            let found = faults(&value);
            assert!(
                found[0].starts_with("spec: an object is expected"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn long_texts_are_not_repeated() {
        let found = faults(&json!({"title": ["x".repeat(1 << 20)], "inner": "y".repeat(1 << 20)}));
        assert!(found.iter().all(|f| f.len() < 200), "{found:?}");
    }
}
