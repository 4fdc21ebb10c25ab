//! Differences that are there on purpose, each with its reason.
//!
//! A difference may stand here only if a user could never have wanted what the original does, or if
//! a bound that protects others needs it. What the original merely does oddly is matched.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::outcome::Outcome;

type Files = BTreeMap<String, Vec<u8>>;

/// A difference that isn't counted as one.
pub struct Known {
    /// A short name, for the count.
    pub name: &'static str,
    /// Why it is right.
    pub reason: &'static str,
    /// What one of the files must hold for it to be this.
    pub input: &'static str,
    /// Whether this is it: what ours gave, what the original gave.
    pub is: fn(&Outcome, &Outcome) -> bool,
}

/// All of them.
pub const KNOWN: &[Known] = &[
    Known {
        name: "labels and annotations of other types",
        reason: "the API server refuses a label or annotation that isn't a text; kustomize passes \
                 some of them on, ours says where it stands",
        input: "",
        is: |ours, _| {
            every_problem(ours, |text| {
                (text.contains("metadata.labels") || text.contains("metadata.annotations"))
                    && text.contains("expected a string; put it in quotes")
            })
        },
    },
    Known {
        name: "unknown behavior",
        reason: "a generator's behavior that is none counts as none in kustomize, which hides a slip",
        input: "",
        is: |ours, _| every_problem(ours, |text| text.contains("found the behavior")),
    },
    Known {
        name: "directives of Kubernetes",
        reason: "kustomize writes $retainKeys, $setElementOrder and $deleteFromPrimitiveList into the \
                 object, which the API server refuses; ours does what they say",
        input: "",
        is: |ours, original| {
            let mut bare = original.clone();
            take_directives(&mut bare) && ours.difference(&bare).is_none()
        },
    },
    Known {
        name: "mappings and lists in the place of texts",
        reason: "a replacement of a scalar by a mapping or list empties it in kustomize, without a \
                 word; ours says where",
        input: "",
        is: |ours, _| {
            // What the same replacements couldn't do after it may follow from it. In a file of their own
            // only the field tells them.
            every_problem(ours, |text| {
                text.contains("replacements") || text.contains("targets[")
            }) && first_problem(ours, |text| {
                text.contains("but a scalar stands here")
                    || text.contains("a text as the source, since there is a delimiter")
            })
        },
    },
    Known {
        name: "texts in the place of numbers",
        reason: "a replacement that gives a number a text fails there and then; in kustomize it fails \
                 at the end, if the field is still there",
        input: "",
        is: |ours, _| {
            every_problem(ours, |text| {
                text.contains("and the source is of another type")
            })
        },
    },
    Known {
        name: "names of digits",
        reason: "a name is a text, also one of digits that a replacement made; kustomize writes a \
                 number, which the API server refuses",
        input: "",
        is: |ours, original| {
            let mut texts = original.clone();
            // An object may have both.
            take_directives(&mut texts);
            names_as_texts(ours, &mut texts) && ours.difference(&texts).is_none()
        },
    },
    Known {
        name: "marks of validators beside labels",
        reason: "a validator that marks an object with labels of its own changes nothing; kustomize \
                 compares the places of its labels too, and fails",
        input: "",
        is: |ours, original| match (ours, original) {
            (Outcome::Built(_), Outcome::Failed(error)) => nothing_unequal(error),
            _ => false,
        },
    },
    Known {
        name: "a dash in brackets",
        reason: "YAML forbids [-] and {a: -}; kustomize takes the dash as a text, ours says where",
        input: "",
        is: |ours, _| {
            every_problem(ours, |text| {
                text.contains("plain scalar cannot start with '-' followed by")
            })
        },
    },
    Known {
        name: "folded texts",
        reason: "kustomize writes a folded text (>) with lines that are indented more so that they \
                 come back with an empty line before them; ours keeps the text",
        input: "",
        is: |ours, original| {
            let (mut ours, mut theirs) = (ours.clone(), original.clone());
            close_up(&mut ours);
            close_up(&mut theirs);
            ours.difference(&theirs).is_none()
        },
    },
    Known {
        name: "paths without a kustomization file",
        reason: "such a path is built as if a kustomization listed its files, as Flux does; the \
                 kustomize command refuses it",
        input: "",
        is: |ours, original| match (ours, original) {
            (Outcome::Built(_), Outcome::Failed(error)) => {
                error.starts_with("unable to find one of 'kustomization.yaml'")
            }
            _ => false,
        },
    },
    Known {
        name: "paths above the root",
        reason: "what lies above the root of a file system is the root for kustomize; a source has \
                 nothing above its root",
        input: "",
        is: |ours, original| {
            matches!(original, Outcome::Built(_))
                && every_problem(ours, |text| {
                    text.contains("leaves the tree: only what lies in it can be built")
                })
        },
    },
    Known {
        name: "objects without apiVersion",
        reason: "the API server would refuse them; kustomize passes them on",
        input: "",
        is: |ours, original| {
            matches!(original, Outcome::Built(_))
                && every_problem(ours, |text| text.contains("has no apiVersion"))
        },
    },
    Known {
        name: "hashes of other kinds",
        reason: "the hash of what a patch made another kind than ConfigMap or Secret is one of lines, \
                 columns and comments in kustomize, so that a space changes a name; ours refuses it",
        input: "allowKindChange",
        is: |ours, _| {
            every_problem(ours, |text| {
                text.contains("a name with a hash for the kind")
            })
        },
    },
    Known {
        name: "elements without the key of their list",
        reason: "kustomize drops the element of a patch that has no key, and every element of the \
                 object with it; ours says which element, and which key",
        input: "",
        is: |ours, original| {
            matches!(original, Outcome::Built(_))
                && every_problem(ours, |text| {
                    text.contains("the patch's element on line")
                        && text.contains("by which the list is merged")
                })
        },
    },
    Known {
        name: "objects that are there twice",
        reason: "kustomize looks for objects of one identity without those of local configuration, \
                 and then keeps both: the second would overwrite the first",
        input: "config.kubernetes.io/local-config",
        is: |ours, original| {
            every_problem(ours, |text| text.contains("is defined twice"))
                && holds_one_twice(original)
        },
    },
    Known {
        name: "documents after `...`",
        reason: "kustomize drops what stands after the mark that ends a document, without a word; \
                 ours reads it",
        input: "\n...",
        is: more_documents,
    },
    Known {
        name: "documents after lines that end with a carriage return alone",
        reason: "kustomize looks for the `---` between documents after a line feed only, and drops \
                 what comes after the first; ours reads all",
        input: "\r---",
        is: more_documents,
    },
];

