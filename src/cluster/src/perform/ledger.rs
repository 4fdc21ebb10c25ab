//! Writes to the StageLedger, as the controller.

use serde_json::{Value, json};
use stageset_api::names::{API_VERSION, KIND_STAGE_LEDGER};
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::observation::{BaselineValid, Completed};

use super::Perform;
use super::record::{Known, Recorded};
use crate::records::ledger;
use crate::requests::Target;

/// Makes an empty one; one that somebody made meanwhile serves as well.
pub(super) async fn create(perform: Perform<'_>, known: &mut Known) -> Result<Recorded, Failure> {
    let all = Target::ledgers(&perform.key.namespace);
    let object = ledger::created(&perform.key.namespace, &perform.key.name);
    let requests = perform.as_controller();
    let stands = match requests.create(&all, &object).await {
        Ok(object) => Some(object),
        Err(failure) if failure.class == FailureClass::Conflict => {
            requests.get(&all.named(&perform.key.name)).await?
        }
        Err(failure) => return Err(failure),
    };
    known.ledger = stands;
    Ok(Recorded::Ledger)
}

/// Records these completions, if the ledger still is what the decision rested on (D3). After a
/// conflict, and when it is gone, it is looked at anew.
pub(super) async fn write(
    perform: Perform<'_>,
    known: &mut Known,
    completed: &[Completed],
    baseline_valid: Option<&BaselineValid>,
) -> Result<Recorded, Failure> {
    let target = Target::ledgers(&perform.key.namespace)
        .named(&perform.key.name)
        .status();
    let Some(stands) = &known.ledger else {
        return Err(Failure::new(
            FailureClass::Conflict,
            "the StageLedger isn't known",
        ));
    };
    let patch = ledger::patch(stands, completed, baseline_valid);
    let written = perform.as_controller().merge_patch(&target, &patch).await;
    match written {
        Ok(object) => {
            known.ledger = Some(object);
            Ok(Recorded::Ledger)
        }
        Err(failure) => {
            known.ledger = None;
            Err(failure)
        }
    }
}

/// The ledger, as what an event is about.
pub(super) fn regarding(perform: Perform<'_>, known: &Known) -> Value {
    let uid = known
        .ledger
        .as_ref()
        .and_then(|ledger| ledger.pointer("/metadata/uid"));
    json!({
        "apiVersion": API_VERSION,
        "kind": KIND_STAGE_LEDGER,
        "namespace": perform.key.namespace,
        "name": perform.key.name,
        "uid": uid,
    })
}
