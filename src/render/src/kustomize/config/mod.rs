//! Which fields the transformers change: kustomize's defaults, and what `configurations` and
//! `crds` add to them.

mod defaults;
mod read;
mod referrers;

use std::sync::{Arc, LazyLock};

use super::id::OwnedGvk;
pub(super) use read::{from_crds, from_file};
pub(super) use referrers::{Referrer, referrers};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) name: String,
    /// Written with `[]`: a list, and never made where there is none.
    pub(super) list: bool,
}

/// A field that a transformer changes. Shared: every build has hundreds of them, nearly all of them
/// kustomize's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldSpec(Arc<Field>);

impl std::ops::Deref for FieldSpec {
    type Target = Field;

    fn deref(&self) -> &Field {
        &self.0
    }
}

/// What a [`FieldSpec`] says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// In which kinds; empty parts mean any.
    pub(super) gvk: OwnedGvk,
    /// The path as it is written.
    pub(super) path: String,
    pub(super) segments: Vec<Segment>,
    /// Whether it is made where there is none.
    pub(super) create: bool,
}

impl FieldSpec {
    pub(super) fn new(gvk: OwnedGvk, path: &str, create: bool) -> Self {
        let segments = split(path, '/')
            .into_iter()
            .map(|part| match part.strip_suffix("[]") {
                Some(name) => Segment {
                    name: name.to_owned(),
                    list: true,
                },
                None => Segment {
                    name: part,
                    list: false,
                },
            })
            .collect();
        Self(Arc::new(Field {
            gvk,
            path: path.to_owned(),
            segments,
            create,
        }))
    }
}

/// Splits a path. A backslash before the separator keeps it in the part; one separator at the
/// beginning doesn't count.
pub(super) fn split(path: &str, separator: char) -> Vec<String> {
    let mut raw: Vec<&str> = path.split(separator).collect();
    if raw.len() > 1 && raw[0].is_empty() {
        raw.remove(0);
    }
    let mut parts: Vec<String> = Vec::with_capacity(raw.len());
    for part in raw {
        match parts.last_mut().filter(|last| last.ends_with('\\')) {
            Some(last) => {
                last.pop();
                last.push(separator);
                last.push_str(part);
            }
            None => parts.push(part.to_owned()),
        }
    }
    parts
}

/// Who refers to objects of a kind by name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BackReference {
    pub(super) gvk: OwnedGvk,
    pub(super) referrers: Vec<FieldSpec>,
}

/// All fields that transformers change.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Config {
    pub(super) name_prefix: Vec<FieldSpec>,
    pub(super) name_suffix: Vec<FieldSpec>,
    pub(super) namespace: Vec<FieldSpec>,
    pub(super) common_labels: Vec<FieldSpec>,
    pub(super) labels: Vec<FieldSpec>,
    pub(super) template_labels: Vec<FieldSpec>,
    pub(super) volume_claim_template_labels: Vec<FieldSpec>,
    pub(super) common_annotations: Vec<FieldSpec>,
    pub(super) name_references: Vec<BackReference>,
    pub(super) variables: Vec<FieldSpec>,
    pub(super) images: Vec<FieldSpec>,
    pub(super) replicas: Vec<FieldSpec>,
}

/// Two entries for one field that don't agree on whether it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict {
    pub(super) path: String,
}

static DEFAULTS: LazyLock<Arc<Config>> = LazyLock::new(|| Arc::new(defaults::config()));

/// Where the namespace of every object stands.
pub(super) static NAMESPACE: LazyLock<FieldSpec> =
    LazyLock::new(|| FieldSpec::new(OwnedGvk::default(), "metadata/namespace", true));

/// Where the labels of every object stand.
pub(super) static LABELS: LazyLock<FieldSpec> =
    LazyLock::new(|| FieldSpec::new(OwnedGvk::default(), "metadata/labels", true));

/// Kustomize's own.
pub(super) fn defaults() -> Arc<Config> {
    DEFAULTS.clone()
}

/// One configuration with another's entries added. What every build has, defaults into nothing
/// or into defaults, costs nothing.
pub(super) fn merged(one: &Arc<Config>, other: &Arc<Config>) -> Result<Arc<Config>, Conflict> {
    let is_default = |config: &Arc<Config>| Arc::ptr_eq(config, &DEFAULTS);
    if is_default(other) && (is_default(one) || **one == Config::default()) {
        return Ok(other.clone());
    }
    let mut config = Config::clone(one);
    config.merge(other)?;
    Ok(Arc::new(config))
}

impl Config {
    pub(super) fn merge(&mut self, other: &Config) -> Result<(), Conflict> {
        merge_fields(&mut self.name_prefix, &other.name_prefix)?;
        merge_fields(&mut self.name_suffix, &other.name_suffix)?;
        merge_fields(&mut self.namespace, &other.namespace)?;
        merge_fields(&mut self.common_labels, &other.common_labels)?;
        merge_fields(&mut self.labels, &other.labels)?;
        merge_fields(&mut self.template_labels, &other.template_labels)?;
        merge_fields(
            &mut self.volume_claim_template_labels,
            &other.volume_claim_template_labels,
        )?;
        merge_fields(&mut self.common_annotations, &other.common_annotations)?;
        merge_fields(&mut self.variables, &other.variables)?;
        merge_fields(&mut self.images, &other.images)?;
        merge_fields(&mut self.replicas, &other.replicas)?;
        for reference in &other.name_references {
            let own = self
                .name_references
                .iter_mut()
                .find(|own| own.gvk == reference.gvk);
            match own {
                Some(own) => merge_fields(&mut own.referrers, &reference.referrers)?,
                None => self.name_references.push(reference.clone()),
            }
        }
        self.sort();
        Ok(())
    }

    /// Kustomize's order. It matters: where entries are added to nothing, one for every kind that
    /// comes after one for some kind counts as known, and is left out.
    fn sort(&mut self) {
        for list in [
            &mut self.name_prefix,
            &mut self.name_suffix,
            &mut self.namespace,
            &mut self.common_labels,
            &mut self.labels,
            &mut self.template_labels,
            &mut self.volume_claim_template_labels,
            &mut self.common_annotations,
            &mut self.variables,
            &mut self.images,
            &mut self.replicas,
        ] {
            list.sort_by_cached_key(|field| super::sort::rank(field.gvk.borrow()));
        }
        self.name_references
            .sort_by_cached_key(|reference| super::sort::rank(reference.gvk.borrow()));
    }
}

/// Adds entries; one that selects a field that is there already adds nothing.
pub(super) fn merge_fields(to: &mut Vec<FieldSpec>, from: &[FieldSpec]) -> Result<(), Conflict> {
    for field in from {
        let same = to
            .iter()
            .find(|own| own.path == field.path && own.gvk.borrow().is_selected(field.gvk.borrow()));
        match same {
            Some(own) if own.create == field.create => {}
            Some(own) => {
                let path = own.path.clone();
                return Err(Conflict { path });
            }
            None => to.push(field.clone()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_split_as_kustomize_splits_them() {
        assert_eq!(split("a/b", '/'), ["a", "b"]);
        assert_eq!(split("/a/b", '/'), ["a", "b"]);
        assert_eq!(split(r"a/b.c\/d/e", '/'), ["a", "b.c/d", "e"]);
        assert_eq!(split("", '/'), [""]);
    }
}
