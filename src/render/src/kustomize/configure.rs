//! What a kustomization says of fields and kinds: `configurations`, `crds`, `openapi`.

use std::sync::Arc;

use super::accumulate::{Accumulated, Build};
use super::config::{self, Config, Conflict};
use super::kustomization::{At, Kustomization, OpenApi, Reader};
use super::open_api::{Document, Schemas};
use super::problem::{Fault, Place};
use super::read::{self, Input};
use crate::yaml::Node;

impl Build<'_> {
    pub(super) fn merge_config(
        &mut self,
        own: &mut Arc<Config>,
        other: &Arc<Config>,
        place: &Place,
    ) {
        let merged = config::merged(own, other);
        if let Some(merged) = self.noted(merged, place) {
            *own = merged;
        }
    }

    /// `configurations` and `crds`.
    pub(super) fn configurations(
        &mut self,
        folder: &str,
        kustomization: &Kustomization,
        all: &mut Accumulated,
    ) {
        let mut own = Config::default();
        for path in &kustomization.configurations {
            let Some((file, node)) = self.settings(folder, path) else {
                continue;
            };
            let read = config::from_file(&node, &mut Reader::new(&file, &mut self.problems));
            self.noted(own.merge(&read), &path.place);
        }
        let mut with_defaults = config::defaults();
        if !kustomization.configurations.is_empty() {
            let mut merged = Config::clone(&with_defaults);
            let place = Place::new(&kustomization.file, 0, "configurations");
            self.noted(merged.merge(&own), &place);
            with_defaults = Arc::new(merged);
        }
        let place = Place::new(&kustomization.file, 0, "");
        self.merge_config(&mut all.config, &with_defaults, &place);
        for path in &kustomization.crds {
            let Some((_, node)) = self.settings(folder, path) else {
                continue;
            };
            let read = config::from_crds(&node).map(Arc::new);
            if let Some(read) = self.noted(read, &path.place) {
                self.merge_config(&mut all.config, &read, &path.place);
            }
        }
    }

    /// `openapi`: the first one counts, but that of the kustomization that is built before all.
    pub(super) fn open_api(&mut self, folder: &str, open_api: &OpenApi) {
        let place = &open_api.place;
        let Some(path) = &open_api.path else {
            if let Some(version) = &open_api.version
                && version != "v1.21.2"
            {
                self.problems.push(place.problem(Fault::Unexpected {
                    found: format!("the version {version:?}"),
                    expected: "v1.21.2, the only one that is built in".to_owned(),
                }));
            }
            return;
        };
        let path = At {
            value: path.clone(),
            place: place.clone(),
        };
        let Some((file, node)) = self.settings(folder, &path) else {
            return;
        };
        if open_api.version.is_some() {
            let (first, second) = ("path", "version");
            let problem = place.problem(Fault::Both { first, second });
            self.problems.push(problem);
        }
        if self.schemas.is_custom() {
            return;
        }
        match Document::read(&node) {
            Ok(document) => self.schemas = Schemas::with(document, self.built_in),
            Err(found) => self
                .problems
                .push(Place::new(&file, 0, "").problem(Fault::Unexpected {
                    found,
                    expected: "an OpenAPI document with definitions".to_owned(),
                })),
        }
    }

    /// A file of settings that a kustomization names.
    fn settings(&mut self, folder: &str, path: &At<String>) -> Option<(String, Node)> {
        let root = self.root(folder);
        let (file, bytes) = read::bytes(root, path, &mut self.problems)?;
        let node = Input::file(&file, bytes).settings(&mut self.problems)?;
        Some((file, node))
    }

    fn noted<T>(&mut self, result: Result<T, Conflict>, place: &Place) -> Option<T> {
        result
            .map_err(|conflict| {
                self.problems.push(place.problem(Fault::Other(format!(
                    "two entries for the field {:?} disagree on \"create\"",
                    conflict.path
                ))));
            })
            .ok()
    }
}
