//! Artifact bytes in, Kubernetes objects out: pure, in memory, and within bounds.
//!
//! Four steps, each usable alone:
//! - [`unpack`]: a `.tar.gz` artifact becomes a [`Tree`], after its digest was checked
//!   ([`pack`] is the way back);
//! - [`build()`]: a folder of a tree becomes [`Object`]s, each with its [`Origin`];
//! - [`substitute()`]: variables in their texts get their values;
//! - [`yaml::documents`]: what both the build and other readers of cluster YAML read with.
//!
//! Nothing here reads a file, starts a process or opens a connection, whatever the input says;
//! the crate doesn't depend on anything that could. All sizes, counts and depths have bounds
//! ([`Limits`]), and everything that isn't supported is refused by name.
//!
//! ```
//! use stageset_render::{Limits, Tree, build, pack, unpack};
//!
//! let tree = Tree::from_files([(
//!     "shop/settings.yaml",
//!     "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  debug: \"no\"\n",
//! )])?;
//! let (artifact, digest) = pack(&tree);
//!
//! let limits = Limits::default();
//! let tree = unpack(&artifact, &digest, &limits)?;
//! let objects = build(&tree, "shop", &limits).unwrap();
//! assert_eq!(objects[0].value["metadata"]["name"], "settings");
//! assert_eq!(objects[0].origin.to_string(), "shop/settings.yaml, document 1, line 1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod digest;
pub mod kustomize;
mod ledger;
mod limits;
mod pack;
mod substitute;
mod tree;
mod unpack;
pub mod yaml;

pub use build::{Object, ObjectFault, Origin, OuterPatch, Problem, build, build_patched};
pub use digest::{Digest, DigestError};
pub use limits::Limits;
pub use pack::pack;
pub use substitute::{
    Field, SubstitutionFault, SubstitutionProblem, VariableNameError, Variables, expand, substitute,
};
pub use tree::{Tree, TreeError};
pub use unpack::{UnpackError, unpack};
