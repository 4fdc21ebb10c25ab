//! The recorded inventories.

use std::collections::BTreeMap;

use stageset_api::reason::Reason;

use crate::names::StageName;
use crate::observation::{Observation, StageInventory};
use crate::plan::Need;

use super::Stop;
use super::freshness::retry_at;
use super::report::{Report, Wait};

/// The inventories as recorded. They don't age: our own writes keep them current, and a foreign edit
/// drops the fact.
pub(super) fn read<'a>(
    observation: &'a Observation,
    needs: &mut Vec<Need>,
) -> Result<&'a BTreeMap<StageName, StageInventory>, Stop> {
    let Some(fact) = &observation.facts.inventories else {
        needs.push(Need::Inventories);
        return Err(Stop::Ask(Vec::new()));
    };
    match &fact.value {
        Ok(inventories) => Ok(inventories),
        Err(failure) => {
            let until = retry_at(fact.at, failure, fact.failures);
            if observation.now >= until {
                needs.push(Need::Inventories);
            }
            Err(Report::failed(
                observation,
                Reason::StageFailed,
                format!("the inventories of this StageSet can't be read: {failure}"),
                Wait::Until(until),
            )
            .into())
        }
    }
}
