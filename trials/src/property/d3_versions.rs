//! D3: optimistic concurrency everywhere: no write of status, finalizer or inventory takes effect
//! unless it names the version that it rests on, and that version stands. At level core the same goes for
//! the deletion of an object: whoever took its labels off since the look must not lose it.

use super::Property;
use crate::log::Entry;
use crate::scene::Scene;

pub(super) struct Versions;

impl Property for Versions {
    fn name(&self) -> &'static str {
        "D3"
    }

    fn look(&mut self, entry: &Entry, _: &dyn Scene) -> Result<(), String> {
        match entry.versions {
            Some((based, stood)) if entry.effect && based != Some(stood) => Err(format!(
                "{} rests on version {}, but {stood} stood",
                entry.what,
                based.map_or_else(|| "none".to_owned(), |version| version.to_string())
            )),
            _ => Ok(()),
        }
    }
}
