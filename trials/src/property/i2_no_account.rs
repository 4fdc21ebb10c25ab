//! I2: no service account (and no kubeconfig): not one request to the tenant's world.

use super::Property;
use crate::log::Entry;
use crate::scene::Scene;

pub(super) struct NoAccount;

impl Property for NoAccount {
    fn name(&self) -> &'static str {
        "I2"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        if scene.setup().is_nobodys() && entry.is_tenants() {
            return Err(format!("nobody may act, and yet: {}", entry.what));
        }
        Ok(())
    }
}
