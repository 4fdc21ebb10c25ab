//! Differences that are there on purpose, each with its reason.
//!
//! A difference may stand here only if a user could never have wanted what the original does, or if
//! a bound that protects others needs it. What the original merely does oddly is matched.

use crate::outcome::Outcome;

/// A difference that isn't counted as one.
pub struct Known {
    /// A short name, for the count.
    pub name: &'static str,
    /// Why it is right.
    pub reason: &'static str,
    /// Whether this is it: what ours gave, what the original gave.
    pub is: fn(&Outcome, &Outcome) -> bool,
}

/// All of them.
pub const KNOWN: &[Known] = &[];

/// The first known difference that explains these outcomes.
pub fn explains(ours: &Outcome, original: &Outcome) -> Option<&'static Known> {
    KNOWN.iter().find(|known| (known.is)(ours, original))
}
