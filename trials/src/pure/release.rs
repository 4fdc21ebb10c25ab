//! Specs and builds of the trials, made once for each shape and shared by all runs of a thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use stageset_core::object::Rendered;
use stageset_core::observation::BuildState;
use stageset_core::spec::{Problem, Spec, parse};

use crate::setup::{Accounts, Flavour, NAME, NAMESPACE, Setup, Variant};

type Parsed = Result<Arc<Spec>, Vec<Problem>>;
type Shape = (usize, u8, u8, bool, bool);

thread_local! {
    static SPECS: RefCell<BTreeMap<(Shape, Variant), Parsed>> =
        const { RefCell::new(BTreeMap::new()) };
    static BUILDS: RefCell<BTreeMap<(Shape, usize, u8), BuildState>> =
        const { RefCell::new(BTreeMap::new()) };
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
    )
}

/// The spec as the production parser reads it.
pub(super) fn spec(setup: &Setup, variant: &Variant) -> Parsed {
    SPECS.with_borrow_mut(|specs| {
        specs
            .entry((shape(setup), variant.clone()))
            .or_insert_with(|| parse(NAMESPACE, NAME, &setup.spec(variant)).map(Arc::new))
            .clone()
    })
}

/// What a stage builds to at a revision.
pub(super) fn build(setup: &Setup, stage: usize, revision: u8) -> BuildState {
    BUILDS.with_borrow_mut(|builds| {
        builds
            .entry((shape(setup), stage, revision))
            .or_insert_with(|| {
                let items = setup.items(stage, revision);
                let rendered = items
                    .iter()
                    .filter_map(|item| Rendered::new(item.manifest(0), format!("{item}.yaml:1")));
                BuildState::built(rendered.collect())
            })
            .clone()
    })
}
