//! The proof that the renderer builds what kustomize builds.
//!
//! - [`case`]: one build as a readable file: input files, and what the original made of them;
//! - [`corpus`]: all such files of `src/render/corpus`;
//! - [`original`]: the original itself, as a process that answers requests;
//! - [`outcome`]: what a build gave, and how two of them differ;
//! - [`generate`]: kustomization trees made from a seed;
//! - [`known`]: the differences that are there on purpose, with their reasons.
//!
//! No part of the operator depends on this crate.

pub mod case;
pub mod corpus;
pub mod generate;
pub mod known;
pub mod original;
pub mod outcome;
pub mod random;
