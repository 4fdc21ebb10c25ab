//! What is fuzzed: one file a reader.

mod admission_review;
mod annotations;
mod kubeconfig;
mod kustomization;
mod patches;
mod replacements;
mod stage_set;
mod substitution;
mod tree;
mod unpacking;
mod yaml;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A reader of what strangers wrote.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the target and of its folder in the corpus.
    pub name: &'static str,
    /// Words that mean something to it.
    pub words: &'static [&'static str],
    /// Runs it: what was seen, or the promise that was broken.
    pub run: fn(&[u8]) -> Result<Vec<u64>, String>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    admission_review::TARGET,
    annotations::TARGET,
    kubeconfig::TARGET,
    kustomization::TARGET,
    patches::TARGET,
    replacements::TARGET,
    stage_set::TARGET,
    substitution::TARGET,
    unpacking::TARGET,
    yaml::TARGET,
];

/// A message as something seen: its words without what differs from input to input.
fn sight(what: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut quoted = false;
    for char in what.chars().take(400) {
        match char {
            '"' => quoted = !quoted,
            _ if quoted || char.is_ascii_digit() => {}
            _ => char.hash(&mut hasher),
        }
    }
    hasher.finish()
}
