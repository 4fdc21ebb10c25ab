//! Kustomizations: what kustomize 5.8 builds, built natively and in memory.
//!
//! [`build`] takes a tree of files and the folder of a kustomization, and gives its objects with
//! the places where they were written, or every problem that it found:
//!
//! ```
//! use stageset_render::kustomize::{self, Options};
//! use stageset_render::Tree;
//!
//! let tree = Tree::from_files([
//!     ("base/kustomization.yaml", "resources: [web.yaml]\n"),
//!     ("base/web.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n"),
//!     ("shop/kustomization.yaml", "resources: [../base]\nnamePrefix: shop-\n"),
//! ])?;
//! let objects = kustomize::build(&tree, "shop", &Options::default()).unwrap();
//! assert_eq!(objects[0].value["metadata"]["name"], "shop-web");
//! assert_eq!(objects[0].origin.to_string(), "base/web.yaml, document 1, line 1");
//!
//! let tree = Tree::from_files([("kustomization.yaml", "resource: [web.yaml]\nnamePrefix: 1\n")])?;
//! let problems = kustomize::build(&tree, "", &Options::default()).unwrap_err();
//! let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
//! assert_eq!(
//!     texts,
//!     [
//!         "kustomization.yaml, line 2, namePrefix: found a number, \
//!          expected a string; put it in quotes",
//!         "kustomization.yaml, line 1: there is no field \"resource\"; near it: \"resources\"",
//!     ],
//! );
//! # Ok::<(), stageset_render::TreeError>(())
//! ```
//!
//! How it works, in the order of the work: `load` follows paths, `kustomization` reads settings,
//! `folder` enters folders, `accumulate` goes through them, `configure` reads what they say of fields and kinds,
//! `prepare` their patches; `generate` makes `ConfigMap`s and Secrets, `transform`,
//! `patch`, `replace` and `plugin` change objects, `references` and `variables` follow names at
//! the end, `finish` tidies up. `config` has the fields that are changed by default.
//!
//! Refused by name: remote resources, Helm charts, functions, plugins that aren't built in, paths
//! out of the tree, unknown fields, cycles.

mod accumulate;
mod config;
mod configure;
mod finish;
mod folder;
mod generate;
mod id;
mod kustomization;
pub(crate) mod load;
mod near;
mod open_api;
mod patch;
mod pattern;
mod plugin;
mod prepare;
mod problem;
mod read;
mod references;
mod replace;
mod resource;
mod resources;
mod scope;
mod select;
mod sort;
mod transform;
mod variables;
mod walk;
mod write;

pub use self::problem::{Fault, Near, Place};
use crate::{Limits, Object, Problem, Tree};

/// From where a kustomization may read files. Resources and components may be anywhere in the
/// tree in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoadFrom {
    /// Anywhere in the tree: what Flux allows.
    #[default]
    Tree,
    /// Its own folder and those below: what the `kustomize` command allows by default.
    Folder,
}

/// The order of the objects where no kustomization says one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// That of files and documents: what Flux has.
    #[default]
    Files,
    /// By kind and name: what the `kustomize` command prints by default.
    Kinds,
}

/// How to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The bounds.
    pub limits: Limits,
    /// From where files may be read.
    pub load_from: LoadFrom,
    /// The order of the objects.
    pub order: Order,
}

/// Builds the kustomization in the folder `path` of a tree. Problems that don't depend on each
/// other are all reported.
pub fn build(tree: &Tree, path: &str, options: &Options) -> Result<Vec<Object>, Vec<Problem>> {
    let folder = crate::build::folder(tree, path).map_err(|problem| vec![*problem])?;
    let mut build = accumulate::Build::new(tree, options);
    build.run(&accumulate::Start::Folder(&folder))
}

/// Builds files and folders with kustomizations as if a kustomization listed them.
pub(crate) fn build_listed(
    tree: &Tree,
    resources: &[String],
    options: &Options,
) -> Result<Vec<Object>, Vec<Problem>> {
    let mut build = accumulate::Build::new(tree, options);
    build.run(&accumulate::Start::Listed(resources))
}
