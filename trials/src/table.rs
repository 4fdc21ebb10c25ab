//! What each stage holds at each revision, looked up a thousand times a run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use stageset_core::object::ObjectKey;

use crate::setup::{Feature, Flavour, LEVELS, REVISIONS, Setup};

/// The contents of a release by stage and revision.
#[derive(Debug)]
pub struct Table {
    /// By stage, revision and value of the variable: each object with its content.
    contents: Vec<Vec<Vec<BTreeMap<ObjectKey, String>>>>,
    /// By object: the stages that hold it at any revision.
    holders: BTreeMap<ObjectKey, Vec<usize>>,
}

type Shape = (usize, u8, bool, bool, bool);

thread_local! {
    static TABLES: RefCell<BTreeMap<Shape, Arc<Table>>> = const { RefCell::new(BTreeMap::new()) };
}

impl Table {
    /// The table of a setup; setups of one shape share it.
    pub fn of(setup: &Setup) -> Arc<Self> {
        let shape = (
            setup.stages,
            setup.objects,
            setup.one_source,
            setup.flavour == Flavour::Platform,
            setup.has(Feature::Variables),
        );
        TABLES.with_borrow_mut(|tables| {
            let table = tables
                .entry(shape)
                .or_insert_with(|| Arc::new(Self::new(setup)));
            Arc::clone(table)
        })
    }

    fn new(setup: &Setup) -> Self {
        let variable = setup.has(Feature::Variables);
        let contents = |stage, revision, level| {
            let items = setup.items(stage, revision).into_iter();
            items
                .map(|item| {
                    let content = if variable {
                        format!("{}.{level}", item.content)
                    } else {
                        item.content.clone()
                    };
                    (item.key(), content)
                })
                .collect()
        };
        let levels = if variable { LEVELS } else { 1 };
        let contents = (0..setup.stages)
            .map(|stage| {
                (1..=REVISIONS)
                    .map(|revision| {
                        let levels = 0..levels;
                        levels
                            .map(|level| contents(stage, revision, level))
                            .collect()
                    })
                    .collect()
            })
            .collect();
        let all = setup.all_items().into_iter();
        let holders = all
            .map(|(_, item)| (item.key(), setup.holders(&item.key())))
            .collect();
        Self { contents, holders }
    }

    /// Everything that a stage holds at a revision, with a value of the variable; the value plays no
    /// part where nothing is substituted.
    pub fn contents(&self, stage: usize, revision: u8, level: u8) -> &BTreeMap<ObjectKey, String> {
        let levels = self.all_levels(stage, revision);
        &levels[usize::from(level).min(levels.len() - 1)]
    }

    /// The same for each value of the variable.
    pub fn all_levels(&self, stage: usize, revision: u8) -> &[BTreeMap<ObjectKey, String>] {
        &self.contents[stage][usize::from(revision.clamp(1, REVISIONS)) - 1]
    }

    /// The object that is named as `Kind/name`, if any revision of any stage holds it.
    pub fn key_of(&self, object: &str) -> Option<&ObjectKey> {
        let (kind, name) = object.split_once('/')?;
        let mut keys = self.holders.keys();
        keys.find(|key| key.kind == kind && key.name == name)
    }

    /// The stages that hold an object at any revision; empty for objects of others.
    pub fn holders(&self, key: &ObjectKey) -> &[usize] {
        self.holders.get(key).map_or(&[], Vec::as_slice)
    }
}
