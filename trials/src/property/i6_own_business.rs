//! I6: as itself the controller asks for its own records, sources, accounts, its tenant's namespace
//! and what the server serves, and for nothing else, whatever tenants write.

use super::Property;
use crate::log::{Entry, What, Who};
use crate::scene::Scene;

pub(super) struct OwnBusiness;

impl Property for OwnBusiness {
    fn name(&self) -> &'static str {
        "I6"
    }

    fn look(&mut self, entry: &Entry, _: &dyn Scene) -> Result<(), String> {
        match (&entry.who, &entry.what) {
            (Who::Controller, What::Other(path)) => {
                Err(format!("the controller asked as itself for {path}"))
            }
            _ => Ok(()),
        }
    }
}
