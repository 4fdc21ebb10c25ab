//! Which fields may name an object, by the kind that has the field.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::{Config, DEFAULTS, FieldSpec};
use crate::kustomize::id::OwnedGvk;

/// A field that may name an object, and of which kind.
#[derive(Debug)]
pub(in crate::kustomize) struct Referrer {
    pub(in crate::kustomize) field: FieldSpec,
    pub(in crate::kustomize) target: OwnedGvk,
}

/// All of them. Of hundreds a build needs few: those of the kinds that it holds.
#[derive(Debug, Default)]
pub(in crate::kustomize) struct Referrers {
    by_kind: BTreeMap<String, Vec<Referrer>>,
    /// Those of any kind.
    anywhere: Vec<Referrer>,
}

static OF_DEFAULTS: LazyLock<Arc<Referrers>> = LazyLock::new(|| Arc::new(Referrers::of(&DEFAULTS)));

/// Those of a configuration; most builds have kustomize's own, which are sorted once.
pub(in crate::kustomize) fn referrers(config: &Arc<Config>) -> Arc<Referrers> {
    if Arc::ptr_eq(config, &DEFAULTS) {
        OF_DEFAULTS.clone()
    } else {
        Arc::new(Referrers::of(config))
    }
}

impl Referrers {
    fn of(config: &Config) -> Self {
        let mut all = Self::default();
        for reference in &config.name_references {
            for field in &reference.referrers {
                let list = match field.gvk.kind.as_str() {
                    "" => &mut all.anywhere,
                    kind => all.by_kind.entry(kind.to_owned()).or_default(),
                };
                list.push(Referrer {
                    field: field.clone(),
                    target: reference.gvk.clone(),
                });
            }
        }
        all
    }

    /// Those of a kind, then those of any, in the order of the configuration.
    pub(in crate::kustomize) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Referrer> {
        let own = self.by_kind.get(kind).map_or(&[][..], Vec::as_slice);
        own.iter().chain(&self.anywhere)
    }
}
