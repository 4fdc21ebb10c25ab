//! What is laid over a stage's built objects: patches and variables.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use stageset_api::choice::Choice;
use stageset_api::stageset::{self as api, SubstituteKind};

use super::problems::{Problems, SCHEMA, show};
use crate::names::ObjectName;

/// What is laid over a stage's built objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Overlay {
    /// Kustomize patches, in their order.
    pub patches: Vec<OverlayPatch>,
    /// Inline variables; they win over those of `variables_from`.
    pub variables: BTreeMap<String, String>,
    /// Where more variables come from; later ones win over earlier ones.
    pub variables_from: Vec<VariableReference>,
}

/// A kustomize patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverlayPatch {
    /// Strategic merge patch or JSON 6902 patch.
    pub patch: String,
    /// The members of its target by kustomize's names, if it has one.
    pub target: Option<BTreeMap<&'static str, String>>,
}

/// The two kinds that variables come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum VariableKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

impl VariableKind {
    /// The kind's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    /// The resource's name in URLs and in RBAC.
    pub fn plural(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmaps",
            Self::Secret => "secrets",
        }
    }
}

/// A ConfigMap or Secret of the StageSet's namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct VariableSource {
    /// Its kind.
    pub kind: VariableKind,
    /// Its name.
    pub name: ObjectName,
}

impl fmt::Display for VariableSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

/// A ConfigMap or Secret that variables are read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VariableReference {
    /// The object.
    pub source: VariableSource,
    /// Go on when it doesn't exist; every other failure still stops the stage.
    pub optional: bool,
}

/// Whether a text can be a variable's name: the rule of Flux's `postBuild`.
pub fn is_variable_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// The overlay of a stage; its problems make it incomplete.
pub(super) fn overlay(at: &str, stage: &api::Stage, problems: &mut Problems) -> Overlay {
    let mut overlay = Overlay::default();
    for (index, patch) in stage.patches.iter().enumerate() {
        if patch.patch.trim().is_empty() {
            let field = format!("{at}.patches[{index}].patch");
            problems.add(
                SCHEMA,
                field,
                "is empty: write a patch, or remove the entry",
            );
        }
        overlay.patches.push(OverlayPatch {
            patch: patch.patch.clone(),
            target: patch.target.as_ref().map(target),
        });
    }
    let Some(post_build) = &stage.post_build else {
        return overlay;
    };
    for (name, value) in &post_build.substitute {
        if is_variable_name(name) {
            overlay.variables.insert(name.clone(), value.clone());
        } else {
            let message = format!(
                "{} can't be the name of a variable: use letters, digits and '_', and don't begin \
                 with a digit",
                show(name)
            );
            problems.add(SCHEMA, format!("{at}.postBuild.substitute"), message);
        }
    }
    for (index, from) in post_build.substitute_from.iter().enumerate() {
        // A kind that is none of the two is reported with all other words.
        let kind = match &from.kind {
            Choice::Known(SubstituteKind::ConfigMap) => VariableKind::ConfigMap,
            Choice::Known(SubstituteKind::Secret) => VariableKind::Secret,
            Choice::Unknown(_) => continue,
        };
        match ObjectName::new(from.name.as_str()) {
            Ok(name) => overlay.variables_from.push(VariableReference {
                source: VariableSource { kind, name },
                optional: from.optional.unwrap_or(false),
            }),
            Err(invalid) => {
                let field = format!("{at}.postBuild.substituteFrom[{index}].name");
                let message = format!(
                    "{} is not a valid name of a {}: {}",
                    show(&from.name),
                    kind.as_str(),
                    invalid.rule()
                );
                problems.add(SCHEMA, field, message);
            }
        }
    }
    overlay
}

fn target(selector: &api::PatchSelector) -> BTreeMap<&'static str, String> {
    let members = [
        ("group", &selector.group),
        ("version", &selector.version),
        ("kind", &selector.kind),
        ("name", &selector.name),
        ("namespace", &selector.namespace),
        ("labelSelector", &selector.label_selector),
        ("annotationSelector", &selector.annotation_selector),
    ];
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect()
}