/// Whether two objects that were built have one identity.
fn holds_one_twice(outcome: &Outcome) -> bool {
    let Outcome::Built(objects) = outcome else {
        return false;
    };
    let identity = |object: &Value| {
        [
            "/apiVersion",
            "/kind",
            "/metadata/namespace",
            "/metadata/name",
        ]
        .map(|field| object.pointer(field).cloned())
    };
    objects.iter().enumerate().any(|(at, object)| {
        objects[..at]
            .iter()
            .any(|other| identity(other) == identity(object))
    })
}

/// Whether ours has what the original has, and more after it.
fn more_documents(ours: &Outcome, original: &Outcome) -> bool {
    match (ours, original) {
        (Outcome::Built(ours), Outcome::Built(theirs)) => {
            theirs.len() < ours.len() && ours.starts_with(theirs)
        }
        _ => false,
    }
}

/// Makes one line break of several, in every text.
fn close_up(outcome: &mut Outcome) {
    fn within(value: &mut Value) {
        match value {
            Value::String(text) => {
                while text.contains("\n\n") {
                    *text = text.replace("\n\n", "\n");
                }
            }
            Value::Array(items) => items.iter_mut().for_each(within),
            Value::Object(entries) => entries.values_mut().for_each(within),
            _ => {}
        }
    }
    if let Outcome::Built(objects) = outcome {
        objects.iter_mut().for_each(within);
    }
}

