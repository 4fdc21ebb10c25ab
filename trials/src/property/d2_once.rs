//! D2: what finished for its scope isn't done again for it. Of what the core delivers today, that is
//! creating: the object of one uid isn't created twice, and a change isn't written again over the
//! content that already stands (an apply that changes nothing is a write for nothing).

use std::collections::BTreeMap;

use stageset_core::object::ObjectKey;

use super::Property;
use crate::log::{Entry, What};
use crate::scene::Scene;

/// So many needless writes of one object in one life are taken for a race with others.
const MOST: u32 = 3;

#[derive(Default)]
pub(super) struct Once {
    needless: BTreeMap<(usize, u32, ObjectKey), u32>,
}

impl Property for Once {
    fn name(&self) -> &'static str {
        "D2"
    }

    fn look(&mut self, entry: &Entry, _: &dyn Scene) -> Result<(), String> {
        let What::Apply(key, Some(before), Some(after)) = &entry.what else {
            return Ok(());
        };
        let place = (entry.process, entry.life, key.clone());
        if !entry.succeeded() || entry.effect || before != after {
            self.needless.remove(&place);
            return Ok(());
        }
        let needless = self.needless.entry(place).or_default();
        *needless += 1;
        if *needless > MOST {
            return Err(format!(
                "{key} was written {needless} times in a row without a change"
            ));
        }
        Ok(())
    }
}
