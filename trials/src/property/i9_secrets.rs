//! I9: Secret values never reach status or events.

use super::Property;
use crate::log::{Entry, What};
use crate::scene::Scene;
use crate::setup::CANARY;

pub(super) struct Secrets;

impl Property for Secrets {
    fn name(&self) -> &'static str {
        "I9"
    }

    fn look(&mut self, entry: &Entry, _: &dyn Scene) -> Result<(), String> {
        let text = match &entry.what {
            What::Status(text) | What::Announce(_, text) => text,
            _ => return Ok(()),
        };
        if text.contains(CANARY) {
            return Err(format!("a Secret's value was told: {text}"));
        }
        Ok(())
    }
}
