//! The objects of a build so far: ordered, and each identity once.

use std::collections::BTreeMap;

use super::id::Id;
use super::near;
use super::resource::{Behavior, Resource};
use crate::Problem;
use crate::ledger::Problems;

/// Objects in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Resources {
    list: Vec<Resource>,
    /// Where each identity is; dropped as soon as anything may have been renamed.
    index: Option<BTreeMap<String, usize>>,
}

impl Resources {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn list(&self) -> &[Resource] {
        &self.list
    }

    /// The objects, to be changed.
    pub(super) fn list_mut(&mut self) -> &mut Vec<Resource> {
        self.index = None;
        &mut self.list
    }

    pub(super) fn into_list(self) -> Vec<Resource> {
        self.list
    }

    /// Adds an object. Two objects with one identity are a problem.
    pub(super) fn append(&mut self, resource: Resource, problems: &mut Problems) {
        let key = resource.id().key();
        let list = &self.list;
        let index = self.index.get_or_insert_with(|| index(list));
        if let Some(first) = index.get(&key) {
            problems.push(duplicate(&self.list[*first], &resource));
            return;
        }
        index.insert(key, self.list.len());
        self.list.push(resource);
    }

    /// Adds all objects of another. They may have become alike where they come from.
    pub(super) fn append_all(&mut self, other: Resources, problems: &mut Problems) {
        if self.list.is_empty() {
            *self = other;
            if self.index.is_none() {
                self.check_unique(problems);
            }
            return;
        }
        for resource in other.list {
            self.append(resource, problems);
        }
    }

    /// The objects that are or were called so.
    pub(super) fn matching(&self, id: &Id<'_>) -> Vec<usize> {
        let matches = |resource: &Resource| resource.ids().any(|own| own.is_same(id));
        (0..self.list.len())
            .filter(|at| matches(&self.list[*at]))
            .collect()
    }

    /// Reports identities that stand there twice.
    pub(super) fn check_unique(&mut self, problems: &mut Problems) {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (at, resource) in self.list.iter().enumerate() {
            let key = resource.id().key();
            if let Some(first) = seen.get(&key) {
                problems.push(duplicate(&self.list[*first], resource));
            } else {
                seen.insert(key, at);
            }
        }
        self.index = Some(seen);
    }

    /// Adds a generated object, or merges it into the one that is there.
    pub(super) fn absorb(&mut self, mut resource: Resource, problems: &mut Problems) {
        let behavior = resource.behavior.unwrap_or(Behavior::Create);
        let matches = self.matching(&resource.id());
        match (matches.as_slice(), behavior) {
            ([], Behavior::Create) => self.append(resource, problems),
            ([], _) => problems.push(Problem::NothingToMerge {
                object: resource.id().to_string(),
                origin: resource.origin.clone(),
                near: near::objects(&resource.id(), &self.list),
            }),
            ([at], Behavior::Replace | Behavior::Merge) => {
                let old = &self.list[*at];
                super::generate::inherit(&mut resource, old, behavior, problems);
                self.index = None;
                self.list[*at] = resource;
            }
            ([first, ..], _) => problems.push(duplicate(&self.list[*first], &resource)),
        }
    }
}

fn index(list: &[Resource]) -> BTreeMap<String, usize> {
    list.iter()
        .enumerate()
        .map(|(at, resource)| (resource.id().key(), at))
        .collect()
}

fn duplicate(first: &Resource, second: &Resource) -> Problem {
    Problem::Duplicate {
        object: second.id().to_string(),
        first: first.origin.clone(),
        second: second.origin.clone(),
    }
}
