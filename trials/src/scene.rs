//! The cluster as it truly stands: what checkers may look at besides the log.

use stageset_core::object::ObjectKey;
use stageset_core::time::Timestamp;

use crate::log::Sight;
use crate::property::is_ours;
use crate::setup::{Setup, Step, Variant};
use crate::table::Table;

/// The StageSet as the API server holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageSetSight {
    /// When its deletion was asked for.
    pub deletion: Option<Timestamp>,
    /// Whether our finalizer stands.
    pub finalizer: bool,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// Status and reason of its Ready condition, e.g. `True Succeeded`.
    pub ready: String,
    /// The Ready condition's message.
    pub message: String,
    /// The stage whose actions were asked for once more, unless its status says that this is done.
    pub unanswered: Option<String>,
}

/// What stands in the cluster. Both levels answer this.
pub trait Scene {
    /// What the run began with.
    fn setup(&self) -> &Setup;
    /// What each stage holds at each revision.
    fn table(&self) -> &Table;
    /// The spec as it is now.
    fn variant(&self) -> &Variant;
    /// The true time.
    fn now(&self) -> Timestamp;
    /// The StageSet, if it is still there.
    fn stage_set(&self) -> Option<StageSetSight>;
    /// An object, if it is there.
    fn object(&self, key: &ObjectKey) -> Option<Sight>;
    /// Whether an object is there and its labels name another StageSet. [`Self::object`] says as much; this
    /// one is asked of every object of a release whenever nothing goes on.
    fn is_anothers(&self, key: &ObjectKey) -> bool {
        let owner = self.object(key).and_then(|object| object.owner);
        owner.is_some_and(|owner| !is_ours(Some(&owner)))
    }
    /// All objects of the trials that are there.
    fn objects(&self) -> Vec<(ObjectKey, Sight)>;
    /// The objects that a stage's inventory holds, by stage name.
    fn inventories(&self) -> Vec<(String, Vec<ObjectKey>)>;
    /// Whether any inventory holds an object.
    fn recorded(&self, key: &ObjectKey) -> bool;
    /// The uid that a stage's inventory holds for an object, if it holds one.
    fn recorded_uid(&self, stage: &str, key: &ObjectKey) -> Option<String>;
    /// Whether RBAC lets an account do this now.
    fn allows(&self, account: &str, verb: &str, key: &ObjectKey) -> bool;
    /// The revision that a source offers now, if any.
    fn offered(&self, source: &str) -> Option<u8>;
    /// The value of the variable, if its ConfigMap is there.
    fn level(&self) -> Option<u8>;
    /// Whether an action is on record as done, at a revision of its source or for ever.
    fn done(&self, stage: usize, step: Step, revision: u8) -> bool;
    /// Whether an action is on record as begun, for what its completion is recorded for.
    fn begun(&self, stage: usize, step: Step, key: &str) -> bool;
}
