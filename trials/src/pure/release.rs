//! Specs and builds of the trials, made once for each shape and shared by all runs of a thread.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use stageset_core::object::Rendered;
use stageset_core::observation::BuildState;
use stageset_core::spec::{Problem, Spec, parse};

use crate::setup::{
    Accounts, Feature, Flavour, NAME, NAMESPACE, STAGES, Setup, Variant, job, probe,
};

type Parsed = Result<Arc<Spec>, Vec<Problem>>;
type Shape = (usize, u8, u8, bool, bool, BTreeSet<Feature>);
/// What of a setup its manifests depend on: stages, objects, one source, flavour, and two features.
type Contents = (usize, u8, bool, bool, bool, bool);

thread_local! {
    static SPECS: RefCell<BTreeMap<Shape, BTreeMap<Variant, Parsed>>> =
        const { RefCell::new(BTreeMap::new()) };
    static BUILDS: RefCell<BTreeMap<Contents, BTreeMap<(Folder, usize, u8, u8), BuildState>>> =
        const { RefCell::new(BTreeMap::new()) };
}

/// A folder of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Folder {
    /// What the stage delivers.
    Objects,
    /// The Jobs of an action.
    Jobs,
    /// The transient objects of an action.
    Probe,
}

impl Folder {
    /// The folder of a path, and the stage that it belongs to.
    pub(super) fn parse(path: &str) -> Option<(Self, usize)> {
        let (name, folder) = match path.split_once('-') {
            None => (path, Self::Objects),
            Some((name, "jobs")) => (name, Self::Jobs),
            Some((name, "probe")) => (name, Self::Probe),
            Some(_) => return None,
        };
        let stage = STAGES.iter().position(|stage| *stage == name)?;
        Some((folder, stage))
    }
}

fn shape(setup: &Setup) -> Shape {
    let accounts = match setup.accounts {
        Accounts::Shared => 0,
        Accounts::Each => 1,
        Accounts::None => 2,
    };
    (
        setup.stages,
        setup.objects,
        accounts,
        setup.one_source,
        setup.flavour == Flavour::Platform,
        setup.features.clone(),
    )
}

fn contents(setup: &Setup) -> Contents {
    (
        setup.stages,
        setup.objects,
        setup.one_source,
        setup.flavour == Flavour::Platform,
        setup.has(Feature::Variables),
        setup.has(Feature::Recreate),
    )
}

/// The spec as the production parser reads it.
pub(super) fn spec(setup: &Setup, variant: &Variant) -> Parsed {
    SPECS.with_borrow_mut(|specs| {
        let of_shape = specs.entry(shape(setup)).or_default();
        of_shape
            .entry(variant.clone())
            .or_insert_with(|| parse(NAMESPACE, NAME, &setup.spec(variant)).map(Arc::new))
            .clone()
    })
}

/// What a folder builds to at a revision, with a value of the variable.
pub(super) fn build(
    setup: &Setup,
    folder: Folder,
    stage: usize,
    revision: u8,
    level: u8,
) -> BuildState {
    BUILDS.with_borrow_mut(|builds| {
        let of_contents = builds.entry(contents(setup)).or_default();
        of_contents
            .entry((folder, stage, revision, level))
            .or_insert_with(|| BuildState::built(rendered(setup, folder, stage, revision, level)))
            .clone()
    })
}

fn rendered(setup: &Setup, folder: Folder, stage: usize, revision: u8, level: u8) -> Vec<Rendered> {
    let manifests: Vec<Value> = match folder {
        Folder::Objects => {
            let items = setup.items(stage, revision).into_iter();
            items
                .map(|item| {
                    let content = if setup.has(Feature::Variables) {
                        format!("{}.{level}", item.content)
                    } else {
                        item.content.clone()
                    };
                    item.manifest_with(&content)
                })
                .collect()
        }
        Folder::Jobs => vec![job()],
        Folder::Probe => vec![probe(stage)],
    };
    manifests
        .into_iter()
        .filter_map(|manifest| {
            let origin = format!("{}.yaml:1", manifest["metadata"]["name"]);
            Rendered::new(manifest, origin)
        })
        .collect()
}
