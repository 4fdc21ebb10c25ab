//! Entering a folder: its kustomization file, and no way in circles.

use super::accumulate::Build;
use super::kustomization::{self, At, Kustomization};
use super::load::NAMES;
use super::problem::{Fault, Place};
use super::read::Input;

impl Build<'_> {
    /// Reads the kustomization file of a folder.
    pub(super) fn kustomization(&mut self, folder: &str, place: &Place) -> Option<Kustomization> {
        let path = |name: &str| {
            if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            }
        };
        let files: Vec<String> = NAMES
            .iter()
            .map(|name| path(name))
            .filter(|file| self.tree.get(file).is_some())
            .collect();
        let [file] = files.as_slice() else {
            let problem = match files.split_first() {
                None => place.problem(Fault::NoKustomization {
                    folder: folder.to_owned(),
                }),
                Some((first, others)) => {
                    let others = others.to_vec();
                    Place::new(first, 0, "").problem(Fault::SeveralKustomizations { others })
                }
            };
            self.problems.push(problem);
            return None;
        };
        let bytes = self.tree.get(file)?;
        if !self.problems.bytes(bytes.len()) {
            return None;
        }
        let before = self.problems.len();
        let input = Input::file(file, bytes);
        if let Some(node) = input.settings(&mut self.problems) {
            return Some(kustomization::read(file, &node, &mut self.problems));
        }
        if self.problems.len() == before {
            let place = Place::new(file, 0, "");
            self.problems.push(place.problem(Fault::Empty));
        }
        None
    }

    pub(super) fn wrong_kind(
        &mut self,
        folder: &str,
        found: &'static str,
        expected: &'static str,
        place: &Place,
    ) {
        self.problems.push(place.problem(Fault::WrongKind {
            folder: folder.to_owned(),
            found,
            expected,
        }));
    }

    /// Whether a folder may be entered: not if it is one that is being built, or holds one.
    pub(super) fn check_cycle(&mut self, folder: &str, path: &At<String>) -> bool {
        let holds = |visited: &String| {
            folder.is_empty()
                || visited == folder
                || visited
                    .strip_prefix(folder)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        let same = self.way.iter().find(|visited| *visited == folder);
        let Some(visited) = same.or_else(|| self.way.iter().find(|visited| holds(visited))) else {
            return true;
        };
        let fault = Fault::Cycle {
            path: path.value.clone(),
            visited: visited.clone(),
        };
        self.problems.push(path.place.problem(fault));
        false
    }
}
