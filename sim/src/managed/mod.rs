//! Field ownership and server-side apply: which manager owns which field of an object.
//!
//! The algorithms follow the documented behaviour of structured-merge-diff 6.4, which
//! kube-apiserver 1.37 uses: an object is walked along its type ([`types`]), fields are paths in
//! a trie ([`set`]), and everything else (merge, compare, remove, apply) is set arithmetic.

pub(crate) mod apply;
pub(crate) mod entries;
pub(crate) mod merge;
pub(crate) mod set;
pub(crate) mod skeleton;
pub(crate) mod typecheck;
pub(crate) mod types;
pub(crate) mod walk;
