//! What nobody has looked at for a while, as little as it can be.
//!
//! - [`builds`] what artifacts were built into;
//! - [`objects`] what was seen of objects, and how they are reached.

mod builds;
mod objects;

use stageset_core::observation::Facts;

use self::builds::Builds;
use self::objects::Objects;
use super::references::References;

/// What is put away.
#[derive(Debug, Default)]
pub(super) struct Away {
    builds: Builds,
    objects: Objects,
}

impl Away {
    /// Takes what can be taken.
    pub(super) fn take(&mut self, facts: &mut Facts, references: &mut References) {
        self.builds.take(&mut facts.builds);
        self.objects.take(&mut facts.objects, references);
    }

    /// Gives everything back.
    pub(super) fn give_back(&mut self, facts: &mut Facts, references: &mut References) {
        self.builds.give_back(&mut facts.builds);
        self.objects.give_back(&mut facts.objects, references);
    }
}
