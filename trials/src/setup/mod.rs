//! What a run begins with: the StageSet, its stages, what each revision of its sources holds.
//!
//! Checkers take from here what is right; the controller never sees it.

mod accounts;
mod features;
mod items;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stageset_core::names::Namespace;
use stageset_core::object::ObjectKey;

pub use accounts::{Accounts, is_user, user};
pub use features::{
    ANCHOR, CLERK, CLOSED, Feature, GATE, KUBECONFIG, LEFTOVER, NEIGHBOUR, PROBE, SUCCESSOR, Step,
    actions, job, own, probe,
};
pub use items::{Item, KINDS, api_version, group};

use crate::random::Random;
use crate::schedule::Level;

/// Namespace of the StageSet.
pub const NAMESPACE: &str = "payments";
/// Its name.
pub const NAME: &str = "shop";
/// A namespace that some releases bring along.
pub const EXTRA: &str = "extra";
/// The annotation that says which content an object has; ours, so that editing it is drift.
pub const CONTENT: &str = "trials.metio.wtf/content";
/// What must never be seen outside of the manifests (I9).
pub const CANARY: &str = "canary-5ecre7";
/// Stage names in order.
pub const STAGES: [&str; 3] = ["base", "app", "edge"];
/// How many revisions each source has.
pub const REVISIONS: u8 = 5;
/// The variable that releases with [`Feature::Variables`] substitute.
pub const VARIABLE: &str = "level";
/// How many values it may have, from 0.
pub const LEVELS: u8 = 3;
/// The ConfigMap that it comes from.
pub const SETTINGS: &str = "settings";
/// The StageSet that releases with [`Feature::Dependency`] depend on.
pub const DEPENDENCY: &str = "platform";
/// Longest wait of a teardown in the trials.
pub const MAX_TEARDOWN_SECONDS: u64 = 1800;
/// Steady interval of the StageSet.
pub const INTERVAL_SECONDS: u64 = 600;

/// Drift interval of releases with [`Feature::Paced`].
pub const DRIFT_SECONDS: u64 = 60;

/// What the release is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// `ConfigMaps`, Secrets, Deployments, Services.
    Plain,
    /// The first stage brings a definition and a namespace, the second one uses them.
    Platform,
}

/// What a run begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// How many stages, 1 to 3.
    pub stages: usize,
    /// How many objects each stage has, 2 to 6.
    pub objects: u8,
    /// As whom.
    pub accounts: Accounts,
    /// One source for all stages, or each its own.
    pub one_source: bool,
    /// What of.
    pub flavour: Flavour,
    /// Seconds until a Deployment is ready.
    pub slow: u64,
    /// Whether what stands in the way of a deletion stays there after the break (L3).
    pub obstinate: bool,
    /// How many request boundaries the break lasts.
    pub boundaries: u64,
    /// What it makes use of beyond stages of objects.
    pub features: BTreeSet<Feature>,
    /// Whether there is one process only, which leads without a lease (level wire). Of a process with
    /// one, nine requests in ten renew it.
    pub alone: bool,
}

impl Setup {
    /// The plain release that benches and most tests use: 2 stages of 4 objects.
    pub fn plain() -> Self {
        Self {
            stages: 2,
            objects: 4,
            accounts: Accounts::Shared,
            one_source: false,
            flavour: Flavour::Plain,
            slow: 5,
            obstinate: false,
            boundaries: 80,
            features: BTreeSet::new(),
            alone: false,
        }
    }

    /// What a seed begins with, at a level.
    pub fn draw(random: &mut Random, level: Level) -> Self {
        let mut setup = Self {
            stages: *random.pick(&[1, 2, 2, 2, 2, 3]),
            objects: *random.pick(&[2, 3, 4, 4, 4, 5]),
            accounts: match random.below(20) {
                0 => Accounts::None,
                1..=8 => Accounts::Each,
                _ => Accounts::Shared,
            },
            one_source: random.per_mille(400),
            flavour: if random.per_mille(250) {
                Flavour::Platform
            } else {
                Flavour::Plain
            },
            slow: *random.pick(&[0, 0, 5, 5, 30, 1200]),
            obstinate: random.per_mille(500),
            boundaries: random.between(30, 140),
            features: BTreeSet::new(),
            alone: false,
        };
        for feature in Feature::ALL
            .into_iter()
            .filter(|feature| !feature.is_late())
        {
            // Drawn in any case, so that the streams of all levels stay alike.
            let drawn = random.per_mille(feature.per_mille());
            if drawn && feature.fits(&setup, level) {
                setup.features.insert(feature);
            }
        }
        setup.alone = random.per_mille(900) && level == Level::Wire;
        setup
    }

