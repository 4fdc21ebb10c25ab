//! Patches and replacements of a kustomization, read from where it names them.

use super::accumulate::Build;
use super::kustomization::{self, At, Kustomization, Patch};
use super::patch::{self, JsonPatch, StrategicPatch};
use super::plugin;
use super::problem::{Fault, Place};
use super::read::{self, Input};
use super::replace::ReplacementRule;
use super::transform::{Action, Prepared, Transformer};

impl Build<'_> {
    pub(super) fn prepared(&mut self, folder: &str, kustomization: &Kustomization) -> Prepared {
        let mut strategic = Vec::new();
        let before = self.problems.len();
        for entry in &kustomization.strategic_patches {
            strategic.extend(self.strategic(folder, &kustomization.file, entry));
        }
        if let Some(first) = kustomization.strategic_patches.first()
            && strategic.is_empty()
            && self.problems.len() == before
        {
            let what = "a patch: there is none in what is listed, and one";
            self.problems
                .push(first.place.problem(Fault::Missing { what }));
        }
        let patches = kustomization
            .patches
            .iter()
            .filter_map(|patch| self.patch(folder, &kustomization.file, patch))
            .collect();
        let json = kustomization
            .json_patches
            .iter()
            .filter_map(|patch| self.json_patch(folder, &kustomization.file, patch))
            .collect();
        let mut replacements = Vec::new();
        for replacement in &kustomization.replacements {
            replacements.extend(self.replacements(folder, replacement));
        }
        Prepared {
            strategic,
            patches,
            json,
            replacements,
        }
    }

    /// One entry of `patchesStrategicMerge`: a patch, or a file of patches.
    pub(super) fn strategic(
        &mut self,
        folder: &str,
        file: &str,
        entry: &At<String>,
    ) -> Vec<StrategicPatch> {
        let place = &entry.place;
        let text = if plugin::is_inline(&entry.value) {
            Input::inline(file, place.line, &entry.value).patch(&mut self.problems)
        } else {
            let root = self.root(folder);
            match read::bytes(root, entry, &mut self.problems) {
                Some((file, bytes)) => Input::file(&file, bytes).patch(&mut self.problems),
                None => None,
            }
        };
        match text {
            Some(patch::Text::Objects(objects)) => objects
                .into_iter()
                .map(|mut object| {
                    self.meet(&mut object);
                    let place = Place::new(&object.origin.file, object.origin.line, "");
                    StrategicPatch::by_name(place, object, self.schemas.clone())
                })
                .collect(),
            Some(patch::Text::Operations(_)) => {
                self.problems.push(place.problem(Fault::Unexpected {
                    found: "a list of JSON 6902 operations".to_owned(),
                    expected:
                        "a strategic merge patch; list it under patches, with a target".to_owned(),
                }));
                Vec::new()
            }
            Some(patch::Text::Nothing) | None => Vec::new(),
        }
    }

    /// One entry of `patches`.
    pub(super) fn patch(&mut self, folder: &str, file: &str, patch: &Patch) -> Option<Transformer> {
        let inline = patch.text.trim();
        let text = match (inline.is_empty(), patch.path.is_empty()) {
            (true, true) => {
                let what = "patch or path";
                self.problems
                    .push(patch.place.problem(Fault::Missing { what }));
                return None;
            }
            (false, false) => {
                let (first, second) = ("patch", "path");
                self.problems
                    .push(patch.place.problem(Fault::Both { first, second }));
                return None;
            }
            (false, true) => {
                Input::inline(file, patch.text_line, inline).patch(&mut self.problems)?
            }
            (true, false) => {
                let path = At {
                    value: patch.path.clone(),
                    place: patch.place.clone(),
                };
                let root = self.root(folder);
                let (file, bytes) = read::bytes(root, &path, &mut self.problems)?;
                Input::file(&file, bytes).patch(&mut self.problems)?
            }
        };
        patch::transformer(patch, text, &self.schemas, &mut self.problems)
    }

    /// One entry of `patchesJson6902`.
    pub(super) fn json_patch(
        &mut self,
        folder: &str,
        file: &str,
        patch: &Patch,
    ) -> Option<Transformer> {
        let fault = match (&patch.target, patch.text.is_empty(), patch.path.is_empty()) {
            (None, ..) => Some(Fault::Missing { what: "the target" }),
            (Some(target), ..) if target.name.is_empty() => Some(Fault::Missing {
                what: "the name of the target",
            }),
            (_, true, true) => Some(Fault::Missing {
                what: "patch or path",
            }),
            (_, false, false) => Some(Fault::Both {
                first: "patch",
                second: "path",
            }),
            _ => None,
        };
        if let Some(fault) = fault {
            self.problems.push(patch.place.problem(fault));
            return None;
        }
        let operations = if patch.path.is_empty() {
            Input::inline(file, patch.text_line, &patch.text).operations(&mut self.problems)?
        } else {
            let path = At {
                value: patch.path.clone(),
                place: patch.place.clone(),
            };
            let root = self.root(folder);
            let (file, bytes) = read::bytes(root, &path, &mut self.problems)?;
            Input::file(&file, bytes).operations(&mut self.problems)?
        };
        let target = patch.target.as_ref()?;
        match JsonPatch::new(patch.place.clone(), &operations, target, false) {
            Ok(json) => Some(Transformer {
                place: patch.place.clone(),
                kind: "PatchJson6902Transformer",
                configured: None,
                action: Action::Json(Box::new(json)),
            }),
            Err(fault) => {
                self.problems.push(patch.place.problem(fault));
                None
            }
        }
    }

    /// One entry of `replacements`: itself, or those of a file.
    pub(super) fn replacements(
        &mut self,
        folder: &str,
        replacement: &kustomization::Replacement,
    ) -> Vec<ReplacementRule> {
        if replacement.path.is_empty() {
            return ReplacementRule::new(replacement, &mut self.problems)
                .into_iter()
                .collect();
        }
        let place = &replacement.place;
        if replacement.source.is_some() || !replacement.targets.is_empty() {
            let (first, second) = ("path", "source and targets");
            self.problems
                .push(place.problem(Fault::Both { first, second }));
            return Vec::new();
        }
        let path = At {
            value: replacement.path.clone(),
            place: place.clone(),
        };
        let root = self.root(folder);
        let Some((file, bytes)) = read::bytes(root, &path, &mut self.problems) else {
            return Vec::new();
        };
        let Some(node) = Input::file(&file, bytes).settings(&mut self.problems) else {
            return Vec::new();
        };
        kustomization::replacements_file(&file, &node, &mut self.problems)
            .iter()
            .filter_map(|replacement| ReplacementRule::new(replacement, &mut self.problems))
            .collect()
    }
}
