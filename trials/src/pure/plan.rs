//! Plans are checked by code that didn't make them (G13): what holds for every plan, whatever the
//! observation.

use std::collections::BTreeSet;

use stageset_core::observation::{Observation, StageInventory};
use stageset_core::plan::{Next, Operation, Plan, RecordOperation, TenantOperation};

/// What is wrong with a plan, if anything.
pub(super) fn check(observation: &Observation, plan: &Plan) -> Result<(), String> {
    if !plan.needs.is_empty() && !plan.steps.is_empty() {
        return Err(format!("a plan asks or acts, not both:\n{plan}"));
    }
    if plan.is_idle() && plan.next == Next::Again {
        return Err("a plan that does nothing wants another turn".to_owned());
    }
    if let Next::Hold { until, .. } = &plan.next
        && *until <= observation.now
    {
        return Err(format!("a wait that is over before it begins:\n{plan}"));
    }
    let mut written = BTreeSet::new();
    // What the plan itself records before.
    let mut recorded_first: Vec<&StageInventory> = Vec::new();
    for step in &plan.steps {
        for operation in step {
            let operation = match operation {
                Operation::Record(RecordOperation::Inventory { inventory, .. }) => {
                    recorded_first.push(inventory);
                    continue;
                }
                Operation::Record(_) => continue,
                Operation::Tenant(operation) => operation,
            };
            let key = match operation {
                TenantOperation::Apply { object, .. } => &object.reference.key,
                TenantOperation::Delete { object, .. } => &object.key,
                // What actions do is written as often as they say.
                TenantOperation::TakeOver { .. } | TenantOperation::Act { .. } => continue,
            };
            if !written.insert(key) {
                return Err(format!("{key} is written twice in one plan:\n{plan}"));
            }
            if let TenantOperation::Delete { object, .. } = operation
                && !recorded(observation, &object.key)
                && !recorded_first
                    .iter()
                    .any(|inventory| inventory.entries.contains_key(&object.key))
            {
                return Err(format!("{key} is deleted without being recorded:\n{plan}"));
            }
        }
    }
    Ok(())
}

fn recorded(observation: &Observation, key: &stageset_core::object::ObjectKey) -> bool {
    let inventories = observation.facts.inventories.as_ref();
    inventories.is_some_and(|fact| {
        fact.value.as_ref().is_ok_and(|inventories| {
            inventories
                .values()
                .any(|inventory| inventory.entries.contains_key(key))
        })
    })
}