/// Makes texts of names that are numbers, and of what refers to them; tells whether there were any.
fn names_as_texts(ours: &Outcome, theirs: &mut Outcome) -> bool {
    fn within(ours: &Value, theirs: &mut Value, names: &[String]) {
        match (ours, &mut *theirs) {
            (Value::String(text), Value::Number(number))
                if names.contains(text) && number.to_string() == text.as_str() =>
            {
                *theirs = Value::String(text.clone());
            }
            (Value::Array(ours), Value::Array(theirs)) => {
                for (ours, theirs) in ours.iter().zip(theirs) {
                    within(ours, theirs, names);
                }
            }
            (Value::Object(ours), Value::Object(theirs)) => {
                for (key, theirs) in theirs {
                    within(ours.get(key).unwrap_or(&Value::Null), theirs, names);
                }
            }
            _ => {}
        }
    }
    let (Outcome::Built(ours), Outcome::Built(theirs)) = (ours, theirs) else {
        return false;
    };
    let names: Vec<String> = ours
        .iter()
        .filter_map(|object| object.pointer("/metadata/name")?.as_str())
        .filter(|name| name.parse::<f64>().is_ok())
        .map(str::to_owned)
        .collect();
    for (ours, theirs) in ours.iter().zip(theirs) {
        within(ours, theirs, &names);
    }
    !names.is_empty()
}

/// Whether kustomize says of a validator that two nodes are unequal, and prints the same for both.
/// What it says may be quoted several times.
fn nothing_unequal(error: &str) -> bool {
    let mut text = error.to_owned();
    while text.contains("\\n") || text.contains("\\\"") {
        text = text.replace("\\n", "\n").replace("\\\"", "\"");
    }
    let Some((_, nodes)) = text.split_once("nodes unequal: \n -- ") else {
        return false;
    };
    match nodes.split_once(",\n -- ") {
        Some((one, rest)) => rest
            .split_once("\n\n--")
            .is_some_and(|(other, _)| one == other),
        None => false,
    }
}

/// Takes the directives out of what the original built; tells whether there were any.
fn take_directives(outcome: &mut Outcome) -> bool {
    fn take(value: &mut Value, taken: &mut usize) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| take(item, taken)),
            Value::Object(entries) => {
                let before = entries.len();
                entries.retain(|key, _| {
                    key != "$retainKeys"
                        && !key.starts_with("$setElementOrder/")
                        && !key.starts_with("$deleteFromPrimitiveList/")
                });
                *taken += before - entries.len();
                entries.values_mut().for_each(|value| take(value, taken));
            }
            _ => {}
        }
    }
    let mut taken = 0;
    if let Outcome::Built(objects) = outcome {
        for object in objects {
            take(object, &mut taken);
        }
    }
    taken > 0
}

/// Whether ours failed, and all its problems are of a kind.
fn every_problem(ours: &Outcome, is: impl Fn(&str) -> bool) -> bool {
    matches!(ours, Outcome::Failed(problems) if problems.lines().all(is))
}

/// Whether ours failed, and the first of its problems is of a kind.
fn first_problem(ours: &Outcome, is: impl Fn(&str) -> bool) -> bool {
    matches!(ours, Outcome::Failed(problems) if problems.lines().next().is_some_and(is))
}

/// The first known difference that explains these outcomes.
pub fn explains(files: &Files, ours: &Outcome, original: &Outcome) -> Option<&'static Known> {
    let holds = |text: &str| {
        files
            .values()
            .any(|bytes| String::from_utf8_lossy(bytes).contains(text))
    };
    KNOWN
        .iter()
        .find(|known| (known.is)(ours, original) && holds(known.input))
}
