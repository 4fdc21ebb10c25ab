//! What a StageSet's rest depends on: what to watch for it, and whom to wake.

use std::collections::BTreeSet;

use stageset_core::identity::Identity;
use stageset_core::names::ServiceAccountName;
use stageset_core::object::Reference;
use stageset_core::spec::{SourceReference, StageSetReference};

use super::Session;

/// What to watch for a StageSet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interests {
    /// Sources of its stages.
    pub sources: BTreeSet<SourceReference>,
    /// StageSets that it depends on, directly or not as far as it looked.
    pub dependencies: BTreeSet<StageSetReference>,
    /// Accounts of its namespace.
    pub accounts: BTreeSet<ServiceAccountName>,
    /// Objects of the target, each as the identity that reads it.
    pub objects: BTreeSet<(Identity, Reference)>,
}

impl Session {
    /// What its rest depends on, as of the last pass.
    pub fn interests(&self) -> Interests {
        let mut interests = Interests::default();
        if let Some(spec) = self
            .read
            .as_ref()
            .and_then(|stage_set| stage_set.spec.as_ref().ok())
        {
            interests.accounts.extend(spec.service_account.clone());
            for stage in &spec.stages {
                interests.sources.insert(stage.source.clone());
                let manifests = stage.actions.all();
                let manifests = manifests.filter_map(|(_, action)| action.verb.manifests());
                interests
                    .sources
                    .extend(manifests.map(|manifests| manifests.source.clone()));
                interests.accounts.extend(stage.service_account.clone());
            }
        }
        interests
            .accounts
            .extend(self.facts.accounts.keys().cloned());
        interests
            .dependencies
            .extend(self.facts.dependencies.keys().cloned());
        for (identity, reference) in self.references.iter() {
            if self.facts.objects.get(identity, &reference.key).is_some() {
                interests.objects.insert((identity.clone(), reference));
            }
        }
        interests
    }
}
