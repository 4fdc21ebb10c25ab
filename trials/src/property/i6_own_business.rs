//! I6: as itself the controller asks for its own records, sources, accounts, its tenant's namespace
//! and what the server serves, and for nothing else, whatever tenants write. Where it works in a list of
//! namespaces only, nothing is asked for outside of it, as whomever (A14).

use super::Property;
use crate::log::{Entry, What, Who};
use crate::scene::Scene;

pub(super) struct OwnBusiness;

impl Property for OwnBusiness {
    fn name(&self) -> &'static str {
        "I6"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        if let Some(key) = entry.tenant_key()
            && !scene.setup().is_in_bounds(key)
        {
            return Err(format!(
                "{}: the controller doesn't work in that namespace",
                entry.what
            ));
        }
        match (&entry.who, &entry.what) {
            (Who::Controller, What::Other(path)) => {
                Err(format!("the controller asked as itself for {path}"))
            }
            _ => Ok(()),
        }
    }
}
