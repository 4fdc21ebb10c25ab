//! What nobody has looked at for a while, as little as it can be: one packed text.
//!
//! - [`builds`] what artifacts were built into;
//! - [`objects`] what was seen of objects, and how they are reached;
//! - [`sources`] what sources offer.
//!
//! Each says what it would put away, as JSON, and forgets it once that is packed.

mod builds;
pub(super) mod objects;
mod sources;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stageset_core::identity::Identity;
use stageset_core::observation::Facts;

use super::references::References;
use crate::packed::Packed;

/// More text than this isn't put away: having it back takes a moment on the thread that all share.
const LARGEST: usize = 128 * 1024;

/// What is put away, and as whom the objects in it were seen.
#[derive(Debug, Default)]
pub(super) struct Away(Option<(Box<[Identity]>, Packed)>);

impl Away {
    /// Takes what can be taken.
    pub(super) fn take(&mut self, facts: &mut Facts, references: &mut References) {
        if self.0.is_some() || facts.objects.len() > objects::MOST {
            return;
        }
        let identities: BTreeSet<&Identity> = facts
            .objects
            .iter()
            .map(|(identity, ..)| identity)
            .collect();
        let identities: Box<[Identity]> = identities.into_iter().cloned().collect();
        let all = json!([
            builds::lines(&facts.builds),
            objects::lines(&facts.objects, references, &identities),
            sources::lines(&facts.sources),
        ]);
        let text = all.to_string();
        if text.len() > LARGEST {
            return;
        }
        if let Some(packed) = Packed::of(&text) {
            builds::forget(&mut facts.builds);
            objects::forget(&mut facts.objects, references);
            sources::forget(&mut facts.sources);
            self.0 = Some((identities, packed));
        }
    }

    /// Whether anything is put away.
    pub(super) fn is_any(&self) -> bool {
        self.0.is_some()
    }

    /// Gives everything back. What can't be read is looked at anew.
    pub(super) fn give_back(&mut self, facts: &mut Facts, references: &mut References) {
        let Some((identities, packed)) = self.0.take() else {
            return;
        };
        let text = packed.text().unwrap_or_default();
        let all: Value = serde_json::from_str(&text).unwrap_or_default();
        builds::give_back(&all[0], &mut facts.builds);
        objects::give_back(&all[1], &identities, &mut facts.objects, references);
        sources::give_back(&all[2], &mut facts.sources);
    }
}

/// The lines of a part.
fn lines(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use stageset_core::observation::Health;

    use super::objects::tests::{identity, key, seen};
    use super::*;

    #[test]
    fn of_very_many_objects_nothing_is_taken() {
        for (count, taken) in [(objects::MOST, true), (objects::MOST + 1, false)] {
            let mut facts = Facts::default();
            for index in 0..count {
                let key = key(&format!("of-{index}"));
                *facts.objects.entry(&identity("a"), &key) = seen(Health::Current);
            }
            let (whole, mut references) = (facts.clone(), References::default());
            let mut away = Away::default();
            away.take(&mut facts, &mut references);
            assert_eq!(facts.objects.is_empty(), taken, "{count}");
            away.give_back(&mut facts, &mut references);
            assert_eq!(facts, whole);
        }
    }

    #[test]
    fn all_parts_come_back_together_and_what_is_too_large_stays() {
        for (wide, taken) in [(1, true), (LARGEST, false)] {
            let whole = Facts {
                builds: builds::tests::some(&"w".repeat(wide)),
                sources: sources::tests::some(),
                ..Facts::default()
            };
            let (mut facts, mut references) = (whole.clone(), References::default());
            let mut away = Away::default();
            away.take(&mut facts, &mut references);
            assert_eq!(facts != whole, taken);
            assert_eq!(facts.sources.len() < whole.sources.len(), taken);
            // Twice is once.
            away.take(&mut facts, &mut references);
            away.give_back(&mut facts, &mut references);
            assert_eq!(facts, whole);
            away.give_back(&mut facts, &mut references);
            assert_eq!(facts, whole);
        }
    }
}