    /// What the features that came later add to that.
    pub fn draw_late(&mut self, random: &mut Random, level: Level) {
        for feature in Feature::ALL.into_iter().filter(|feature| feature.is_late()) {
            let drawn = random.per_mille(feature.per_mille());
            if drawn && feature.fits(self, level) {
                self.features.insert(feature);
            }
        }
        if self.has(Feature::SingleTenant) && self.accounts == Accounts::Shared {
            self.accounts = Accounts::None;
        }
    }

    /// The namespaces that the controller works in (`--watch-namespaces`); none: all of them. Every other such
    /// list leaves out the namespace that some releases bring along.
    pub fn shard(&self) -> Vec<Namespace> {
        let sharded = self.has(Feature::Sharded);
        let own = sharded.then_some(NAMESPACE).into_iter();
        let extra = (sharded && self.objects.is_multiple_of(2)).then_some(EXTRA);
        let neighbours = (sharded && self.has(Feature::Neighbour)).then_some(NEIGHBOUR);
        let names = own.chain(extra).chain(neighbours);
        // The trials' own names are fine.
        names.filter_map(|name| Namespace::new(name).ok()).collect()
    }

    /// Whether the controller may touch an object at all (A14): abroad it is the tenant's RBAC alone that
    /// says so (K25).
    pub fn is_in_bounds(&self, key: &ObjectKey) -> bool {
        let in_shard = |namespace: &str| {
            self.shard()
                .iter()
                .any(|listed| listed.as_str() == namespace)
        };
        let bounded = self.has(Feature::Sharded) && !self.has(Feature::Remote);
        !bounded || key.namespace.as_deref().is_none_or(in_shard)
    }

    /// Seconds after which everything is looked at again.
    pub fn tick_seconds(&self) -> u64 {
        if self.has(Feature::Paced) {
            DRIFT_SECONDS
        } else {
            INTERVAL_SECONDS
        }
    }

