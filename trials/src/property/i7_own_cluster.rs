//! I7, for clusters: a connection belongs to one API server. Nothing of a release that goes to a remote
//! cluster is asked of the local one, whatever the remote one answers, and the other way round. Only
//! variables and what the controller keeps itself are read here.

use super::Property;
use crate::log::{Entry, What};
use crate::scene::Scene;
use crate::setup::Feature;

pub(super) struct OwnCluster;

impl Property for OwnCluster {
    fn name(&self) -> &'static str {
        "I7"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        let there = entry.tenant_key().is_some()
            || matches!(&entry.what, What::Act(act) if !act.kind.is_empty());
        if there && entry.abroad != scene.setup().has(Feature::Remote) {
            return Err(format!(
                "{} was asked of the {} cluster, where the release doesn't go",
                entry.what,
                if entry.abroad { "remote" } else { "local" }
            ));
        }
        Ok(())
    }
}