    /// Whether the release makes use of this.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// The kinds whose objects are left alone once they are there.
    pub fn kept_kinds(&self) -> &'static [&'static str] {
        match (self.has(Feature::Kept), self.has(Feature::Recreate)) {
            (false, _) => &[],
            (true, false) => &["Service", "Secret"],
            (true, true) => &["Service"],
        }
    }

    /// Whether an object of the release is left alone once it is there, whatever its manifest says.
    pub fn is_kept(&self, key: &ObjectKey) -> bool {
        self.kept_kinds().contains(&key.kind.as_str())
    }

    /// The source that a stage is delivered from.
    pub fn source(&self, stage: usize) -> &'static str {
        if self.one_source {
            "all"
        } else {
            STAGES[stage]
        }
    }

    /// All sources.
    pub fn sources(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = (0..self.stages).map(|stage| self.source(stage)).collect();
        names.dedup();
        names
    }

    /// The spec as a user would write it.
    pub fn spec(&self, variant: &Variant) -> Value {
        let mut stages: Vec<Value> = (0..self.stages)
            .filter(|stage| variant.dropped != Some(*stage))
            .map(|stage| {
                let mut spec = json!({
                    "name": variant.name(stage),
                    "sourceRef": { "name": self.source(stage) },
                    "path": STAGES[stage],
                });
                if self.accounts == Accounts::Each
                    && let Some(account) = self.account_in(variant, stage)
                {
                    spec["serviceAccountName"] = account.into();
                }
                if variant.unpruned == Some(stage) {
                    spec["prune"] = false.into();
                }
                features::add_to_stage(self, stage, &mut spec);
                spec
            })
            .collect();
        if variant.reversed {
            stages.reverse();
        }
        let mut spec = json!({ "interval": format!("{INTERVAL_SECONDS}s"), "stages": stages });
        if self.accounts != Accounts::Each
            && let Some(account) = self.account_in(variant, 0)
        {
            spec["serviceAccountName"] = account.into();
        }
        if self.has(Feature::Remote) {
            spec["kubeConfig"] = json!({ "secretRef": { "name": KUBECONFIG } });
        }
        if self.has(Feature::Dependency) {
            spec["dependsOn"] = json!([{ "name": DEPENDENCY }]);
        }
        if self.has(Feature::Paced) {
            spec["driftDetectionInterval"] = format!("{DRIFT_SECONDS}s").into();
            spec["retryInterval"] = "20s".into();
            spec["timeout"] = "90s".into();
        }
        if variant.suspended {
            spec["suspend"] = true.into();
        }
        if variant.invalid {
            spec["interval"] = "soon".into();
        }
        spec
    }

    /// What a stage holds at a revision (1 to [`REVISIONS`]).
    ///
    /// 1 is the beginning; 2 changes every other object; 3 drops one, brings one, changes all;
    /// 4 moves the first object of the first stage to the second one (one source only, since the
    /// move must be seen as one); 5 keeps one object only.
    pub fn items(&self, stage: usize, revision: u8) -> Vec<Item> {
        let n = self.objects;
        let numbers: Vec<u8> = match revision {
            3 => (1..n).chain([n + 1]).collect(),
            5 => vec![1],
            _ => (1..=n).collect(),
        };
        let mut items: Vec<Item> = numbers
            .into_iter()
            .map(|number| self.item(stage, number, revision))
            .collect();
        if revision == 4 && self.one_source && self.stages > 1 {
            match stage {
                0 => {
                    items.remove(0);
                }
                1 => items.push(self.item(0, 1, revision)),
                _ => {}
            }
        }
        items
    }

    fn item(&self, stage: usize, number: u8, revision: u8) -> Item {
        let content = match revision {
            1 => 1,
            2 if number % 2 == 1 => 2,
            2 => 1,
            other => other,
        };
        let (kind, namespace) = match (self.flavour, stage, number) {
            (Flavour::Platform, 0, 1) => ("CustomResourceDefinition", None),
            (Flavour::Platform, 0, 2) => ("Namespace", None),
            (Flavour::Platform, 1, 1) => ("Widget", Some(NAMESPACE)),
            (Flavour::Platform, 1, 2) => ("ConfigMap", Some(EXTRA)),
            (_, _, number) => (
                ["ConfigMap", "Deployment", "Secret", "Service"][usize::from(number - 1) % 4],
                Some(NAMESPACE),
            ),
        };
        let name = match kind {
            "CustomResourceDefinition" => "widgets.example.org".to_owned(),
            "Namespace" => EXTRA.to_owned(),
            _ => format!("{}-{number}", STAGES[stage]),
        };
        Item {
            kind,
            namespace,
            content: format!("{name}@{content}"),
            // One object that is to stay whatever happens to the release.
            keep: stage == 0 && number == 4,
            immutable: kind == "Secret" && self.has(Feature::Recreate),
            name,
        }
    }

    /// Every object that any revision holds.
    pub fn all_items(&self) -> Vec<(usize, Item)> {
        let mut all: Vec<(usize, Item)> = Vec::new();
        for stage in 0..self.stages {
            for number in 1..=self.objects + 1 {
                all.push((stage, self.item(stage, number, 1)));
            }
        }
        all
    }

    /// The stages that hold an object at any revision.
    pub fn holders(&self, key: &ObjectKey) -> Vec<usize> {
        (0..self.stages)
            .filter(|stage| {
                (1..=REVISIONS).any(|revision| {
                    let items = self.items(*stage, revision);
                    items.iter().any(|item| item.key() == *key)
                })
            })
            .collect()
    }
}

/// How the user has changed the spec since.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    /// A stage that was taken out.
    pub dropped: Option<usize>,
    /// A stage with `prune: false`.
    pub unpruned: Option<usize>,
    /// The stages in reverse order.
    pub reversed: bool,
    /// `spec.suspend`.
    pub suspended: bool,
    /// A spec that breaks a rule.
    pub invalid: bool,
    /// The accounts have changed.
    pub succeeded: bool,
    /// The first stage has another name.
    pub renamed: bool,
    /// The first two stages have each other's names.
    pub swapped: bool,
}

impl Variant {
    /// What a stage is called.
    pub fn name(&self, stage: usize) -> &'static str {
        let stage = match stage {
            0 | 1 if self.swapped => 1 - stage,
            stage => stage,
        };
        match stage {
            0 if self.renamed => "ground",
            stage => STAGES[stage],
        }
    }

    /// Indices of the stages that it has, in its order.
    pub fn stages(&self, setup: &Setup) -> Vec<usize> {
        let mut stages: Vec<usize> = (0..setup.stages)
            .filter(|stage| self.dropped != Some(*stage))
            .collect();
        if self.reversed {
            stages.reverse();
        }
        stages
    }
}
